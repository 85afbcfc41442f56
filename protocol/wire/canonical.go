package wire

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// ErrNotCanonical says that bytes are not what Marshal would have written.
var ErrNotCanonical = errors.New("message is not in its one accepted encoding")

// Marshal returns the one accepted encoding of m.
func Marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// Unmarshal parses b into m and refuses whatever Marshal would not have
// written: unknown fields, repeated or reordered ones, overlong numbers. So a
// signature over the bytes is a signature over the meaning.
func Unmarshal(b []byte, m proto.Message) error { return unmarshalIn(nil, b, m) }

// unmarshalIn is Unmarshal with memory for its check: as much as b, or the
// check takes its own.
func unmarshalIn(scratch, b []byte, m proto.Message) error {
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	again, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(scratch[:0], m)
	if err != nil || !bytes.Equal(again, b) || hasUnknown(m.ProtoReflect()) {
		return ErrNotCanonical
	}
	return nil
}
