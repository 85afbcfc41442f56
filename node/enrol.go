package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"interlock/crypto/vault"
	"interlock/node/membership"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// Applied is the answer to an application.
type Applied struct {
	Status      directory.Status
	Refusal     string
	Fingerprint string // of the agency's keys, to compare with the operators over the telephone
	// Changing is set where the agency is a member, and what it applied with is
	// not yet what the directory says: two operators have to approve it.
	Changing bool
}

// Enrol applies for admission to the network in the configuration. Applying
// again, also with changed data, replaces an application that is pending; a
// member's takes its place when two operators have approved it. The invitation
// is used up by the first application, and forgotten then.
func Enrol(ctx context.Context, c Config, unlock vault.Lock, log *slog.Logger) (Applied, error) {
	return enrol(ctx, c, unlock, nil, log)
}

// EnrolInPlaceOf is Enrol for an agency that has lost the key lost and all that
// was sealed with it: with an invitation, it applies to be known by new keys.
func EnrolInPlaceOf(ctx context.Context, c Config, unlock vault.Lock, lost wire.Peer, log *slog.Logger) (Applied, error) {
	return enrol(ctx, c, unlock, &lost, log)
}

func enrol(ctx context.Context, c Config, unlock vault.Lock, lost *wire.Peer, log *slog.Logger) (Applied, error) {
	keys, err := vault.LoadKeys(c.path(identityFile), unlock)
	if err != nil {
		return Applied{}, fmt.Errorf("open %s: %w", identityFile, err)
	}
	defer keys.Destroy()
	signers := directory.Signers{Key: keys.Signing, Replaces: lost}
	invited, err := readInvitation(c, unlock)
	if err != nil {
		return Applied{}, err
	}
	if invited != nil {
		defer invited.Destroy()
		signers.Invitation = invited.Key()
	}
	applied, err := apply(ctx, c, keys, signers, log)
	if err == nil && (applied.Status == directory.Pending || applied.Status == directory.Active) && invited != nil {
		err = os.Remove(c.path(invitationFile))
	}
	return applied, err
}

// Rotate applies for the agency to be known by new keys, which the present ones
// vouch for. They are kept beside those until two operators have approved, and
// the running node takes them over (see ErrKeysChanged), or the next start.
// Doing it again asks how the application stands, and applies again where it was
// refused. The disk key stays.
func Rotate(ctx context.Context, c Config, unlock vault.Lock, log *slog.Logger) (Applied, error) {
	keys, err := vault.LoadKeys(c.path(identityFile), unlock)
	if err != nil {
		return Applied{}, fmt.Errorf("open %s: %w", identityFile, err)
	}
	defer keys.Destroy()
	next, err := makeNext(c, unlock, keys)
	if err != nil {
		return Applied{}, err
	}
	defer next.Destroy()
	applied, err := apply(ctx, c, next, directory.Signers{}, log)
	if err != nil || applied.Status == directory.Pending || applied.Status == directory.Active {
		return applied, err
	}
	old := wire.PeerOf(keys.Signing)
	return apply(ctx, c, next, directory.Signers{Key: next.Signing, Replaces: &old, Old: keys.Signing}, log)
}

// makeNext returns the keys that wait to replace keys, made now where there are
// none.
func makeNext(c Config, unlock vault.Lock, keys *vault.Keys) (*vault.Keys, error) {
	next, err := vault.LoadKeys(c.path(nextFile), unlock)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return next, err
	}
	if next, err = vault.GenerateKeys(rand.Reader); err != nil {
		return nil, err
	}
	next.Disk = keys.Disk
	return next, next.Save(c.path(nextFile), unlock)
}

// apply sends the application of an agency with these keys, or only asks how
// they stand where no key is to sign.
func apply(ctx context.Context, c Config, keys *vault.Keys, signers directory.Signers, log *slog.Logger) (out Applied, err error) {
	network, err := loadNetwork(c)
	if err != nil {
		return Applied{}, err
	}
	a := c.agency()
	a.Key, a.Recipient = wire.PeerOf(keys.Signing), keys.Age.Recipient()
	if err := a.CheckText(); err != nil {
		return Applied{}, err
	}
	var signed *wire.Application
	if signers.Key != nil {
		if signed, err = directory.SignApplication(signers, network.Genesis, a, uint64(time.Now().Unix())); err != nil {
			return Applied{}, err
		}
	}
	host, err := link.New(link.Options{Key: keys.Signing, Roles: membership.NewRoster(network).Role, Log: log})
	if err != nil {
		return Applied{}, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	for _, s := range network.Servers {
		err = errors.Join(err, host.SetAddresses(s.Key, s.Addresses))
	}
	if err != nil {
		return Applied{}, err
	}
	st, err := membership.Ask(ctx, host, network.Servers, signed, keys.Age)
	return Applied{
		Status: st.Status, Refusal: st.Refusal, Fingerprint: vault.Fingerprint(a.Key.Key(), a.Recipient),
		Changing: st.Agency != nil && !sameWords(*st.Agency, a),
	}, err
}

// sameWords reports whether two members look the same to everybody else.
func sameWords(a, b directory.Agency) bool {
	return a.Name == b.Name && a.Jurisdiction == b.Jurisdiction && a.Contact == b.Contact &&
		a.Key == b.Key && a.Recipient == b.Recipient && slices.Equal(a.Addresses, b.Addresses)
}
