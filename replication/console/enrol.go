package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/pages"
)

const (
	// enrolTime is how long somebody has to set up the second factor.
	enrolTime = 10 * time.Minute
	// enrolTries is how many codes may be tried meanwhile.
	enrolTries = 10
	// mostEnrolling bounds those who do at once.
	mostEnrolling = 50
)

// enrolment is somebody who knows the passphrase and sets up a second factor.
type enrolment struct {
	name, next string
	keys       *vault.Keys // owned by the gate's mu, like tries
	factor     factor
	until      time.Time
	tries      int
}

// enrolView is the page that sets up a second factor.
type enrolView struct {
	Name, Spelled string
	Problem       *notice
}

// beginEnrolment leads to the page that sets up a second factor. It takes keys
// over.
func (c *Console) beginEnrolment(w http.ResponseWriter, r *http.Request, name string, keys *vault.Keys, next string) error {
	f, err := newFactor()
	var t ticket
	if err == nil {
		_, err = rand.Read(t[:])
	}
	if err == nil && !c.gate.admit(t, &enrolment{name: name, next: next, keys: keys, factor: f, until: c.now().Add(enrolTime)}) {
		err = errCrowd
	}
	if err != nil {
		keys.Destroy()
		return err
	}
	c.cookies.Give(w, c.cookies.enrolment, t)
	http.Redirect(w, r, "/enrol", http.StatusSeeOther)
	return nil
}

func (c *Console) enrolPage(w http.ResponseWriter, r *http.Request) {
	_, e, ok := c.enrolment(r)
	if !ok {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	c.showEnrol(w, r, http.StatusOK, e, nil)
}

func (c *Console) showEnrol(w http.ResponseWriter, r *http.Request, status int, e *enrolment, problem *notice) {
	view := enrolView{Name: e.name, Spelled: e.factor.spelled(), Problem: problem}
	if err := c.show(w, r, nil, status, "enrol", shell{Title: "Second factor", View: view}); err != nil {
		c.fail(w, r, nil, err)
	}
}

func (c *Console) enrolPicture(w http.ResponseWriter, r *http.Request) {
	_, e, ok := c.enrolment(r)
	if !ok {
		c.fail(w, r, nil, errNoPage)
		return
	}
	picture, err := e.factor.picture(c.network, e.name)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	c.write(w, r, picture)
}

// enrol takes the first code, which proves that the app has the secret.
func (c *Console) enrol(w http.ResponseWriter, r *http.Request) {
	pages.LimitBody(r, maxForm)
	t, e, ok := c.enrolment(r)
	if !ok {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	if err := pages.ReadForm(r); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	keys, ok := c.gate.try(t)
	if !ok {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	err := c.ring.enrol(e.name, keys, e.factor, r.PostFormValue("code"), c.now())
	switch {
	case errors.Is(err, errNotRight):
		c.gate.giveBack(t, keys)
		c.showEnrol(w, r, http.StatusUnprocessableEntity, e, &notice{
			Text: "This is not the code that the app shows now.",
			Hint: "Wait for the next one and type it before it changes. If it stays wrong, the telephone’s clock is.",
		})
		return
	case err != nil:
		keys.Destroy()
		c.fail(w, r, nil, err)
		return
	}
	c.gate.forget(t)
	c.cookies.Take(w, c.cookies.enrolment)
	if err := c.begin(w, r, e.name, keys, e.next); err != nil {
		c.fail(w, r, nil, err)
	}
}

func (c *Console) enrolment(r *http.Request) (ticket, *enrolment, bool) {
	t, ok := c.cookies.Ticket(r, c.cookies.enrolment)
	if !ok {
		return t, nil, false
	}
	c.gate.sweep(c.now())
	e, ok := c.gate.half(t)
	return t, e, ok
}

// admit keeps somebody who has to set up a second factor, if there is room.
func (g *gate) admit(t ticket, e *enrolment) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.enrolling) >= mostEnrolling {
		return false
	}
	g.enrolling[t] = e
	return true
}

// half is who holds a ticket and is half through the sign-in.
func (g *gate) half(t ticket) (*enrolment, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, ok := g.enrolling[t]
	return e, ok
}

// try lends the keys for one try; then giveBack or forget.
func (g *gate) try(t ticket) (*vault.Keys, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, ok := g.enrolling[t]
	if !ok || e.keys == nil {
		return nil, false
	}
	keys := e.keys
	e.keys, e.tries = nil, e.tries+1
	return keys, true
}

// giveBack returns the keys after a wrong code; after too many they are gone.
func (g *gate) giveBack(t ticket, keys *vault.Keys) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, ok := g.enrolling[t]
	if ok && e.tries < enrolTries {
		e.keys = keys
		return
	}
	delete(g.enrolling, t)
	keys.Destroy()
}

func (g *gate) forget(t ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.enrolling, t)
}

// sweep forgets those who took too long.
func (g *gate) sweep(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for t, e := range g.enrolling {
		if now.Before(e.until) {
			continue
		}
		delete(g.enrolling, t)
		if e.keys != nil {
			e.keys.Destroy()
		}
	}
}

// close forgets all.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for t, e := range g.enrolling {
		delete(g.enrolling, t)
		if e.keys != nil {
			e.keys.Destroy()
		}
	}
}
