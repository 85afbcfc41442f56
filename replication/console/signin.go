package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/pages"
)

// signInView is the page before the sign-in.
type signInView struct {
	Name, Next string
	Said       string
	Problem    *notice
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if _, err := c.sessionOf(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	view := signInView{Next: next}
	if next != "/" {
		view.Said = "Sign in to go on to the page you asked for."
	}
	c.showSignIn(w, r, http.StatusOK, view)
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request, status int, view signInView) {
	if err := c.show(w, r, nil, status, "sign-in", shell{Title: "Sign in", View: view}); err != nil {
		c.fail(w, r, nil, err)
	}
}

// signIn opens the operator's keys. The budgets are asked before the
// passphrase, so a guess beyond them learns nothing.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	pages.LimitBody(r, maxForm)
	if err := pages.ReadForm(r); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	view := signInView{Name: r.PostFormValue("name"), Next: localPath(r.PostFormValue("next"))}
	name := strings.ToLower(strings.TrimSpace(view.Name))
	if wait := c.gate.wait(newTrier(name, pages.Client(r, c.proxy)), c.now()); wait > 0 {
		view.Problem = &notice{
			Text: "There were too many tries to sign in.",
			Hint: fmt.Sprintf("Try again in %s, at %s.", pages.InAWhile(wait), c.now().Add(wait+time.Second).Format("15:04:05")),
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		c.showSignIn(w, r, http.StatusTooManyRequests, view)
		return
	}
	if err := pages.TakeTime(w, 2*time.Minute); err != nil { // others may be before this one
		c.fail(w, r, nil, err)
		return
	}
	passphrase := []byte(r.PostFormValue("passphrase"))
	defer clear(passphrase)
	keys, err := c.ring.open(r.Context(), name, passphrase)
	if err == nil {
		err = c.secondFactor(w, r, name, keys, view.Next)
	}
	if err != nil {
		problem, status := c.told(r, err)
		view.Problem = &problem
		c.showSignIn(w, r, status, view)
	}
}

// secondFactor asks for what else proves who it is, or for the setting up of
// it. It takes keys over.
func (c *Console) secondFactor(w http.ResponseWriter, r *http.Request, name string, keys *vault.Keys, next string) error {
	enrolled, err := c.ring.enrolled(name)
	if err == nil && !enrolled {
		return c.beginEnrolment(w, r, name, keys, next)
	}
	if err == nil {
		err = c.ring.accept(name, keys, r.PostFormValue("code"), c.now())
	}
	if err != nil {
		keys.Destroy()
		return err
	}
	return c.begin(w, r, name, keys, next)
}

// begin begins a session with keys, which it takes over, in place of the one
// that the browser had: nobody could sign out of that any more.
func (c *Console) begin(w http.ResponseWriter, r *http.Request, name string, keys *vault.Keys, next string) error {
	registry, err := c.open(keys)
	if err != nil {
		return fmt.Errorf("open a way to the registry: %w", err)
	}
	_, t, err := c.sessions.begin(name, registry, c.now)
	if err != nil {
		return err
	}
	if old, err := c.sessionOf(r); err == nil {
		if err := c.sessions.end(old); err != nil {
			c.log.Warn("session did not end cleanly", "fault", err)
		}
	}
	c.log.Info("operator signed in")
	c.cookies.Give(w, c.cookies.session, t)
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// signOut ends the session, whether the registry answers or not.
func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	s, err := c.sessionOf(r)
	if err == nil {
		err = c.sessions.end(s)
	}
	if err != nil && !errors.Is(err, errSignedOut) {
		c.log.Warn("session did not end cleanly", "fault", err)
	}
	c.cookies.Take(w, c.cookies.session)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}
