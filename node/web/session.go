package web

import (
	"net/http"
	"path"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// visitor is the officer behind a request. Its zero value is nobody.
type visitor struct {
	casefile.Officer
	session desk.Session
}

// page answers a signed-in officer. What it returns as an error becomes a
// sentence on a page.
type page func(w http.ResponseWriter, r *http.Request, v visitor) error

// signedIn lets officers through to p and sends everybody else to sign in. A
// body of more than limit bytes ends in an *http.MaxBytesError.
func (s *site) signedIn(limit int64, p page) http.Handler {
	return s.admit(limit, func(w http.ResponseWriter, r *http.Request, v visitor) error {
		s.streams.used(v.session, s.now())
		return p(w, r, v)
	})
}

// admit is signedIn for what an open page asks by itself: it keeps nobody
// signed in.
func (s *site) admit(limit int64, p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := s.visitor(r)
		if err == nil {
			pages.LimitBody(r, limit)
			err = p(w, r, v)
		}
		if err != nil {
			s.fail(w, r, v, err)
		}
	})
}

// visitor returns who sent r, or desk.ErrSignedOut.
func (s *site) visitor(r *http.Request) (visitor, error) {
	session, ok := s.sessionOf(r)
	if !ok {
		return visitor{}, desk.ErrSignedOut
	}
	officer, err := s.officerOf(session)
	return visitor{officer, session}, err
}

// officerOf returns whose session it is, or desk.ErrSignedOut. The desk ends
// idle sessions, but to it a page that is only open looks like one in use, so
// those end here.
func (s *site) officerOf(session desk.Session) (casefile.Officer, error) {
	if s.streams.idle(session, s.now()) {
		if err := s.end(session); err != nil {
			return casefile.Officer{}, err
		}
		return casefile.Officer{}, desk.ErrSignedOut
	}
	officer, err := s.desk.Session(session)
	if err == nil {
		s.streams.met(session, s.now())
	}
	return officer, err
}

// sendToSignIn leads to the sign-in and from there back to the page. A form
// that htmx sent stays on the screen with what was typed in it.
func (s *site) sendToSignIn(w http.ResponseWriter, r *http.Request) {
	if pages.ByScript(r) && r.Method == http.MethodGet {
		w.WriteHeader(http.StatusNoContent) // the stream of events says it
		return
	}
	if pages.ByScript(r) {
		s.answerProblem(w, r, http.StatusUnauthorized, signedOutNotice)
		return
	}
	back := r.URL.RequestURI()
	if r.Method != http.MethodGet {
		back = path.Dir(r.URL.Path)
	}
	http.Redirect(w, r, pages.SignInPath(back), http.StatusSeeOther)
}

// localPath is where to go after the sign-in.
func localPath(next string) string {
	return pages.LocalPath(next, "/sign-in", "/sign-out", "/events")
}
