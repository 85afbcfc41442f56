package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"interlock/protocol/wire"
)

func frame(body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

var badFrames = map[string]struct {
	bytes []byte
	cut   bool // and then the end of the stream
	want  wire.Code
}{
	"larger than the protocol allows": {binary.BigEndian.AppendUint32(nil, uint32(echo.Frame+1)), false, wire.CodeTooLarge},
	"largest length there is":         {[]byte{0xff, 0xff, 0xff, 0xff}, false, wire.CodeTooLarge},
	"cut short":                       {append(frame(8, 1)[:4], 8), true, wire.CodeMalformed},
	"header cut short":                {[]byte{0, 0}, true, wire.CodeMalformed},
	"no message":                      {frame(0xff), false, wire.CodeMalformed},
	"unknown field":                   {frame(16, 1), false, wire.CodeMalformed},
	"overlong number":                 {frame(8, 0x81, 0), false, wire.CodeMalformed},
	"default value written out":       {frame(8, 0), false, wire.CodeMalformed},
}

func TestABadFrameEndsThatStreamAlone(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, member := newHost(t, r, listen), newBare(t)
		r.set(member.peer, wire.Member)
		errs := make(chan error, 1)
		h.Handle(echo, func(ctx context.Context, s *Stream) error {
			err := serveEcho(ctx, s)
			errs <- err
			return err
		})
		good := member.open(t, h, echo)
		for name, test := range badFrames {
			t.Run(name, func(t *testing.T) {
				bad := member.open(t, h, echo)
				if _, err := bad.Write(test.bytes); err != nil {
					t.Fatal(err)
				}
				if test.cut {
					if err := bad.CloseWrite(); err != nil {
						t.Fatal(err)
					}
				}
				wantRefusal(t, receive(t, errs), test.want, byUs)
				wantReset(t, bad, test.want)
			})
		}
		want := frame(8, 7)
		if _, err := good.Write(want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(good, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the other stream: got %x and error %v, want %x", got, err, want)
		}
		if got := count(h, echo.ID, wire.CodeTooLarge, byUs); got != 2 {
			t.Errorf("counted as too large: got %d, want 2", got)
		}
		if got := count(h, echo.ID, wire.CodeMalformed, byUs); got != 6 {
			t.Errorf("counted as malformed: got %d, want 6", got)
		}
	})
}

func TestAnAnswerIsCheckedLikeARequest(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, server := newHost(t, r), newBare(t, listen)
		r.set(server.peer, wire.Member)
		reset := make(chan error, 1)
		server.swarm.SetStreamHandler(func(s network.Stream) {
			if _, err := hear(s); err != nil {
				t.Error(err)
			}
			if _, err := s.Write(append(hello(echo.ID), frame(16, 1)...)); err != nil {
				t.Error(err)
			}
			_, err := io.ReadAll(s)
			reset <- err
		})
		if err := h.SetAddresses(server.peer, []string{server.swarm.ListenAddresses()[0].String()}); err != nil {
			t.Fatal(err)
		}
		s := open(t, h, server.peer, echo)
		wantRefusal(t, s.Receive(&wire.Ack{}), wire.CodeMalformed, byUs)
		if got := peerCode(receive(t, reset)); got != wire.CodeMalformed {
			t.Errorf("code at the other side: got %v, want %v", got, wire.CodeMalformed)
		}
	})
}

func TestASilentPeerTimesOut(t *testing.T) {
	impatient := echo
	impatient.ID, impatient.Idle = "/interlock/test/impatient/1", 50*time.Millisecond
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, silent := newHost(t, r, listen), newBare(t)
		r.set(silent.peer, wire.Member)
		errs, begin := make(chan error, 1), make(chan struct{})
		h.Handle(impatient, func(_ context.Context, s *Stream) error {
			<-begin
			err := s.Receive(&wire.Ack{})
			errs <- err
			return err
		})
		for name, said := range map[string][]byte{"nothing": nil, "half a frame": frame(8, 1)[:5]} {
			t.Run(name, func(t *testing.T) {
				s := silent.open(t, h, impatient)
				if _, err := s.Write(said); err != nil {
					t.Fatal(err)
				}
				begin <- struct{}{}
				wantRefusal(t, receive(t, errs), wire.CodeTimeout, byUs)
				wantReset(t, s, wire.CodeTimeout)
			})
		}
	})
}

func TestAPeerThatDoesNotReadTimesOut(t *testing.T) {
	impatient := echo
	impatient.ID, impatient.Idle, impatient.Frame = "/interlock/test/impatient/1", 50*time.Millisecond, 16*wire.MiB
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, silent := newHost(t, r, listen), newBare(t)
		r.set(silent.peer, wire.Member)
		errs, begin := make(chan error, 1), make(chan struct{})
		h.Handle(impatient, func(_ context.Context, s *Stream) error {
			<-begin
			err := s.Send(&wire.EvaluateResponse{Evaluated: make([]byte, 15*wire.MiB)})
			errs <- err
			return err
		})
		silent.open(t, h, impatient)
		close(begin)
		wantRefusal(t, receive(t, errs), wire.CodeTimeout, byUs)
	})
}

func TestACleanEndIsSeenAsOne(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, other := newHost(t, r, listen), newHost(t, r)
		knows(t, other, h)
		errs := make(chan error, 1)
		h.Handle(echo, func(ctx context.Context, s *Stream) error {
			err := serveEcho(ctx, s)
			errs <- err
			return err
		})
		s := open(t, other, h.Peer(), echo)
		wantEcho(t, s, 1)
		if err := s.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, errs); err != io.EOF {
			t.Errorf("at the handler: got %v, want EOF", err)
		}
		if err := s.Receive(&wire.Ack{}); err != io.EOF {
			t.Errorf("at the opener: got %v, want EOF", err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		if got := append(h.Counts(), other.Counts()...); len(got) != 0 {
			t.Errorf("counted a clean stream as refused: %v", got)
		}
	})
}

func TestAConnKeepsItsOwnDeadlines(t *testing.T) {
	free := wire.Protocol{ID: "/interlock/test/free/1", From: wire.Member, Peer: 1}
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, other := newHost(t, r, listen), newHost(t, r)
		knows(t, other, h)
		h.Handle(free, func(_ context.Context, s *Stream) error {
			c := s.Conn()
			if got, want := c.RemoteAddr().String(), s.Peer().String(); got != want || s.Peer() != other.Peer() {
				t.Errorf("remote address: got %s, want %s", got, want)
			}
			_, err := io.Copy(c, c)
			return err
		})
		c := open(t, other, h.Peer(), free).Conn()
		if err := c.SetReadDeadline(time.Now()); err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		if _, err := c.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("got %v, want a timeout", err)
		}
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		want := slices.Repeat([]byte("raft"), 64*wire.KiB)
		go func() {
			if _, err := c.Write(want); err != nil {
				t.Error(err)
			}
		}()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes and error %v, want what was sent", len(got), err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if _, err := c.Write(want); err == nil {
			t.Error("wrote after close")
		}
	})
}

func TestAHelloThatIsNoneEndsTheStream(t *testing.T) {
	r := newRoster()
	h, peer := newHost(t, r, transports["tcp"]), newBare(t)
	r.set(peer.peer, wire.Member)
	h.Handle(echo, serveEcho)
	for name, said := range map[string][]byte{
		"another version": appendToken(appendToken(nil, "/multistream/2.0.0"), echo.ID),
		"too long":        {0x80, 1},
		"empty":           {0},
		"no newline":      {2, 'a', 'b'},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := peer.dial(t, h)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write(said); err != nil {
				t.Fatal(err)
			}
			wantReset(t, s, wire.CodeMalformed)
		})
	}
}

func FuzzHello(f *testing.F) {
	f.Add(hello(echo.ID))
	f.Add(hello("")[:21])
	f.Add([]byte{0})
	f.Add(appendToken(nil, "/multistream/1.0.0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		id, err := hear(r)
		if err != nil {
			return
		}
		if got := hello(id); !bytes.Equal(got, b[:len(b)-r.Len()]) {
			t.Errorf("heard %q in %q, which says it as %q", id, b, got)
		}
	})
}
