package diskcrypt

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// file is one open file. As vfs.File has it, Write, Sync and Read are called by one goroutine at a
// time, and ReadAt by any.
type file struct {
	base vfs.File
	// block is nil where the header never reached the disk: then all that is there reads as zeros.
	block cipher.Block
	// stream is the key stream after what was written, and nil on a file that is open for reading.
	stream cipher.Stream
	// offset is where the next Read or Write is, in bytes of plaintext.
	offset int64
	// failed is the first write's error: nothing is written after it.
	failed error
}

var errReadOnly = errors.New("file is open for reading")

// Write encrypts p where it lies, which vfs.File allows, and appends it. After an error the file
// takes no more: how much of p reached the disk is unknown, and other bytes at its place would be
// under the same key stream.
func (f *file) Write(p []byte) (int, error) {
	if f.failed != nil {
		return 0, fmt.Errorf("write after a failed write: %w", f.failed)
	}
	if f.stream == nil {
		return 0, errReadOnly
	}
	f.stream.XORKeyStream(p, p)
	n, err := f.base.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	f.offset += int64(n)
	f.failed = err
	return n, err
}

// WriteAt is refused, as [fileSystem.OpenReadWrite] is.
func (f *file) WriteAt([]byte, int64) (int, error) { return 0, vfs.ErrUnsupported }

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	n, err := f.base.Read(p)
	at := f.offset
	f.offset += int64(n)
	if err := f.decrypt(p[:n], at); err != nil {
		return 0, err
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, errors.New("read at a negative offset")
	}
	n, err := f.base.ReadAt(p, headerSize+offset)
	if err := f.decrypt(p[:n], offset); err != nil {
		return 0, err
	}
	return n, err
}

// Stat is the file's own, with the size of its plaintext.
func (f *file) Stat() (vfs.FileInfo, error) {
	info, err := f.base.Stat()
	if err != nil {
		return nil, err
	}
	return plainInfo{info}, nil
}

// Preallocate passes on the range behind the header.
func (f *file) Preallocate(offset, length int64) error {
	return f.base.Preallocate(headerSize+offset, length)
}

// Prefetch passes on the range behind the header.
func (f *file) Prefetch(offset, length int64) error {
	return f.base.Prefetch(headerSize+offset, length)
}

// SyncTo passes on the range with the header.
func (f *file) SyncTo(length int64) (fullSync bool, err error) {
	return f.base.SyncTo(headerSize + length)
}

// What follows does not touch the content, so it is base's own. Pebble uses the descriptor to give
// the kernel advice, never to read or write.

func (f *file) Sync() error     { return f.base.Sync() }
func (f *file) SyncData() error { return f.base.SyncData() }
func (f *file) Close() error    { return f.base.Close() }
func (f *file) Fd() uintptr     { return f.base.Fd() }
