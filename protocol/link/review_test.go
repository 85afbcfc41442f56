package link

import (
	"context"
	"errors"
	"io"
	"testing"

	"interlock/protocol/wire"
)

func TestAMemberThatLosesItsRoleIsCutOffAtOnce(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, member := newHost(t, r, listen), newHost(t, r)
		knows(t, member, h)
		ended := make(chan error, 1)
		h.Handle(echo, func(ctx context.Context, s *Stream) error {
			<-ctx.Done()
			ended <- s.Send(&wire.Ack{})
			return ctx.Err()
		})
		s := open(t, member, h.Peer(), echo)
		r.set(member.Peer(), wire.Nobody)
		h.Review()
		if h.Connected(member.Peer()) {
			t.Error("still connected after Review")
		}
		wantRefusal(t, receive(t, ended), wire.CodeRefused, byUs)
		if err := s.Receive(&wire.Ack{}); err == nil || err == io.EOF {
			t.Errorf("the member's stream: got %v, want an error", err)
		}
		if _, err := member.Open(soon(t), h.Peer(), echo); err == nil {
			t.Error("the member could open another stream")
		}
		r.set(member.Peer(), wire.Member)
		ctx := soon(t)
		for {
			s, err := member.Open(ctx, h.Peer(), echo)
			if err == nil {
				s.Reset(wire.CodeNone)
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("after it was admitted again: %v", err)
			}
		}
		h.Review()
		if !h.Connected(member.Peer()) {
			t.Error("Review closed the connection of a member")
		}
	})
}

func TestReviewEndsOnlyTheProtocolsThatAreNoLongerTheirs(t *testing.T) {
	r := newRoster()
	h, other := newHost(t, r, transports["tcp"]), newHost(t, r)
	knows(t, other, h)
	r.set(other.Peer(), wire.Member|wire.RegistryServer)
	h.Handle(echo, serveEcho)
	h.Handle(wire.ProtocolPropose, serveEcho)
	kept, lost := open(t, other, h.Peer(), echo), open(t, other, h.Peer(), wire.ProtocolPropose)
	wantEcho(t, lost, 1)
	r.set(other.Peer(), wire.Member)
	h.Review()
	wantRefusal(t, lost.Receive(&wire.Ack{}), wire.CodeRefused, byPeer)
	wantEcho(t, kept, 2)
}

func TestAMemberThatBecomesAnApplicantLosesItsConnection(t *testing.T) {
	r := newRoster()
	h, other := newHost(t, r, transports["tcp"]), newHost(t, r)
	knows(t, other, h)
	h.Handle(echo, serveEcho)
	wantEcho(t, open(t, other, h.Peer(), echo), 1)
	r.set(other.Peer(), wire.Applicant)
	h.Review()
	if h.Connected(other.Peer()) {
		t.Error("still connected")
	}
}

func TestCutPartitionsAndHeals(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, other := newHost(t, r, listen), newHost(t, r)
		knows(t, other, h)
		h.Handle(echo, serveEcho)
		s := open(t, other, h.Peer(), echo)
		wantEcho(t, s, 1)

		r.setCut(true)
		h.Review()
		other.Review()
		if h.Connected(other.Peer()) || other.Connected(h.Peer()) {
			t.Error("connected across the cut")
		}
		if err := s.Receive(&wire.Ack{}); err == nil || err == io.EOF {
			t.Errorf("stream across the cut: got %v, want an error", err)
		}
		for range 3 {
			if _, err := other.Open(soon(t), h.Peer(), echo); !errors.Is(err, ErrUnreachable) {
				t.Errorf("open across the cut: got %v, want %v", err, ErrUnreachable)
			}
		}

		r.setCut(false)
		wantEcho(t, open(t, other, h.Peer(), echo), 2)
	})
}

func TestOneSideOfACutIsEnough(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		near, far := newRoster(), newRoster()
		h, other := newHost(t, near, listen), newHost(t, far)
		near.set(other.Peer(), wire.Member)
		far.set(h.Peer(), wire.Member)
		knows(t, other, h)
		h.Handle(echo, serveEcho)
		near.setCut(true)
		if _, err := other.Open(soon(t), h.Peer(), echo); err == nil {
			t.Error("opened a stream across the cut")
		}
	})
}
