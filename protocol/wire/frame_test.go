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
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

const limit = 64 * KiB

func TestAFrameComesOutAsItWentIn(t *testing.T) {
	for _, m := range kinds(t) {
		for _, want := range []proto.Message{empty(m), filled(t, m)} {
			var b bytes.Buffer
			if err := errors.Join(new(Frames).Write(&b, want, limit), new(Frames).Write(&b, want, limit)); err != nil {
				t.Fatalf("%s: %v", name(m), err)
			}
			for r := iotest.OneByteReader(&b); ; {
				got := empty(m)
				err := new(Frames).Read(r, got, limit)
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
		if err := new(Frames).Write(&b, m, size-1); !errors.Is(err, ErrTooLarge) || b.Len() > 0 {
			t.Errorf("write %s: got error %v and %d bytes, want %v and none", name(m), err, b.Len(), ErrTooLarge)
		}
		if err := new(Frames).Write(&b, m, size); err != nil {
			t.Fatalf("%s: %v", name(m), err)
		}
		frame := b.Bytes()
		if err := new(Frames).Read(bytes.NewReader(frame), empty(m), size-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("read %s: got %v, want %v", name(m), err, ErrTooLarge)
		}
		if err := new(Frames).Read(bytes.NewReader(frame), empty(m), size); err != nil {
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
		if err := new(Frames).Read(bytes.NewReader(announced), &Ack{}, math.MaxInt32); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("got %v, want %v", err, io.ErrUnexpectedEOF)
		}
	}
	runtime.ReadMemStats(&after)
	got := (after.TotalAlloc - before.TotalAlloc) / runs
	if most := uint64(frameFirst + KiB); got > most {
		t.Errorf("bytes allocated: got %d, want at most %d", got, most)
	}
}

func TestATruncatedFrameIsNotAnEnd(t *testing.T) {
	for _, m := range kinds(t) {
		var b bytes.Buffer
		if err := new(Frames).Write(&b, filled(t, m), limit); err != nil {
			t.Fatal(err)
		}
		frame := b.Bytes()
		for n := range frame {
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			if err := new(Frames).Read(bytes.NewReader(frame[:n]), empty(m), limit); !errors.Is(err, want) || (err == io.EOF) != (n == 0) {
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
		err := new(Frames).Read(r, &Ack{}, limit)
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
	if err := new(Frames).Write(w, &Ack{Number: 1}, limit); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want %v", err, io.ErrClosedPipe)
	}
}

func FuzzReadFrame(f *testing.F) {
	all := kinds(f)
	for i, m := range all {
		for _, m := range []proto.Message{empty(m), filled(f, m)} {
			var b bytes.Buffer
			if err := new(Frames).Write(&b, m, limit); err != nil {
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
		if err := new(Frames).Read(r, m, limit); err != nil {
			return
		}
		var again bytes.Buffer
		if err := new(Frames).Write(&again, m, limit); err != nil {
			t.Fatal(err)
		}
		if read := b[:len(b)-r.Len()]; !bytes.Equal(again.Bytes(), read) {
			t.Errorf("%s: read %x, written again as %x", name(m), read, again.Bytes())
		}
	})
}
