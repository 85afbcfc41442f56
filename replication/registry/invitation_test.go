package registry

import (
	"fmt"
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

func TestANewKeyNeedsAnInvitation(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 10)
	denver, boulder := seeded("agency", 0), seeded("agency", 1)
	l.refuses(applies(n.application(denver, "denver-pd", "", 1)), ErrNotInvited)
	invited := n.invitation(0, denver, 10)
	l.takes(decides(invited))
	if got := len(l.Status().Invitations); got != 1 {
		t.Fatalf("open invitations: got %d, want 1", got)
	}
	uninvited := n.signApplication(directory.Signers{Key: denver}, n.agency(denver, "denver-pd", ""), 1)
	l.refuses(applies(uninvited), ErrNotInvited)
	unsigned := n.application(denver, "denver-pd", "", 1)
	unsigned.Invited = nil
	l.refuses(applies(unsigned), ErrBadSignature)
	l.takes(applies(n.application(denver, "denver-pd", "", 1)))

	// It is used up, for everybody, and sending it again opens nothing.
	second := n.signApplication(directory.Signers{Key: boulder, Invitation: invitationOf(denver)}, n.agency(boulder, "boulder-pd", ""), 1)
	l.refuses(applies(second), ErrNotInvited)
	l.repeats(decides(invited))
	l.refuses(decides(n.invitation(1, denver, 11)), ErrTaken)
	l.refuses(applies(second), ErrNotInvited)
	if got := len(l.Status().Invitations); got != 0 {
		t.Fatalf("open invitations: got %d, want none", got)
	}
	l.restart()
	l.refuses(applies(second), ErrNotInvited)
}

func TestCorrectionsNeedNoSecondInvitation(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.founded(t, 10), seeded("agency", 0)
	bare := func(contact string, unix uint64) *wire.Command {
		return applies(n.signApplication(directory.Signers{Key: denver}, n.agency(denver, "denver-pd", contact), unix))
	}
	l.invite(n, denver)
	l.takes(applies(n.application(denver, "denver-pd", "", 1)))
	l.takes(bare("desk", 2))
	l.takes(decides(n.decision(l.State, 0, Refuse, denver, "wrong contact")))
	l.takes(bare("another desk", 3))
	l.approve(n, denver)
	l.takes(bare("a third desk", 4))
	l.takes(decides(n.decision(l.State, 0, Suspend, denver, "left")))
	l.takes(bare("a third desk", 5))
	l.approve(n, denver)
	l.wantStatus(denver, directory.Active)
}

func TestAnInvitationExpires(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 10)
	denver := seeded("agency", 0)
	l.refuses(decides(n.invitation(0, denver, 9)), ErrStale)
	l.refuses(decides(n.invitation(0, denver, 10+MaxInvitationDays+1)), ErrStale)
	invited := n.invitation(0, denver, 11)
	l.takes(decides(invited))
	l.dawns(n, 11)
	if got := len(l.Status().Invitations); got != 1 {
		t.Fatalf("on its last day: got %d open, want 1", got)
	}
	l.dawns(n, 12)
	l.refuses(applies(n.application(denver, "denver-pd", "", 1)), ErrNotInvited)
	if got := len(l.Status().Invitations); got != 0 {
		t.Fatalf("after its last day: got %d open, want none", got)
	}
	l.invite(n, seeded("agency", 1)) // lets go of it
	if got := len(l.invitations); got != 1 {
		t.Fatalf("kept: got %d, want 1", got)
	}
	l.repeats(decides(invited))
	l.refuses(decides(n.invitation(1, denver, 11)), ErrStale)
}

func TestWhatCannotBeAnInvitation(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 10)
	with := func(change func(*wire.Decision)) *wire.Command {
		d := n.invitation(0, seeded("agency", 0), 12)
		change(d)
		return decides(n.sign(0, d))
	}
	key := wire.PeerOf(n.servers[0])
	l.refuses(with(func(d *wire.Decision) { d.Invitation = nil }), ErrMalformed)
	l.refuses(with(func(d *wire.Decision) { d.Invitation.Label = "" }), ErrMalformed)
	l.refuses(with(func(d *wire.Decision) { d.Invitation.Label = "a\nb" }), ErrMalformed)
	l.refuses(with(func(d *wire.Decision) { d.Invitation.Key = nil }), ErrMalformed)
	l.refuses(with(func(d *wire.Decision) { d.Invitation.Key = make([]byte, 32) }), ErrMalformed)
	l.refuses(with(func(d *wire.Decision) { d.Invitation.Key = key[:] }), ErrTaken)
	l.refuses(with(func(d *wire.Decision) { d.Agency = string(make([]byte, 70_000)) }), ErrFull)
	approval := with(func(d *wire.Decision) { d.Verb = uint32(Approve) })
	l.refuses(approval, ErrMalformed)
}

func TestInvitationsAreBounded(t *testing.T) {
	n := newNetwork(t, 1, 2)
	l := n.log(t)
	for i := range MaxInvitations {
		l.invitations = append(l.invitations, &wire.UsedInvitation{Invitation: &wire.Invitation{Key: fmt.Append(nil, i), Expires: 9}})
	}
	l.refuses(decides(n.invitation(0, seeded("agency", 0), 9)), ErrFull)
	l.dawns(n, 10)
	l.takes(decides(n.invitation(0, seeded("agency", 0), 10)))
}

func TestAnAgencyChangesItsKey(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 10)
	old, next, thief := seeded("agency", 0), seeded("agency", 1), seeded("agency", 2)
	l.admit(n, old, "denver-pd", 1)
	l.admit(n, seeded("agency", 3), "boulder-pd", 1)
	held := wire.PeerOf(old)
	rotation := func(by directory.Signers, id string, unix uint64) *wire.Application {
		return n.signApplication(by, n.agency(by.Key, id, ""), unix)
	}
	l.refuses(applies(rotation(directory.Signers{Key: next}, "denver-pd", 2)), ErrTaken)
	l.refuses(applies(rotation(directory.Signers{Key: next, Replaces: &held}, "denver-pd", 2)), ErrNotInvited)
	l.refuses(applies(rotation(directory.Signers{Key: next, Replaces: &held, Old: old}, "boulder-pd", 2)), ErrTaken)
	l.refuses(applies(rotation(directory.Signers{Key: next, Replaces: &held, Old: old}, "nobody-pd", 2)), ErrUnknownAgency)
	l.refuses(applies(rotation(directory.Signers{Key: next, Replaces: &held, Old: thief}, "denver-pd", 2)), ErrBadSignature)
	l.refuses(applies(rotation(directory.Signers{Key: n.servers[0], Replaces: &held, Old: old}, "denver-pd", 2)), ErrTaken)
	l.refuses(applies(rotation(directory.Signers{Key: seeded("agency", 3), Replaces: &held, Old: old}, "denver-pd", 2)), ErrTaken)

	// The old key vouches: no invitation is needed, four eyes are.
	change := rotation(directory.Signers{Key: next, Replaces: &held, Old: old}, "denver-pd", 2)
	l.takes(applies(change))
	l.wantStatus(old, directory.Active)
	l.wantStatus(next, directory.Pending)
	l.restart()
	l.approve(n, next)
	l.wantStatus(old, directory.Unknown)
	l.wantStatus(next, directory.Active)
	l.restart()
	l.refuses(applies(n.application(old, "denver-pd", "", 3)), ErrTaken)
	// Whoever did not hear that it was taken may send it again.
	l.refuses(applies(change), ErrAlreadyActive)

	// The key is lost: an invitation stands for it.
	held = wire.PeerOf(next)
	last := seeded("agency", 4)
	l.invite(n, last)
	l.takes(applies(rotation(directory.Signers{Key: last, Replaces: &held, Invitation: invitationOf(last)}, "denver-pd", 4)))
	l.approve(n, last)
	l.wantStatus(last, directory.Active)
	if a, _ := l.Directory().Agency("denver-pd"); a.Key != wire.PeerOf(last) || len(l.agencies) != 2 {
		t.Fatal("the directory has another key, or an agency more")
	}
}
