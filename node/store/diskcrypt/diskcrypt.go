// Package diskcrypt is a Pebble file system whose files cannot be read without the node's disk key.
//
// It lies between Pebble and another vfs.FS. Every file starts with a header that holds a random
// nonce; the rest is AES-256 in counter mode (NIST SP 800-38A §6.5) under a key derived from the
// disk key and that nonce (HKDF-SHA256, RFC 5869). Only the package store opens one.
//
// What it promises. Whoever has the disk, or copies of it from several days, learns no byte of what
// Pebble wrote. For that no stretch of a key stream is ever used twice: a file is written once, from
// its start to its end; its nonce is never used for another; reusing a file starts a fresh one;
// opening for reading and writing is refused; and a file whose write failed takes no more. What was
// synced survives a crash as it does on the file system below, and what that file system left as a
// hole reads as zeros, up to 15 bytes next to the hole that may read as noise.
//
// What it does not promise. It keeps secrets, it does not detect tampering: who can write to the
// disk can put back an older file, exchange files, or flip chosen bits, and Pebble's checksums are
// not a defence, because a checksum without a key can be computed anew. A node takes its own disk
// for honest, as it takes its own processor; backups are sealed and authenticated elsewhere. File
// names, sizes and times stay in clear: how much is stored and when it was written shows. So do
// Pebble's LOCK file, which is empty, and the markers, whose names are their content. Memory, swap
// and core dumps are not its business. A secondary WAL directory or a remote object store has a
// file system of its own, which must be wrapped too.
package diskcrypt

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	// ErrWrongKey says that the file was written under another disk key. Nothing was written.
	ErrWrongKey = errors.New("written under another disk key")
	// ErrNotEncrypted says that the file was not written through this package.
	ErrNotEncrypted = errors.New("not an encrypted file")
	// ErrDamaged says that the file's header was altered.
	ErrDamaged = errors.New("encrypted file's header is damaged")
)

// New returns a file system that keeps on base, under the key, what is written to it.
//
// A retry on a full disk (vfs.OnDiskFull) belongs below it, in base: a file whose write failed
// takes no more. Where base already holds files under another key, opening any of them is
// [ErrWrongKey]; pebble.Open reads the manifest before it writes anything but its LOCK.
func New(base vfs.FS, key [32]byte) vfs.FS { return &fileSystem{base: base, key: key} }

// fileSystem names every method of vfs.FS, so that a method that a later Pebble adds does not reach
// the bare files unseen.
type fileSystem struct {
	base vfs.FS
	key  [32]byte
}

// Format prints a placeholder, because the key is inside.
func (fs *fileSystem) Format(s fmt.State, _ rune) { fmt.Fprint(s, "[encrypted file system]") }

// Create makes a file with a nonce of its own. The header is not synced: it is part of what the
// caller's first sync makes durable, and without it nothing of the file was.
func (fs *fileSystem) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	var n nonce
	if _, err := rand.Read(n[:]); err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	k, err := deriveFileKey(fs.key, n)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	base, err := fs.base.Create(name, category)
	if err != nil {
		return nil, err
	}
	if _, err := base.Write(k.header(n)); err != nil {
		return nil, errors.Join(fmt.Errorf("write header of %s: %w", name, err), base.Close(), fs.base.Remove(name))
	}
	return &file{base: base, block: k.block, stream: k.streamAt(0)}, nil
}

// Open reads the header and refuses a file of another key. A file without one, cut short or zero
// because a crash came before the first sync, holds nothing and opens as what is left of it.
func (fs *fileSystem) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	base, err := fs.base.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	f, err := fs.open(base)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), base.Close())
	}
	return f, nil
}

func (fs *fileSystem) open(base vfs.File) (vfs.File, error) {
	info, err := base.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return base, nil
	}
	header := make([]byte, headerSize)
	n, err := io.ReadFull(base, header)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	k, err := parseHeader(fs.key, header[:n])
	if errors.Is(err, errTorn) {
		return &file{base: base}, nil
	}
	if err != nil {
		return nil, err
	}
	return &file{base: base, block: k.block}, nil
}

// OpenReadWrite is refused: writing over what was written would use a key stream twice. Pebble asks
// for it only for a cache of remote objects.
func (fs *fileSystem) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return nil, fmt.Errorf("open %s for reading and writing: %w", name, vfs.ErrUnsupported)
}

// ReuseForWrite removes oldname and creates newname, which vfs.FS allows: writing over an old log
// would use its key stream twice.
func (fs *fileSystem) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.base.Remove(oldname); err != nil {
		return nil, err
	}
	return fs.Create(newname, category)
}

// Stat is the file's own, with the size of its plaintext.
func (fs *fileSystem) Stat(name string) (vfs.FileInfo, error) {
	info, err := fs.base.Stat(name)
	if err != nil || info.IsDir() {
		return info, err
	}
	return plainInfo{info}, nil
}

// plainInfo takes the header off the size.
type plainInfo struct{ vfs.FileInfo }

func (i plainInfo) Size() int64 { return max(0, i.FileInfo.Size()-headerSize) }

// What follows does not touch a file's content, so it is base's own.

func (fs *fileSystem) Link(oldname, newname string) error    { return fs.base.Link(oldname, newname) }
func (fs *fileSystem) OpenDir(name string) (vfs.File, error) { return fs.base.OpenDir(name) }
func (fs *fileSystem) Remove(name string) error              { return fs.base.Remove(name) }
func (fs *fileSystem) RemoveAll(name string) error           { return fs.base.RemoveAll(name) }
func (fs *fileSystem) Rename(oldname, newname string) error  { return fs.base.Rename(oldname, newname) }
func (fs *fileSystem) MkdirAll(dir string, perm os.FileMode) error {
	return fs.base.MkdirAll(dir, perm)
}
func (fs *fileSystem) Lock(name string) (io.Closer, error) { return fs.base.Lock(name) }
func (fs *fileSystem) List(dir string) ([]string, error)   { return fs.base.List(dir) }
func (fs *fileSystem) PathBase(path string) string         { return fs.base.PathBase(path) }
func (fs *fileSystem) PathJoin(elem ...string) string      { return fs.base.PathJoin(elem...) }
func (fs *fileSystem) PathDir(path string) string          { return fs.base.PathDir(path) }
func (fs *fileSystem) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	return fs.base.GetDiskUsage(path)
}
func (fs *fileSystem) Unwrap() vfs.FS { return fs.base }
