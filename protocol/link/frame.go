package link

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/wire"
)

// Frames are those of wire.WriteFrame and wire.ReadFrame, in memory that is
// used again: what a message keeps, it has copied.
const (
	frameHeader = 4
	// frameBuffer holds the largest request and the largest batch.
	frameBuffer = frameHeader + maxRequest
	// frameFirst is what a peer gets for a mere announcement, and frameSecond
	// what it gets when that much has come; when that has come too, a buffer.
	frameFirst  = 8 * wire.KiB
	frameSecond = 32 * wire.KiB
)

// buffers are lent for one frame. The zero value is ready.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[frameBuffer]byte {
	if one, ok := b.pool.Get().(*[frameBuffer]byte); ok {
		return one
	}
	return new([frameBuffer]byte)
}

func (b *buffers) put(one *[frameBuffer]byte) { b.pool.Put(one) }

// writeFrame writes m in one piece behind its length.
func (b *buffers) writeFrame(w io.Writer, m proto.Message, limit int) error {
	size := proto.Size(m)
	if size > limit {
		return fmt.Errorf("%w: %d of %d bytes", wire.ErrTooLarge, size, limit)
	}
	var frame []byte
	switch whole := frameHeader + size; {
	case whole <= frameFirst: // the write may wait long, and holds what it has
		frame = make([]byte, 0, whole)
	case whole <= frameBuffer:
		lent := b.get()
		defer b.put(lent)
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

// readFrame reads one frame into m, as wire.ReadFrame does.
func (b *buffers) readFrame(r io.Reader, m proto.Message, limit int) error {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		if err == io.EOF {
			return io.EOF
		}
		return fmt.Errorf("read frame header: %w", err)
	}
	size := binary.BigEndian.Uint32(header[:])
	if int64(size) > int64(limit) {
		return fmt.Errorf("%w: %d of %d bytes", wire.ErrTooLarge, size, limit)
	}
	return b.readBody(r, m, int(size))
}

// readBody takes memory as the body arrives, not as it was announced: in steps,
// of which each must be full before the next is taken.
func (b *buffers) readBody(r io.Reader, m proto.Message, size int) error {
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
			lent := b.get()
			defer b.put(lent)
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
		return wire.Unmarshal(body, m)
	}
	check := b.get() // nobody is waited for from here on
	defer b.put(check)
	return wire.UnmarshalIn(check[:0], body, m)
}
