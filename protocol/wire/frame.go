package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"
)

// headerSize is the length prefix of a frame: four bytes, big-endian.
const headerSize = 4

// Errors that ReadFrame, Unmarshal and their callers branch on.
var (
	ErrTooLarge     = errors.New("frame larger than its protocol allows")
	ErrNotCanonical = errors.New("message is not in its one accepted encoding")
)

// WriteFrame writes m to w behind its length, refusing what is over limit.
func WriteFrame(w io.Writer, m proto.Message, limit int) error {
	frame, err := appendFrame(nil, m, limit)
	if err != nil {
		return err
	}
	if _, err := w.Write(frame); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

func appendFrame(b []byte, m proto.Message, limit int) ([]byte, error) {
	size := proto.Size(m)
	if size > limit {
		return nil, fmt.Errorf("%w: %d of %d bytes", ErrTooLarge, size, limit)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
}

// ReadFrame reads one frame of at most limit bytes from r into m. It returns
// io.EOF only where the stream ended between two frames, and
// io.ErrUnexpectedEOF where it ended within one. A reader's error that merely
// wraps io.EOF, as that of a lost connection can, is neither.
func ReadFrame(r io.Reader, m proto.Message, limit int) error {
	var header [headerSize]byte
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
	// The buffer grows with what arrives, not with what was announced.
	var body bytes.Buffer
	if n, err := io.CopyN(&body, r, int64(size)); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read frame of %d bytes after %d: %w", size, n, err)
	}
	return Unmarshal(body.Bytes(), m)
}

// Marshal returns the one accepted encoding of m.
func Marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// Unmarshal parses b into m and refuses whatever Marshal would not have
// written: unknown fields, repeated or reordered ones, overlong numbers. So a
// signature over the bytes is a signature over the meaning.
func Unmarshal(b []byte, m proto.Message) error { return UnmarshalIn(nil, b, m) }

// UnmarshalIn is Unmarshal with memory for its check: as much as b, or the
// check takes its own.
func UnmarshalIn(scratch, b []byte, m proto.Message) error {
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	again, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(scratch[:0], m)
	if err != nil || !bytes.Equal(again, b) || hasUnknown(m.ProtoReflect()) {
		return ErrNotCanonical
	}
	return nil
}
