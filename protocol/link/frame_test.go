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
var sizes = []int{0, 1, frameFirst - 6, frameFirst, frameFirst + 1, frameSecond - 6, frameSecond, frameSecond + 1, frameBuffer - 20, frameBuffer, frameBuffer + 1, 3*frameBuffer + 5}

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
	tests := []struct {
		announced, came int
		want            int // buffers, at most
	}{
		{16 * wire.MiB, frameFirst - 1, 0},
		{16 * wire.MiB, frameFirst, 0},
		{frameBuffer, frameSecond - 1, 0},
		{frameSecond, frameSecond - 1, 0},
		{frameBuffer, frameSecond, 1},
		{frameBuffer, frameBuffer - 1, 1},
	}
	for _, test := range tests {
		var b buffers
		header := binary.BigEndian.AppendUint32(nil, uint32(test.announced))
		r := io.MultiReader(bytes.NewReader(header), bytes.NewReader(make([]byte, test.came)))
		if err := b.readFrame(r, new(wire.EvaluateResponse), 16*wire.MiB); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d of %d bytes: got %v, want %v", test.came, test.announced, err, io.ErrUnexpectedEOF)
		}
		got := 0
		for b.pool.Get() != nil {
			got++
		}
		if got > test.want {
			t.Errorf("%d of %d bytes: took %d buffers, want at most %d", test.came, test.announced, got, test.want)
		}
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
