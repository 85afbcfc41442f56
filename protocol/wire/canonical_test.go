package wire

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func wantNotCanonical(t *testing.T, what string, m proto.Message, b []byte) {
	t.Helper()
	if err := Unmarshal(b, empty(m)); !errors.Is(err, ErrNotCanonical) {
		t.Errorf("%s, %s: got %v for %x, want %v", name(m), what, err, b, ErrNotCanonical)
	}
}

// overlong writes the first number of b, a tag below 128, in two bytes.
func overlong(b []byte) []byte {
	return append([]byte{b[0] | 0x80, 0}, b[1:]...)
}

func TestEveryMessageHasOneEncoding(t *testing.T) {
	for _, m := range kinds(t) {
		whole := encode(t, filled(t, m))
		wantNotCanonical(t, "unknown number", m, protowire.AppendVarint(protowire.AppendTag(whole, 1000, protowire.VarintType), 1))
		wantNotCanonical(t, "unknown bytes", m, protowire.AppendBytes(protowire.AppendTag(whole, 1000, protowire.BytesType), nil))
		wantNotCanonical(t, "a group", m, protowire.AppendTag(protowire.AppendTag(whole, 1000, protowire.StartGroupType), 1000, protowire.EndGroupType))
		wantNotCanonical(t, "overlong tag", m, overlong(whole))
		wantNotCanonical(t, "cut short", m, whole[:len(whole)-1])
		var backwards []byte
		for _, fd := range fields(m) {
			one := encode(t, with(t, m, fd))
			if fd.ContainingOneof() == nil {
				backwards = append(bytes.Clone(one), backwards...)
			}
			if !fd.IsList() {
				wantNotCanonical(t, "twice "+string(fd.Name()), m, append(bytes.Clone(one), one...))
			}
			wantFieldInOneForm(t, m, fd, one)
		}
		if len(fields(m)) > 1 && fields(m)[0].ContainingOneof() == nil && fields(m)[1].ContainingOneof() == nil {
			wantNotCanonical(t, "fields backwards", m, backwards)
		}
	}
}

// wantFieldInOneForm checks other ways to write the field fd, which is all that
// the encoding one holds.
func wantFieldInOneForm(t *testing.T, m proto.Message, fd protoreflect.FieldDescriptor, one []byte) {
	t.Helper()
	label := string(fd.Name())
	number := fd.Number()
	switch {
	case fd.IsPacked():
		loose := protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), 7)
		wantNotCanonical(t, "unpacked "+label, m, loose)
		wantNotCanonical(t, "packed but empty "+label, m, protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), nil))
		wantNotCanonical(t, "overlong element of "+label, m, protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), []byte{0x87, 0}))
	case fd.Message() != nil:
		inner := value(t, element(m, fd), fd).Message().Interface()
		bad := append(encode(t, inner), protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 1)...)
		wantNotCanonical(t, "unknown field in "+label, m, protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bad))
	case fd.IsList(): // each element is written, be it empty
	case fd.Kind() == protoreflect.Uint32Kind, fd.Kind() == protoreflect.Uint64Kind:
		tag := protowire.AppendTag(nil, number, protowire.VarintType)
		wantNotCanonical(t, "default of "+label, m, append(bytes.Clone(tag), 0))
		wantNotCanonical(t, "overlong "+label, m, append(bytes.Clone(tag), 0x81, 0))
		wantNotCanonical(t, "fixed-width "+label, m, protowire.AppendFixed32(protowire.AppendTag(nil, number, protowire.Fixed32Type), 1))
		if fd.Kind() == protoreflect.Uint32Kind {
			wantNotCanonical(t, "too wide "+label, m, protowire.AppendVarint(bytes.Clone(tag), 1<<32|1))
		}
	default:
		tag := protowire.AppendTag(nil, number, protowire.BytesType)
		wantNotCanonical(t, "default of "+label, m, append(bytes.Clone(tag), 0))
		wantNotCanonical(t, "overlong length of "+label, m, append(bytes.Clone(tag), 0x81, 0, 'x'))
		if fd.Kind() == protoreflect.StringKind {
			wantNotCanonical(t, "no UTF-8 in "+label, m, append(bytes.Clone(tag), 1, 0xff))
		}
	}
	if err := Unmarshal(one, empty(m)); err != nil {
		t.Errorf("%s, %s alone: %v", name(m), label, err)
	}
}
