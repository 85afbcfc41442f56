package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"interlock/crypto/vault"
	"interlock/protocol/invitation"
	"interlock/protocol/settings"
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
	identityFile   = "identity.age"      // the node's keys, sealed
	nextFile       = "identity.next.age" // those that replace them once the registry has them
	invitationFile = "invitation.age"    // until it is used
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
