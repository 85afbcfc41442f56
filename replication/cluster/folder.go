package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is a folder that this process alone works on.
type Folder struct {
	path string
	lock *os.File
}

// The files of a folder beside raft's own.
const (
	lockFile    = "lock"
	networkFile = "network"   // the mark, once this server takes part
	snapshotDir = "snapshots" // raft's own name
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
