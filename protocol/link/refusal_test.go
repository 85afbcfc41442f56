package link

import (
	"context"
	"errors"
	"net"
	"testing"

	"interlock/protocol/wire"
)

// answer is an error of a handler, and the code that is to come of it.
type answer struct {
	err  error
	want wire.Code
}

func allAnswers() map[string]answer {
	answers := map[string]answer{
		"an error of its own":     {errors.New("disk full"), wire.CodeUnavailable},
		"a message not canonical": {wire.ErrNotCanonical, wire.CodeMalformed},
		"a frame too large":       {wire.ErrTooLarge, wire.CodeTooLarge},
	}
	for c := wire.CodeRefused; c <= wire.CodeTimeout; c++ {
		answers[c.String()] = answer{wire.Refuse(c, errors.New("because")), c}
	}
	return answers
}

func TestTheRefusalCodeReachesThePeer(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, other := newHost(t, r, listen), newHost(t, r)
		knows(t, other, h)
		for name, answer := range allAnswers() {
			t.Run(name, func(t *testing.T) {
				h.Handle(echo, func(_ context.Context, s *Stream) error {
					if err := s.Receive(&wire.Ack{}); err != nil {
						return err
					}
					return answer.err
				})
				before := count(other, echo.ID, answer.want, byPeer)
				s := open(t, other, h.Peer(), echo)
				if err := s.Send(&wire.Ack{Number: 1}); err != nil {
					t.Fatal(err)
				}
				wantRefusal(t, s.Receive(&wire.Ack{}), answer.want, byPeer)
				wantRefusal(t, s.Receive(&wire.Ack{}), answer.want, byPeer)
				wantRefusal(t, s.Send(&wire.Ack{}), answer.want, byPeer)
				if got := count(other, echo.ID, answer.want, byPeer); got != before+1 {
					t.Errorf("counted here: got %d, want %d", got, before+1)
				}
			})
		}
		if err := h.Close(); err != nil { // which waits for the handlers
			t.Fatal(err)
		}
		for _, answer := range allAnswers() {
			if there, here := count(h, echo.ID, answer.want, byUs), count(other, echo.ID, answer.want, byPeer); there != here {
				t.Errorf("%v: counted %d times there and %d times here", answer.want, there, here)
			}
		}
	})
}

func TestEveryCallAfterARefusalReturnsIt(t *testing.T) {
	calls := map[string]func(*Stream) error{
		"send":        func(s *Stream) error { return s.Send(&wire.Ack{Number: 1}) },
		"receive":     func(s *Stream) error { return s.Receive(&wire.Ack{}) },
		"close write": (*Stream).CloseWrite,
		"read":        func(s *Stream) error { _, err := s.Conn().Read(make([]byte, 1)); return err },
		"write":       func(s *Stream) error { _, err := s.Conn().Write(make([]byte, 1)); return err },
	}
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, other := newHost(t, r, listen), newHost(t, r)
		knows(t, other, h)
		h.Handle(echo, func(_ context.Context, s *Stream) error {
			if err := s.Receive(&wire.Ack{}); err != nil {
				return err
			}
			return wire.Refuse(wire.CodeGap, nil)
		})
		for name, call := range calls {
			t.Run(name, func(t *testing.T) {
				s := open(t, other, h.Peer(), echo)
				if err := s.Send(&wire.Ack{Number: 1}); err != nil {
					t.Fatal(err)
				}
				// Nothing was received yet, so the call is the first to hear of it.
				if _, err := s.raw.Read(make([]byte, 1)); peerCode(err) != wire.CodeGap {
					t.Fatalf("got %v, want a reset", err)
				}
				wantRefusal(t, call(s), wire.CodeGap, byPeer)
				for name, call := range calls {
					if err := call(s); err == nil {
						t.Errorf("%s after it: no error", name)
					} else {
						wantRefusal(t, err, wire.CodeGap, byPeer)
					}
				}
			})
		}
	})
}

func TestTheOpenersResetReachesTheHandler(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, other := newHost(t, r, listen), newHost(t, r)
		knows(t, other, h)
		errs := make(chan error, 1)
		h.Handle(echo, func(_ context.Context, s *Stream) error {
			err := s.Receive(&wire.Ack{})
			errs <- err
			return err
		})
		s := open(t, other, h.Peer(), echo)
		s.Reset(wire.CodeForged)
		s.Reset(wire.CodeGap)
		wantRefusal(t, receive(t, errs), wire.CodeForged, byPeer)
		wantRefusal(t, s.Receive(&wire.Ack{}), wire.CodeForged, byUs)
		if err := s.Close(); err != nil {
			t.Errorf("close after reset: %v", err)
		}
		if got := count(other, echo.ID, wire.CodeGap, byUs); got != 0 {
			t.Error("the second reset counted")
		}
	})
}

func TestAPeerCannotOpenMoreStreamsThanItsShare(t *testing.T) {
	narrow := echo
	narrow.ID, narrow.Peer = "/interlock/test/narrow/1", 2
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, greedy, modest := newHost(t, r, listen), newHost(t, r), newHost(t, r)
		knows(t, greedy, h)
		knows(t, modest, h)
		h.Handle(narrow, serveEcho)
		h.Handle(echo, serveEcho)
		first, second := open(t, greedy, h.Peer(), narrow), open(t, greedy, h.Peer(), narrow)
		_, err := greedy.Open(soon(t), h.Peer(), narrow)
		wantRefusal(t, err, wire.CodeBusy, byPeer)
		wantEcho(t, open(t, modest, h.Peer(), narrow), 1)
		wantEcho(t, open(t, greedy, h.Peer(), echo), 2)
		wantEcho(t, first, 3)
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
		wantEcho(t, open(t, greedy, h.Peer(), narrow), 4)
	})
}

func TestOneStreamAfterAnotherIsNeverBusy(t *testing.T) {
	single := echo
	single.ID, single.Peer = "/interlock/test/single/1", 1
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, other := newHost(t, r, listen), newHost(t, r)
		knows(t, other, h)
		h.Handle(single, serveEcho)
		for i := range uint64(100) {
			s := open(t, other, h.Peer(), single)
			wantEcho(t, s, i+1)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSendingTooMuchIsRefusedHereAndLeavesTheStreamAlone(t *testing.T) {
	r := newRoster()
	h, other := newHost(t, r, transports["tcp"]), newHost(t, r)
	knows(t, other, h)
	h.Handle(echo, serveEcho)
	s := open(t, other, h.Peer(), echo)
	err := s.Send(&wire.EvaluateResponse{Evaluated: make([]byte, echo.Frame)})
	if !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, wire.ErrTooLarge)
	}
	wantEcho(t, s, 1)
}

func TestAClosedStreamSaysSo(t *testing.T) {
	r := newRoster()
	h, other := newHost(t, r, transports["tcp"]), newHost(t, r)
	knows(t, other, h)
	h.Handle(echo, serveEcho)
	s := open(t, other, h.Peer(), echo)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.Send(&wire.Ack{}), s.Receive(&wire.Ack{}), s.CloseWrite()} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want %v", err, net.ErrClosed)
		}
	}
}
