package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
)

// ErrTooLarge says that a frame is over its limit.
var ErrTooLarge = errors.New("frame larger than its protocol allows")

const (
	// frameHeader is the length prefix of a frame, big-endian.
	frameHeader = 4
	// frameBuffer holds the largest request and the largest batch.
	frameBuffer = frameHeader + 256*KiB
	// frameFirst is what a peer gets for a mere announcement, and frameSecond
	// what it gets when that much has come; when that has come too, a buffer.
	frameFirst  = 8 * KiB
	frameSecond = 32 * KiB
)

// Frames reads and writes frames, in memory that is lent for one frame and used
// again: what a message keeps, it has copied. The zero value is ready, and may
// be used from any goroutine.
type Frames struct{ pool sync.Pool }

// Write writes m to w in one piece behind its length, and refuses with
// ErrTooLarge what is over limit.
func (f *Frames) Write(w io.Writer, m proto.Message, limit int) error {
	size := proto.Size(m)
	if size > limit {
		return fmt.Errorf("%w: %d of %d bytes", ErrTooLarge, size, limit)
	}
	var frame []byte
	switch whole := frameHeader + size; {
	case whole <= frameFirst: // the write may wait long, and holds what it has
		frame = make([]byte, 0, whole)
	case whole <= frameBuffer:
		lent := f.get()
		defer f.put(lent)
		frame = lent[:0]
	}
	frame = binary.BigEndian.AppendUint32(frame, uint32(size))
	frame, err := proto.MarshalOptions{Deterministic: true, UseCachedSize: true}.MarshalAppend(frame, m)
	if err != nil {
		return err
	}
	if _, err := w.Write(frame); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// Read reads one frame of at most limit bytes from r into m. It returns
// io.EOF only where the stream ended between two frames, and
// io.ErrUnexpectedEOF where it ended within one. A reader's error that merely
// wraps io.EOF, as that of a lost connection can, is neither.
func (f *Frames) Read(r io.Reader, m proto.Message, limit int) error {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		if err == io.EOF {
			return io.EOF
		}
		return fmt.Errorf("read frame header: %w", err)
	}
	size := binary.BigEndian.Uint32(header[:])
	if int64(size) > int64(limit) {
		return fmt.Errorf("%w: %d of %d bytes", ErrTooLarge, size, limit)
	}
	return f.readBody(r, m, int(size))
}

// readBody takes memory as the body arrives, not as it was announced: in steps,
// of which each must be full before the next is taken.
func (f *Frames) readBody(r io.Reader, m proto.Message, size int) error {
	body := make([]byte, 0, min(size, frameFirst))
	for len(body) < size {
		had, next := len(body), min(size, frameFirst)
		switch {
		case had == 0:
		case had < frameSecond:
			next = min(size, frameSecond)
		default:
			next = min(size, max(2*had, frameBuffer))
		}
		if had == frameSecond {
			lent := f.get()
			defer f.put(lent)
			body = append(lent[:0], body...)
		}
		body = slices.Grow(body, next-had)[:next]
		if n, err := io.ReadFull(r, body[had:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("read frame of %d bytes after %d: %w", size, had+n, err)
		}
	}
	if size <= frameFirst || size > frameBuffer {
		return Unmarshal(body, m)
	}
	check := f.get() // nobody is waited for from here on
	defer f.put(check)
	return unmarshalIn(check[:0], body, m)
}

func (f *Frames) get() *[frameBuffer]byte {
	if one, ok := f.pool.Get().(*[frameBuffer]byte); ok {
		return one
	}
	return new([frameBuffer]byte)
}

func (f *Frames) put(one *[frameBuffer]byte) { f.pool.Put(one) }
