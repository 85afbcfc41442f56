package cluster

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"interlock/protocol/directory"
)

// Folder is a folder that this process alone works on.
type Folder struct {
	path string
	lock *os.File
}

// The files of a folder beside raft's own.
const (
	lockFile    = "lock"
	networkFile = "network" // hash of the genesis, once this server takes part
)

// Claim makes the folder at path where it is missing and locks it. The lock
// goes with the process, however that ends. A folder that another process has
// is ErrInUse.
func Claim(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("claim folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim folder: %w", err)
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("claim folder %s: %w", path, err), f.Close())
	}
	return &Folder{path: path, lock: f}, nil
}

// Release lets another process claim the folder.
func (f *Folder) Release() error {
	if err := f.lock.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("release folder: %w", err)
	}
	return nil
}

// network returns the network that the folder has taken part in, nil for none.
func (f *Folder) network() (*directory.GenesisHash, error) {
	b, err := os.ReadFile(filepath.Join(f.path, networkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read folder: %w", err)
	}
	var hash directory.GenesisHash
	text := bytes.TrimSuffix(b, []byte("\n"))
	if len(text) != hex.EncodedLen(len(hash)) {
		return nil, fmt.Errorf("read folder: %s: want %d hexadecimal digits", networkFile, hex.EncodedLen(len(hash)))
	}
	if _, err := hex.Decode(hash[:], text); err != nil {
		return nil, fmt.Errorf("read folder: %s: %w", networkFile, err)
	}
	return &hash, nil
}

// join writes down that the folder takes part in a network from now on.
func (f *Folder) join(hash directory.GenesisHash) (err error) {
	path := filepath.Join(f.path, networkFile)
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("mark folder: %w", err)
	}
	_, err = fmt.Fprintf(file, "%x\n", hash[:])
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("mark folder: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("mark folder: %w", err)
	}
	dir, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("mark folder: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
