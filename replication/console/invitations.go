package console

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/invitation"
	"interlock/protocol/pages"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

const (
	labelLimit = 100
	inviteDays = 14
	// handoverTime is how long a new invitation can be shown again; the registry
	// itself never had its secret.
	handoverTime = 15 * time.Minute
	// mostMade bounds those that one session shows at a time.
	mostMade = 20
)

// handover is a new invitation, until the operator has handed it over.
type handover struct {
	label   string
	text    string
	expires uint64
	until   time.Time
}

// destroy lets go of the text, which is a secret.
func (h *handover) destroy() { h.text = "" }

// keep holds a new invitation until it was handed over.
func (s *session) keep(id string, h *handover) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errSignedOut
	}
	for old, have := range s.made {
		if !s.now().Before(have.until) || len(s.made) >= mostMade {
			have.destroy()
			delete(s.made, old)
		}
	}
	s.made[id] = h
	return nil
}

// handover is a new invitation of this session.
func (s *session) handover(id string) (handover, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.made[id]
	if !ok || !s.now().Before(h.until) {
		return handover{}, false
	}
	return *h, true
}

func (s *session) handed(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.made[id]; ok {
		h.destroy()
		delete(s.made, id)
	}
}

// invitationLine is one open invitation.
type invitationLine struct {
	Label, Key string
	Expires    pages.Moment
	Left       string
}

// invitationsView is the page of invitations.
type invitationsView struct {
	Lines []invitationLine
	Days  int
	Most  int
	May   bool
	Form  typed
}

func (c *Console) invitationsShell(v *visit, form typed) shell {
	view := invitationsView{Days: inviteDays, Most: registry.MaxInvitationDays, May: v.may(registry.Admission), Form: form}
	for _, m := range v.status.Invitations {
		left := "today is its last day"
		if m.Expires > v.status.Day {
			left = pages.Many(m.Expires-v.status.Day, "day", "days") + " left"
		}
		view.Lines = append(view.Lines, invitationLine{m.Label, shortKey(m.Key), day(m.Expires), left})
	}
	slices.Reverse(view.Lines)
	return shell{Title: "Invitations", Place: "invitations", View: view}
}

func (c *Console) invitations(w http.ResponseWriter, r *http.Request, v *visit) error {
	return c.show(w, r, v, http.StatusOK, "invitations", c.invitationsShell(v, typed{}))
}

// invite makes an invitation, which is then shown for a while.
func (c *Console) invite(w http.ResponseWriter, r *http.Request, v *visit) error {
	label := said(r, "label")
	days, err := numberIn(r.PostForm, "days", registry.MaxInvitationDays)
	switch {
	case err != nil:
	case label == "" || len(label) > labelLimit:
		err = wrong("Say whom the invitation is for.", "At most 100 characters. Operators and the record see it.")
	case days == 0:
		err = wrong("Say for how many days it is good.", "Want 1 to 90.")
	}
	var id string
	if err == nil {
		id, err = c.makeInvitation(r.Context(), v, label, int(days))
	}
	if err != nil {
		return c.again(w, r, v, err, "invite", "invitations", func(t typed) shell { return c.invitationsShell(v, t) })
	}
	return c.goTo(w, r, "/invitations/"+id, "")
}

func (c *Console) makeInvitation(ctx context.Context, v *visit, label string, days int) (id string, err error) {
	var made invitation.Invitation
	err = v.decide(ctx, func(ctx context.Context) (*centre.Status, error) {
		made, err = v.registry.Invite(ctx, label, days)
		return nil, err
	})
	if err != nil {
		return "", err
	}
	defer made.Destroy()
	text, err := made.Encode()
	if err != nil {
		return "", err
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	id = hex.EncodeToString(b[:])
	return id, v.keep(id, &handover{label: label, text: text, expires: made.Expires, until: c.now().Add(handoverTime)})
}

// invitation shows a new invitation to whoever made it.
func (c *Console) invitation(w http.ResponseWriter, r *http.Request, v *visit) error {
	id := r.PathValue("made")
	h, ok := v.handover(id)
	if !ok {
		return wrong("This invitation is not shown any more.", "The console forgets an invitation 15 minutes after it was made. Make another one.")
	}
	view := struct {
		Label, Text, ID string
		Expires         pages.Moment
		Days            uint64
		Picture         bool
	}{h.label, h.text, id, day(h.expires), h.expires - min(h.expires, directory.Day(c.now())), len(h.text) <= invitation.MaxQR}
	return c.show(w, r, v, http.StatusOK, "invitation", shell{Title: "Invitation for " + h.label, Place: "invitations", View: view})
}

func (c *Console) invitationPicture(w http.ResponseWriter, r *http.Request, v *visit) error {
	h, ok := v.handover(r.PathValue("made"))
	if !ok {
		return errNoPage
	}
	picture, err := invitation.QR(h.text)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	c.write(w, r, picture)
	return nil
}

func (c *Console) invitationDone(w http.ResponseWriter, r *http.Request, v *visit) error {
	v.handed(r.PathValue("made"))
	return c.goTo(w, r, "/invitations", "handed")
}
