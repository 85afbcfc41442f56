package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"interlock/crypto/vault"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// ErrKeysChanged comes from Failed once the registry knows the agency by its
// next keys: the node's folder has them in place, and whoever runs the node
// starts it again. Its links, and the signatures of its feed, are then theirs.
var ErrKeysChanged = errors.New("the agency's keys have changed: the node must be started again, and goes on with the new ones")

// askNext is how long a registry server may take to say whether the agency is
// known by its next keys.
const askNext = 20 * time.Second

// adopt puts the next keys in the place of the present ones if a verified
// directory knows the agency by them. The file is replaced at once: a crash
// leaves the one or the other, and the next start comes here again.
func adopt(c Config, unlock vault.Lock, d *directory.Directory) (bool, error) {
	a, ok := d.Agency(directory.AgencyID(c.Agency))
	if !ok {
		return false, nil
	}
	next, err := vault.LoadKeys(c.path(nextFile), unlock)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open %s: %w", nextFile, err)
	}
	defer next.Destroy()
	if a.Key != wire.PeerOf(next.Signing) {
		return false, nil
	}
	if err := os.Rename(c.path(nextFile), c.path(identityFile)); err != nil {
		return false, fmt.Errorf("put the next keys in place: %w", err)
	}
	return true, syncFolder(c.dir)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// takeOver is the start of a node that ended between taking a directory and
// adopting the keys that it names.
func (n *Node) takeOver() error {
	if !n.keysWait() {
		return nil
	}
	chain, err := n.stored()
	if err != nil || chain.Directory() == nil {
		return err
	}
	changed, err := adopt(n.o.Config, n.o.Unlock, chain.Directory())
	if err != nil || !changed {
		return err
	}
	n.keys.Destroy()
	return n.loadKeys()
}

// keysWait reports whether there are next keys.
func (n *Node) keysWait() bool {
	_, err := os.Stat(n.o.Config.path(nextFile))
	return err == nil
}

// checkKey looks whether the directory that was just taken knows the agency by
// another key than the one this node has: by its next one, and then the node has
// to be started again, or by one that is not here at all.
func (n *Node) checkKey(d *directory.Directory) error {
	a, ok := d.Agency(n.agency.ID)
	n.otherKey.Store(ok && a.Key != n.agency.Key)
	if !ok || a.Key == n.agency.Key {
		return nil
	}
	changed, err := adopt(n.o.Config, n.o.Unlock, d)
	if err != nil || !changed {
		return err
	}
	n.o.Log.Info("the registry knows the agency by its next keys", "version", d.Version)
	select {
	case n.failed <- ErrKeysChanged:
	default: // it ends already
	}
	return nil
}

// askAsNext asks for the directory under the next keys. Under the present ones
// the registry gives none any more once it knows the agency by those.
func (n *Node) askAsNext() (err error) {
	next, err := n.nextKeys()
	if err != nil {
		return fmt.Errorf("open %s: %w", nextFile, err)
	}
	host, err := link.New(link.Options{Key: next.Signing, Roles: n.roster.Role, Cut: n.o.Cut, Log: n.o.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	ctx, cancel := context.WithTimeout(n.ctx, askNext)
	defer cancel()
	var errs []error
	for _, s := range n.roster.Servers() {
		err := host.SetAddresses(s.Key, s.Addresses)
		if err == nil {
			err = n.directory.Catch(ctx, host, s.Key)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("registry server %s: %w", s.Name, err))
	}
	return errors.Join(errs...)
}

// nextKeys opens the next keys, once for each file that there was: behind a
// passphrase that takes a second. Only keepStanding calls it.
func (n *Node) nextKeys() (*vault.Keys, error) {
	info, err := os.Stat(n.o.Config.path(nextFile))
	if err != nil {
		return nil, err
	}
	if n.next != nil && n.nextOf.Equal(info.ModTime()) {
		return n.next, nil
	}
	next, err := vault.LoadKeys(n.o.Config.path(nextFile), n.o.Unlock)
	if err != nil {
		return nil, err
	}
	if n.next != nil {
		n.next.Destroy()
	}
	n.next, n.nextOf = next, info.ModTime()
	return next, nil
}

// stored returns the chain as a former run left it, without a directory where
// there was none.
func (n *Node) stored() (directory.Chain, error) {
	var signed []byte
	err := n.store.View(func(tx *store.Tx) (err error) {
		signed, err = tx.Meta(metaDirectory)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return directory.Chain{}, nil
	}
	if err != nil {
		return directory.Chain{}, err
	}
	var m wire.SignedDirectory
	if err := wire.Unmarshal(signed, &m); err != nil {
		return directory.Chain{}, fmt.Errorf("stored directory: %w", err)
	}
	// Nobody but this node writes its store: the chain goes on from there.
	chain, err := directory.Resume(&m, n.roster.Network().Genesis)
	if err != nil {
		return directory.Chain{}, fmt.Errorf("stored directory: %w", err)
	}
	return chain, nil
}
