package registry

import (
	"slices"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// MaxInvitationDays is how long an invitation may be good.
const MaxInvitationDays = 90

// invite opens an invitation: whoever holds its private key may apply once.
func (d *draft) invite(m *wire.Decision) (changes bool, err error) {
	v := m.GetInvitation()
	key, err := wire.ParsePeer(v.GetKey())
	if err != nil || !vault.ValidPublicKey(key.Key()) || !oneLine(v.Label) || v.Label == "" {
		return false, ErrMalformed
	}
	if d.heard(m) {
		return false, nil
	}
	if v.Expires < d.day || d.day > 0 && v.Expires > d.day+MaxInvitationDays {
		return false, ErrStale
	}
	// Expired ones are let go of here, so that the list does not grow.
	open := slices.DeleteFunc(slices.Clone(d.invitations), func(have *wire.UsedInvitation) bool { return have.Invitation.Expires < d.day })
	if slices.ContainsFunc(open, func(have *wire.UsedInvitation) bool { return string(have.Invitation.Key) == string(v.Key) }) || d.taken(key) {
		return false, ErrTaken
	}
	if len(open) >= MaxInvitations {
		return false, ErrFull
	}
	d.invitations = append(open, &wire.UsedInvitation{Invitation: v})
	return true, nil
}

// redeem uses the invitation that holds key.
func (d *draft) redeem(key []byte) error {
	i := slices.IndexFunc(d.invitations, func(have *wire.UsedInvitation) bool {
		return string(have.Invitation.Key) == string(key) && !have.Used && have.Invitation.Expires >= d.day
	})
	if i < 0 {
		return ErrNotInvited
	}
	d.invitations = slices.Clone(d.invitations)
	d.invitations[i] = &wire.UsedInvitation{Invitation: d.invitations[i].Invitation, Used: true}
	return nil
}
