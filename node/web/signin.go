package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"interlock/node/desk"
	"interlock/protocol/pages"
)

// signInView is the page before the sign-in.
type signInView struct {
	Name    string
	Next    string
	Problem *notice
	Said    string
}

func (s *site) signInPage(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if _, err := s.visitor(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	view := signInView{Next: next}
	if next != "/" {
		view.Said = "Sign in to go on to the page you asked for."
	}
	s.showSignIn(w, r, http.StatusOK, view)
}

func (s *site) showSignIn(w http.ResponseWriter, r *http.Request, status int, view signInView) {
	if err := s.show(w, r, visitor{}, status, "sign-in", shell{Title: "Sign in", View: view}); err != nil {
		s.fail(w, r, visitor{}, err)
	}
}

// signIn starts a session. The budgets are asked before the password, so a
// guess beyond them learns nothing.
func (s *site) signIn(w http.ResponseWriter, r *http.Request) {
	pages.LimitBody(r, maxForm)
	if err := pages.ReadForm(r); err != nil {
		s.fail(w, r, visitor{}, err)
		return
	}
	name := strings.ToLower(strings.TrimSpace(r.PostFormValue("name")))
	view := signInView{Name: r.PostFormValue("name"), Next: localPath(r.PostFormValue("next"))}
	by := newTrier(name, pages.Client(r, s.proxy))
	if wait := s.gate.wait(by, s.now()); wait > 0 {
		view.Problem = &notice{
			Text: "There were too many tries to sign in.",
			Hint: fmt.Sprintf("Try again in %s, at %s.", pages.InAWhile(wait), s.now().Add(wait+time.Second).Format("15:04:05")),
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		s.showSignIn(w, r, http.StatusTooManyRequests, view)
		return
	}
	_, session, err := s.desk.SignIn(name, r.PostFormValue("password"))
	if err != nil {
		problem, status := s.told(r, err)
		view.Problem = &problem
		s.showSignIn(w, r, status, view)
		return
	}
	s.gate.prove(by, s.now())
	if err := s.endOld(r); err != nil {
		s.fail(w, r, visitor{}, err)
		return
	}
	s.give(w, session)
	http.Redirect(w, r, view.Next, http.StatusSeeOther)
}

// endOld ends the session that the browser had, if any: the new one takes its
// place in the cookie, and nobody could sign out of it any more.
func (s *site) endOld(r *http.Request) error {
	if old, ok := s.sessionOf(r); ok {
		return s.end(old)
	}
	return nil
}

// end ends a session and the streams that it holds open.
func (s *site) end(session desk.Session) error {
	if err := s.desk.SignOut(session); err != nil {
		return err
	}
	s.streams.end(session)
	return nil
}

func (s *site) signOut(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := s.end(v.session); err != nil {
		return err
	}
	s.take(w)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	return nil
}

// home leads to where an officer's day starts.
func (s *site) home(w http.ResponseWriter, r *http.Request, v visitor) error {
	start := "/cases"
	if !hasCases(v) {
		start = "/network"
	}
	http.Redirect(w, r, start, http.StatusSeeOther)
	return nil
}
