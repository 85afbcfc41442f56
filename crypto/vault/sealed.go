package vault

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// SealedLimit is the most that a sealed file may hold, in bytes of plaintext. Sealed files are keys
// and shares; case packets and backups are streams and live elsewhere.
const SealedLimit = 1 << 20

// WriteSealed seals plaintext under the lock into a new file at path, mode 0600. The file appears
// whole or not at all, and is on the disk before WriteSealed returns. One that is already there is
// left alone (fs.ErrExist).
func WriteSealed(path string, l Lock, plaintext []byte) error {
	// A hard link, unlike a rename, fails where the name is taken.
	return writeSealed(path, l, plaintext, os.Link)
}

// ReplaceSealed is [WriteSealed] in place of whatever is at path, which stays whole until the new
// file is on the disk.
func ReplaceSealed(path string, l Lock, plaintext []byte) error {
	return writeSealed(path, l, plaintext, os.Rename)
}

// writeSealed writes a temporary file beside path and moves it there with place.
func writeSealed(path string, l Lock, plaintext []byte, place func(from, to string) error) error {
	if len(plaintext) > SealedLimit {
		return fmt.Errorf("write sealed file %s: %w", path, ErrTooLarge)
	}
	to, err := l.sealer()
	if err != nil {
		return fmt.Errorf("write sealed file %s: %w", path, err)
	}
	sealed, err := seal(plaintext, to)
	if err != nil {
		return fmt.Errorf("write sealed file %s: %w", path, err)
	}
	if err := writeAtomic(path, sealed, place); err != nil {
		return fmt.Errorf("write sealed file: %w", err)
	}
	return nil
}

// writeAtomic makes data appear at path whole and durable, with mode 0600.
func writeAtomic(path string, data []byte, place func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		// After a rename the temporary name is gone already.
		if rm := os.Remove(f.Name()); rm != nil && !errors.Is(rm, os.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}()
	if err := writeAll(f, data); err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// writeAll writes, syncs and closes.
func writeAll(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadSealed opens the sealed file at path. Errors: [ErrWrongKey], [ErrDamaged], [ErrTooLarge],
// and the file system's own (fs.ErrNotExist).
func ReadSealed(path string, l Lock) (plaintext []byte, err error) {
	with, err := l.opener()
	if err != nil {
		return nil, fmt.Errorf("read sealed file %s: %w", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read sealed file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// One chunk more than the limit is enough for open to see that it is exceeded.
	sealed, err := io.ReadAll(io.LimitReader(f, SealedLimit+chunkSize))
	if err != nil {
		return nil, fmt.Errorf("read sealed file: %w", err)
	}
	plaintext, err = open(sealed, SealedLimit, with)
	if err != nil {
		return nil, fmt.Errorf("read sealed file %s: %w", path, err)
	}
	return plaintext, nil
}
