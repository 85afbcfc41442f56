package wire

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// kinds returns an empty message of every type of wire.proto, in its order.
func kinds(t testing.TB) []proto.Message {
	t.Helper()
	var all []proto.Message
	for messages, i := File_wire_proto.Messages(), 0; i < messages.Len(); i++ {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(messages.Get(i).FullName())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, kind.New().Interface())
	}
	return all
}

func name(m proto.Message) string { return string(m.ProtoReflect().Descriptor().Name()) }

func empty(m proto.Message) proto.Message { return m.ProtoReflect().New().Interface() }

// fields returns the fields of m's type.
func fields(m proto.Message) []protoreflect.FieldDescriptor {
	var all []protoreflect.FieldDescriptor
	for fds, i := m.ProtoReflect().Descriptor().Fields(), 0; i < fds.Len(); i++ {
		all = append(all, fds.Get(i))
	}
	return all
}

// with returns a message of m's type that has fd alone set, to a value that is
// not its default and holds such values in turn.
func with(t testing.TB, m proto.Message, fd protoreflect.FieldDescriptor) proto.Message {
	t.Helper()
	r := m.ProtoReflect().New()
	set(t, r, fd)
	return r.Interface()
}

// filled returns a message of m's type with every field set; of a oneof the
// last.
func filled(t testing.TB, m proto.Message) proto.Message {
	t.Helper()
	r := m.ProtoReflect().New()
	for _, fd := range fields(m) {
		set(t, r, fd)
	}
	return r.Interface()
}

func set(t testing.TB, r protoreflect.Message, fd protoreflect.FieldDescriptor) {
	t.Helper()
	if !fd.IsList() {
		r.Set(fd, value(t, r.NewField(fd), fd))
		return
	}
	list := r.Mutable(fd).List()
	for range 2 {
		list.Append(value(t, list.NewElement(), fd))
	}
}

// element returns an empty value of the field fd, or of one element of it.
func element(m proto.Message, fd protoreflect.FieldDescriptor) protoreflect.Value {
	blank := m.ProtoReflect().New().NewField(fd)
	if fd.IsList() {
		return blank.List().NewElement()
	}
	return blank
}

func value(t testing.TB, blank protoreflect.Value, fd protoreflect.FieldDescriptor) protoreflect.Value {
	t.Helper()
	switch fd.Kind() {
	case protoreflect.MessageKind:
		return protoreflect.ValueOfMessage(filled(t, blank.Message().Interface()).ProtoReflect())
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(1 << 20)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(1 << 40)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("Denver")
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 1, 0xff})
	}
	t.Fatalf("no sample for %s: a new kind of field needs one here", fd.FullName())
	return protoreflect.Value{}
}

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
