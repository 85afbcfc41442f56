package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"interlock/crypto/vault"
	"interlock/node/membership"
	"interlock/protocol/directory"
	"interlock/protocol/invitation"
	"interlock/protocol/link"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
)

// Init makes a node's folder: node.toml, identity.age with new keys, the network
// file that the invitation pins, and the invitation until it is used, both
// secrets sealed under lock. It refuses a folder that has any of them.
func Init(dir string, c Config, lock vault.Lock, v invitation.Invitation) error {
	if err := c.check(); err != nil {
		return err
	}
	network, err := v.Network.Encode()
	if err != nil {
		return err
	}
	text, err := v.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the node's folder: %w", err)
	}
	b, err := settings.Encode(c)
	if err != nil {
		return err
	}
	if err := writeNew(filepath.Join(dir, configFile), b); err != nil {
		return err
	}
	if err := writeNew(filepath.Join(dir, c.Network), network); err != nil {
		return err
	}
	if err := vault.WriteSealed(filepath.Join(dir, invitationFile), lock, []byte(text)); err != nil {
		return fmt.Errorf("keep the invitation: %w", err)
	}
	keys, err := vault.GenerateKeys(rand.Reader)
	if err != nil {
		return err
	}
	defer keys.Destroy()
	return keys.Save(filepath.Join(dir, identityFile), lock)
}

// The files of a node's folder besides its store.
const (
	configFile     = "node.toml"
	identityFile   = "identity.age"   // the node's keys, sealed
	invitationFile = "invitation.age" // until it is used
)

// writeNew writes a file that must not be there yet.
func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// readInvitation returns the invitation that is kept for the first application,
// nil where it was used.
func readInvitation(c Config, unlock vault.Lock) (*invitation.Invitation, error) {
	text, err := vault.ReadSealed(c.path(invitationFile), unlock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", invitationFile, err)
	}
	defer clear(text)
	v, err := invitation.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", invitationFile, err)
	}
	return &v, nil
}

// Applied is the answer to an application.
type Applied struct {
	Status      directory.Status
	Refusal     string
	Fingerprint string // of the agency's keys, to compare with the operators over the telephone
}

// Enrol applies for admission to the network in the configuration. Applying
// again, also with changed data, replaces an application that is pending. The
// invitation is used up by the first application, and forgotten then.
func Enrol(ctx context.Context, c Config, unlock vault.Lock, log *slog.Logger) (Applied, error) {
	keys, err := vault.LoadKeys(c.path(identityFile), unlock)
	if err != nil {
		return Applied{}, fmt.Errorf("open %s: %w", identityFile, err)
	}
	defer keys.Destroy()
	network, err := loadNetwork(c)
	if err != nil {
		return Applied{}, err
	}
	host, err := link.New(link.Options{Key: keys.Signing, Roles: membership.NewRoster(network).Role, Log: log})
	if err != nil {
		return Applied{}, err
	}
	for _, s := range network.Servers {
		err = errors.Join(err, host.SetAddresses(s.Key, s.Addresses))
	}
	if err != nil {
		return Applied{}, errors.Join(err, host.Close())
	}
	a := c.agency()
	a.Key, a.Recipient = wire.PeerOf(keys.Signing), keys.Age.Recipient()
	if err := a.CheckText(); err != nil {
		return Applied{}, errors.Join(err, host.Close())
	}
	signers := directory.Signers{Key: keys.Signing}
	invited, err := readInvitation(c, unlock)
	if err != nil {
		return Applied{}, errors.Join(err, host.Close())
	}
	if invited != nil {
		defer invited.Destroy()
		signers.Invitation = invited.Key()
	}
	signed, err := directory.SignApplication(signers, network.Genesis, a, uint64(time.Now().Unix()))
	if err != nil {
		return Applied{}, errors.Join(err, host.Close())
	}
	st, err := membership.Ask(ctx, host, network.Servers, signed, keys.Age)
	if err == nil && (st.Status == directory.Pending || st.Status == directory.Active) && invited != nil {
		err = os.Remove(c.path(invitationFile))
	}
	out := Applied{Status: st.Status, Refusal: st.Refusal, Fingerprint: vault.Fingerprint(a.Key.Key(), a.Recipient)}
	return out, errors.Join(err, host.Close())
}
