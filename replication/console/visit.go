package console

import (
	"errors"
	"net/http"
	"path"
	"time"

	"interlock/protocol/pages"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// visit is a request of an operator who is signed in, and how the registry
// stands.
type visit struct {
	*session
	status *centre.Status
	as     time.Time
	stale  bool // the registry does not answer; this is what it said last
	me     registry.Operator
}

// page answers an operator. What it returns as an error becomes a sentence on a
// page.
type page func(w http.ResponseWriter, r *http.Request, v *visit) error

// may reports whether the operator has a role. The registry asks again.
func (v *visit) may(role registry.Role) bool { return v.me.Roles&role != 0 }

// signedIn lets operators through to p and sends everybody else to sign in.
// What an open page asks by itself keeps nobody signed in.
func (c *Console) signedIn(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.LimitBody(r, maxForm)
		s, err := c.sessionOf(r)
		if err != nil {
			c.fail(w, r, nil, err)
			return
		}
		if !byItself(r) {
			s.touch()
		}
		v, err := c.visitOf(r, s)
		if err == nil && r.Method == http.MethodPost {
			err = pages.ReadForm(r)
		}
		if err == nil {
			err = p(w, r, v)
		}
		if err != nil {
			c.fail(w, r, v, err)
		}
	})
}

// byItself reports whether an open page asked to be brought up to date.
func byItself(r *http.Request) bool {
	return pages.ByScript(r) && r.Method == http.MethodGet && r.Header.Get("HX-Target") == "live"
}

// sessionOf returns whose session r is of, or errSignedOut.
func (c *Console) sessionOf(r *http.Request) (*session, error) {
	t, ok := c.cookies.Ticket(r, c.cookies.session)
	if !ok {
		return nil, errSignedOut
	}
	s, ok := c.sessions.of(t)
	if !ok {
		return nil, errSignedOut
	}
	if s.expired() {
		if err := c.sessions.end(s); err != nil {
			c.log.Warn("session did not end cleanly", "fault", err)
		}
		return nil, errSignedOut
	}
	return s, nil
}

// visitOf asks how the registry stands. Where it does not answer, what it said
// last is shown, and said to be old.
func (c *Console) visitOf(r *http.Request, s *session) (*visit, error) {
	v := &visit{session: s}
	var err error
	if v.status, err = s.ask(r.Context()); err != nil {
		if errors.Is(err, errSignedOut) {
			return nil, err
		}
		v.stale = true
		if v.status, _, _ = s.known(); v.status == nil {
			return v, err
		}
	}
	_, v.as, _ = s.known()
	v.recognise()
	return v, nil
}

// recognise finds the operator among those of the status.
func (v *visit) recognise() {
	key := v.registry.Key()
	for _, op := range v.status.Operators {
		if op.Key == key {
			v.me = op
		}
	}
}

// sendToSignIn leads to the sign-in and from there back to the page. A form
// that htmx sent stays on the screen with what was typed in it.
func (c *Console) sendToSignIn(w http.ResponseWriter, r *http.Request) {
	if pages.ByScript(r) && r.Method == http.MethodGet {
		w.WriteHeader(http.StatusNoContent) // the stream of events says it
		return
	}
	if pages.ByScript(r) {
		c.answerProblem(w, r, http.StatusUnauthorized, signedOutNotice)
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
	return pages.LocalPath(next, "/sign-in", "/sign-out", "/enrol", "/events")
}
