package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/wire"
)

// sizes lie around the steps in which a frame is read.
var sizes = []int{0, 1, frameFirst - 6, frameFirst, frameFirst + 1, frameBuffer - 20, frameBuffer, frameBuffer + 1, 3*frameBuffer + 5}

func TestFramesAreThoseOfWire(t *testing.T) {
	var b buffers
	for _, size := range sizes {
		m := &wire.EvaluateResponse{Evaluated: bytes.Repeat([]byte{7}, size)}
		var ours, theirs bytes.Buffer
		if err := errors.Join(b.writeFrame(&ours, m, wire.MiB), wire.WriteFrame(&theirs, m, wire.MiB)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours.Bytes(), theirs.Bytes()) {
			t.Errorf("%d bytes: another frame than wire's", size)
		}
		for _, r := range []io.Reader{bytes.NewReader(ours.Bytes()), iotest.HalfReader(bytes.NewReader(ours.Bytes()))} {
			got := new(wire.EvaluateResponse)
			if err := b.readFrame(r, got, wire.MiB); err != nil || !proto.Equal(got, m) {
				t.Errorf("%d bytes: got %d and error %v", size, len(got.Evaluated), err)
			}
		}
		if err := b.writeFrame(io.Discard, m, proto.Size(m)-1); !errors.Is(err, wire.ErrTooLarge) {
			t.Errorf("%d bytes over the limit: got %v, want %v", size, err, wire.ErrTooLarge)
		}
	}
}

// What a message keeps must not change when the memory is used again.
func TestAMessageOutlivesTheMemoryOfItsFrame(t *testing.T) {
	var b buffers
	var all []*wire.EvaluateResponse
	var stream bytes.Buffer
	for i := range 50 {
		m := &wire.EvaluateResponse{Evaluated: bytes.Repeat([]byte{byte(i)}, 2*frameFirst)}
		if err := b.writeFrame(&stream, m, wire.MiB); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		m := new(wire.EvaluateResponse)
		if err := b.readFrame(&stream, m, wire.MiB); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	for i, m := range all {
		if want := bytes.Repeat([]byte{byte(i)}, 2*frameFirst); !bytes.Equal(m.Evaluated, want) {
			t.Errorf("message %d has changed", i)
		}
	}
}

func TestAnnouncedMemoryIsNotTaken(t *testing.T) {
	var b buffers
	header := binary.BigEndian.AppendUint32(nil, 16*wire.MiB)
	grown := testing.AllocsPerRun(1, func() {
		r := io.MultiReader(bytes.NewReader(header), bytes.NewReader(make([]byte, frameFirst-1)))
		if err := b.readFrame(r, new(wire.EvaluateResponse), 16*wire.MiB); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("got %v, want %v", err, io.ErrUnexpectedEOF)
		}
	})
	if b.pool.Get() != nil {
		t.Errorf("took a whole buffer (%v allocations) for an announcement", grown)
	}
}

func TestASmallFrameBorrowsNothing(t *testing.T) {
	var b buffers
	for _, m := range []proto.Message{&wire.Ack{Number: 1}, &wire.EvaluateResponse{Evaluated: make([]byte, frameFirst-16)}} {
		if err := b.writeFrame(io.Discard, m, wire.MiB); err != nil {
			t.Fatal(err)
		}
		if b.pool.Get() != nil {
			t.Errorf("a frame of %d bytes took a whole buffer", proto.Size(m))
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(frame(8, 1))
	f.Add(frame())
	f.Add(frame(8, 0))
	f.Add([]byte{0, 0, 0, 9, 8})
	f.Fuzz(func(t *testing.T, data []byte) {
		var b buffers
		ours, theirs := new(wire.Ack), new(wire.Ack)
		err := b.readFrame(bytes.NewReader(data), ours, 64)
		want := wire.ReadFrame(bytes.NewReader(data), theirs, 64)
		if (err == nil) != (want == nil) || (err == io.EOF) != (want == io.EOF) || !proto.Equal(ours, theirs) {
			t.Fatalf("got %v and %v, wire has %v and %v", ours, err, theirs, want)
		}
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := b.writeFrame(&again, ours, 64); err != nil || !bytes.Equal(again.Bytes(), data[:again.Len()]) {
			t.Errorf("read %x, which is written as %x (%v)", data, again.Bytes(), err)
		}
	})
}
