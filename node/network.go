package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"interlock/protocol/directory"
)

// loadNetwork reads what is pinned.
func loadNetwork(c Config) (directory.Network, error) {
	path := c.path(c.Network)
	b, err := os.ReadFile(path)
	if err != nil {
		return directory.Network{}, fmt.Errorf("read network file: %w", err)
	}
	network, err := directory.ParseNetwork(b)
	if err != nil {
		return directory.Network{}, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return network, nil
}

// pin makes the servers of a verified directory the pinned ones, so that the
// agency finds its registry, also when it applies again, after every server of
// the invitation has been replaced.
func (n *Node) pin(d *directory.Directory) error {
	path := n.o.Config.path(n.o.Config.Network)
	b, err := d.Network(n.roster.Network().Name).Encode()
	if err != nil {
		return err
	}
	have, err := os.ReadFile(path)
	if err != nil || bytes.Equal(have, b) {
		return err
	}
	return replaceFile(path, b)
}

// replaceFile writes a file whole, in place of the one that is there.
func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(path))
}
