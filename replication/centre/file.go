package centre

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writeFile makes b the content of the file at path, whole and on the disk
// when it returns, in place of what was there.
func writeFile(path string, b []byte, mode os.FileMode) error {
	half := path + halfExt
	if err := writeHalf(half, b, mode); err != nil {
		return fmt.Errorf("write file: %w", errors.Join(err, erase(half)))
	}
	if err := os.Rename(half, path); err != nil {
		return fmt.Errorf("write file: %w", errors.Join(err, erase(half)))
	}
	return syncDir(filepath.Dir(path))
}

// halfExt is what the name of a file that is being written ends in.
const halfExt = ".new"

func writeHalf(path string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

// erase overwrites and removes a file. On a disk that copies on write something
// may be left: what was in it was sealed.
func erase(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, info.Size()))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), os.Remove(path)); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	return syncDir(filepath.Dir(path))
}
