package wire

import "google.golang.org/protobuf/reflect/protoreflect"

// hasUnknown reports whether m, or a message inside it, carries a field that
// this version does not know.
func hasUnknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil {
			return true
		}
		if fd.IsList() {
			list := v.List()
			for i := 0; i < list.Len() && !found; i++ {
				found = hasUnknown(list.Get(i).Message())
			}
			return !found
		}
		found = hasUnknown(v.Message())
		return !found
	})
	return found
}
