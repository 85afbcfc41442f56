package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
)

const limit = 64 * KiB

func TestAFrameComesOutAsItWentIn(t *testing.T) {
	for _, m := range kinds(t) {
		for _, want := range []proto.Message{empty(m), filled(t, m)} {
			var b bytes.Buffer
			if err := errors.Join(WriteFrame(&b, want, limit), WriteFrame(&b, want, limit)); err != nil {
				t.Fatalf("%s: %v", name(m), err)
			}
			for r := iotest.OneByteReader(&b); ; {
				got := empty(m)
				err := ReadFrame(r, got, limit)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v", name(m), err)
				}
				if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name(m), diff)
				}
			}
		}
	}
}

func TestAFrameOverTheLimitIsNeitherWrittenNorRead(t *testing.T) {
	for _, m := range kinds(t) {
		m = filled(t, m)
		size := proto.Size(m)
		var b bytes.Buffer
		if err := WriteFrame(&b, m, size-1); !errors.Is(err, ErrTooLarge) || b.Len() > 0 {
			t.Errorf("write %s: got error %v and %d bytes, want %v and none", name(m), err, b.Len(), ErrTooLarge)
		}
		if err := WriteFrame(&b, m, size); err != nil {
			t.Fatalf("%s: %v", name(m), err)
		}
		frame := b.Bytes()
		if err := ReadFrame(bytes.NewReader(frame), empty(m), size-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("read %s: got %v, want %v", name(m), err, ErrTooLarge)
		}
		if err := ReadFrame(bytes.NewReader(frame), empty(m), size); err != nil {
			t.Errorf("read %s at its limit: %v", name(m), err)
		}
	}
}

func TestNoMemoryIsTakenForWhatIsOnlyAnnounced(t *testing.T) {
	announced := binary.BigEndian.AppendUint32(nil, math.MaxInt32)
	const runs = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		if err := ReadFrame(bytes.NewReader(announced), &Ack{}, math.MaxInt32); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("got %v, want %v", err, io.ErrUnexpectedEOF)
		}
	}
	runtime.ReadMemStats(&after)
	got := (after.TotalAlloc - before.TotalAlloc) / runs
	if got > 4*KiB {
		t.Errorf("bytes allocated: got %d, want at most %d", got, 4*KiB)
	}
}

func TestATruncatedFrameIsNotAnEnd(t *testing.T) {
	for _, m := range kinds(t) {
		var b bytes.Buffer
		if err := WriteFrame(&b, filled(t, m), limit); err != nil {
			t.Fatal(err)
		}
		frame := b.Bytes()
		for n := range frame {
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			if err := ReadFrame(bytes.NewReader(frame[:n]), empty(m), limit); !errors.Is(err, want) || (err == io.EOF) != (n == 0) {
				t.Errorf("%s, %d of %d bytes: got %v, want %v", name(m), n, len(frame), err, want)
			}
		}
	}
}

// A muxer's error for a lost connection wraps the io.EOF of the socket.
func TestALostConnectionIsNotAnEnd(t *testing.T) {
	lost := fmt.Errorf("stream reset: connection closed: %w", io.EOF)
	frame := []byte{0, 0, 0, 2, 8, 1}
	for n := range frame {
		r := io.MultiReader(bytes.NewReader(frame[:n]), iotest.ErrReader(lost))
		err := ReadFrame(r, &Ack{}, limit)
		if !errors.Is(err, lost) || err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: got %v, want %v", n, err, lost)
		}
	}
}

func TestAFailedWriteIsAnError(t *testing.T) {
	r, w := io.Pipe()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := WriteFrame(w, &Ack{Number: 1}, limit); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want %v", err, io.ErrClosedPipe)
	}
}

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

func FuzzReadFrame(f *testing.F) {
	all := kinds(f)
	for i, m := range all {
		for _, m := range []proto.Message{empty(m), filled(f, m)} {
			var b bytes.Buffer
			if err := WriteFrame(&b, m, limit); err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), b.Bytes())
		}
	}
	f.Add(uint8(0), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(uint8(0), []byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		m := empty(all[int(kind)%len(all)])
		r := bytes.NewReader(b)
		if err := ReadFrame(r, m, limit); err != nil {
			return
		}
		var again bytes.Buffer
		if err := WriteFrame(&again, m, limit); err != nil {
			t.Fatal(err)
		}
		if read := b[:len(b)-r.Len()]; !bytes.Equal(again.Bytes(), read) {
			t.Errorf("%s: read %x, written again as %x", name(m), read, again.Bytes())
		}
	})
}
