package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"
)

// sizes lie around the steps in which a frame is read.
var sizes = []int{0, 1, frameFirst - 6, frameFirst, frameFirst + 1, frameSecond - 6, frameSecond, frameSecond + 1, frameBuffer - 20, frameBuffer, frameBuffer + 1, 3*frameBuffer + 5}

func TestFramesOfEverySizeComeOutAsTheyWentIn(t *testing.T) {
	var frames Frames
	for _, size := range sizes {
		m := &EvaluateResponse{Evaluated: bytes.Repeat([]byte{7}, size)}
		var b bytes.Buffer
		if err := frames.Write(&b, m, MiB); err != nil {
			t.Fatal(err)
		}
		if want := append(binary.BigEndian.AppendUint32(nil, uint32(proto.Size(m))), encode(t, m)...); !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%d bytes: another frame than length and message", size)
		}
		for _, r := range []io.Reader{bytes.NewReader(b.Bytes()), iotest.HalfReader(bytes.NewReader(b.Bytes()))} {
			got := new(EvaluateResponse)
			if err := frames.Read(r, got, MiB); err != nil || !proto.Equal(got, m) {
				t.Errorf("%d bytes: got %d and error %v", size, len(got.Evaluated), err)
			}
		}
		if err := frames.Write(io.Discard, m, proto.Size(m)-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes over the limit: got %v, want %v", size, err, ErrTooLarge)
		}
	}
}

// What a message keeps must not change when the memory is used again.
func TestAMessageOutlivesTheMemoryOfItsFrame(t *testing.T) {
	var frames Frames
	var all []*EvaluateResponse
	var stream bytes.Buffer
	for i := range 50 {
		m := &EvaluateResponse{Evaluated: bytes.Repeat([]byte{byte(i)}, 2*frameFirst)}
		if err := frames.Write(&stream, m, MiB); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		m := new(EvaluateResponse)
		if err := frames.Read(&stream, m, MiB); err != nil {
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
		{16 * MiB, frameFirst - 1, 0},
		{16 * MiB, frameFirst, 0},
		{frameBuffer, frameSecond - 1, 0},
		{frameSecond, frameSecond - 1, 0},
		{frameBuffer, frameSecond, 1},
		{frameBuffer, frameBuffer - 1, 1},
	}
	for _, test := range tests {
		var frames Frames
		header := binary.BigEndian.AppendUint32(nil, uint32(test.announced))
		r := io.MultiReader(bytes.NewReader(header), bytes.NewReader(make([]byte, test.came)))
		if err := frames.Read(r, new(EvaluateResponse), 16*MiB); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d of %d bytes: got %v, want %v", test.came, test.announced, err, io.ErrUnexpectedEOF)
		}
		got := 0
		for frames.pool.Get() != nil {
			got++
		}
		if got > test.want {
			t.Errorf("%d of %d bytes: took %d buffers, want at most %d", test.came, test.announced, got, test.want)
		}
	}
}

func TestASmallFrameBorrowsNothing(t *testing.T) {
	var frames Frames
	for _, m := range []proto.Message{&Ack{Number: 1}, &EvaluateResponse{Evaluated: make([]byte, frameFirst-16)}} {
		if err := frames.Write(io.Discard, m, MiB); err != nil {
			t.Fatal(err)
		}
		if frames.pool.Get() != nil {
			t.Errorf("a frame of %d bytes took a whole buffer", proto.Size(m))
		}
	}
}
