package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

var allProtocols = []wire.Protocol{
	wire.ProtocolEvaluate, wire.ProtocolFeed, wire.ProtocolDirectory, wire.ProtocolAdmission,
	wire.ProtocolOperate, wire.ProtocolPropose, wire.ProtocolRaft,
}

func TestAStrangerGetsNothingButAClosedStream(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		h := newHost(t, newRoster(), listen)
		for _, p := range allProtocols {
			h.Handle(p, func(context.Context, *Stream) error {
				t.Error("a stranger's stream reached a handler")
				return nil
			})
		}
		for _, p := range allProtocols {
			stranger := newBare(t)
			s, err := stranger.dial(t, h)
			if err != nil {
				continue // closed before it could open anything
			}
			var got []byte
			if _, err = s.Write(hello(p.ID)); err == nil {
				got, err = io.ReadAll(s)
			}
			if err == nil || len(got) > 0 {
				t.Errorf("%s: got %q and error %v, want a closed stream", p.ID, got, err)
			}
		}
		if got, want := count(h, connection, wire.CodeRefused, byUs), uint64(len(allProtocols)); got != want {
			t.Errorf("refused connections: got %d, want %d", got, want)
		}
	})
}

func TestAStrangerIsNotDialled(t *testing.T) {
	r := newRoster()
	h := newHost(t, r)
	stranger := newBare(t, "/ip4/127.0.0.1/tcp/0")
	if err := h.SetAddresses(stranger.peer, []string{stranger.swarm.ListenAddresses()[0].String()}); err != nil {
		t.Fatal(err)
	}
	for _, role := range []wire.Role{wire.Nobody, wire.Applicant} {
		r.set(stranger.peer, role)
		_, err := h.Open(soon(t), stranger.peer, echo)
		wantRefusal(t, err, wire.CodeRefused, byUs)
	}
	if _, err := h.stack.swarm.DialPeer(soon(t), idOf(stranger.peer)); err == nil {
		t.Error("the gate let a dial to a stranger through")
	}
}

func TestAMemberMaySpeakOnlyItsProtocols(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h := newHost(t, r, listen)
		for _, p := range allProtocols {
			h.Handle(p, func(context.Context, *Stream) error { return nil })
		}
		other := newHost(t, r)
		knows(t, other, h)
		r.set(h.Peer(), wire.RegistryServer)
		for _, role := range []wire.Role{wire.Applicant, wire.RegistryOperator, wire.Member, wire.RegistryServer, wire.Member | wire.RegistryOperator} {
			r.set(other.Peer(), role)
			for _, p := range allProtocols {
				s, err := other.Open(soon(t), h.Peer(), p)
				if p.From&role == 0 {
					wantRefusal(t, err, wire.CodeRefused, byPeer)
					continue
				}
				if err != nil {
					t.Fatalf("role %d: %v", role, err)
				}
				s.Reset(wire.CodeNone)
			}
		}
	})
}

func TestARefusalDoesNotTellWhatIsServed(t *testing.T) {
	r := newRoster()
	h := newHost(t, r, transports["tcp"])
	h.Handle(wire.ProtocolRaft, serveEcho)
	b := newBare(t)
	r.set(b.peer, wire.Member)
	var answers []string
	for _, id := range []string{wire.ProtocolRaft.ID, "/interlock/nothing/1"} {
		s, err := b.dial(t, h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(hello(id)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		var reset *network.StreamError
		if len(got) > 0 || !errors.As(err, &reset) || !reset.Remote {
			t.Fatalf("%s: got %q and %v, want a reset", id, got, err)
		}
		answers = append(answers, streamCode(reset.ErrorCode).String())
	}
	if answers[0] != answers[1] || answers[0] != wire.CodeRefused.String() {
		t.Errorf("got %v, want twice %v", answers, wire.CodeRefused)
	}
}

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
		receive(t, ended)
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

func TestDialBackoffDoesNotDelayAMemberThatComesBack(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		key := newKey(t)
		first := newHostFrom(t, r, Options{Key: key, Listen: []string{listen}})
		addrs := first.Addresses()
		other := newHost(t, r)
		knows(t, other, first)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			if _, err := other.Open(ctx, first.Peer(), echo); err == nil {
				t.Error("opened a stream to a closed host")
			}
			cancel()
		}
		second := newHostFrom(t, r, Options{Key: key, Listen: addrs})
		second.Handle(echo, serveEcho)
		wantEcho(t, open(t, other, second.Peer(), echo), 1)
	})
}

func TestManyMembersFromOneAddress(t *testing.T) {
	const members = 300
	r := newRoster()
	h := newHost(t, r, transports["tcp"], transports["quic"])
	h.Handle(echo, serveEcho)
	streams := make([]*Stream, members)
	var opening sync.WaitGroup
	for i := range streams {
		member := newHost(t, r)
		if err := member.SetAddresses(h.Peer(), h.Addresses()[i%2:i%2+1]); err != nil {
			t.Fatal(err)
		}
		opening.Go(func() {
			s, err := member.Open(soon(t), h.Peer(), echo)
			if err != nil {
				t.Error(err)
				return
			}
			streams[i] = s
		})
	}
	opening.Wait()
	if t.Failed() {
		return
	}
	for i, s := range streams {
		wantEcho(t, s, uint64(i))
	}
	if got := len(h.stack.swarm.Peers()); got != members {
		t.Errorf("connected members: got %d, want %d", got, members)
	}
}

func TestApplicantsDoNotTakeThePlaceOfMembers(t *testing.T) {
	r := newRoster()
	h := newHost(t, r, transports["tcp"])
	h.Handle(wire.ProtocolAdmission, serveEcho)
	h.Handle(echo, serveEcho)
	for range maxApplicants {
		applicant := newBare(t)
		r.set(applicant.peer, wire.Applicant)
		applicant.open(t, h, wire.ProtocolAdmission)
	}
	late := newHost(t, r)
	r.set(late.Peer(), wire.Applicant)
	knows(t, late, h)
	if _, err := late.Open(soon(t), h.Peer(), wire.ProtocolAdmission); err == nil {
		t.Error("an applicant over the limit was served")
	}
	if got := count(h, connection, wire.CodeBusy, byUs); got != 1 {
		t.Errorf("connections refused as busy: got %d, want 1", got)
	}
	member := newHost(t, r)
	knows(t, member, h)
	wantEcho(t, open(t, member, h.Peer(), echo), 1)
}

func TestAnApplicantIsSentAwayInTime(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h := newHost(t, r, listen)
		h.applicants.life = 50 * time.Millisecond
		ended := make(chan struct{}, 1)
		h.Handle(wire.ProtocolAdmission, func(ctx context.Context, _ *Stream) error {
			<-ctx.Done()
			ended <- struct{}{}
			return nil
		})
		applicant := newBare(t)
		r.set(applicant.peer, wire.Applicant)
		applicant.open(t, h, wire.ProtocolAdmission)
		receive(t, ended)
	})
}

func TestAnApplicantThatIsAdmittedStays(t *testing.T) {
	r := newRoster()
	h, other := newHost(t, r, transports["tcp"]), newHost(t, r)
	knows(t, other, h)
	h.Handle(echo, serveEcho)
	h.Handle(wire.ProtocolAdmission, serveEcho)
	r.set(other.Peer(), wire.Applicant)
	wantEcho(t, open(t, other, h.Peer(), wire.ProtocolAdmission), 1)
	c := h.stack.swarm.Conns()[0]
	r.set(other.Peer(), wire.Member)
	h.expire(c, other.Peer())
	h.Review()
	if c.IsClosed() || h.applicants.has(c) {
		t.Error("a member is still treated as an applicant")
	}
	wantEcho(t, open(t, other, h.Peer(), echo), 2)
}

// fakeConn is a connection from an address.
type fakeConn struct {
	network.Conn
	from ma.Multiaddr
}

func (c *fakeConn) RemoteMultiaddr() ma.Multiaddr { return c.from }

func TestOneAddressHasFewApplicants(t *testing.T) {
	tests := map[string]struct {
		from []string // one after another until the last is refused
		want int      // how many are let in
	}{
		"one IPv4 address":        {[]string{"/ip4/192.0.2.1/tcp/1"}, addressApplicants},
		"one IPv6 network":        {[]string{"/ip6/2001:db8::1/tcp/1", "/ip6/2001:db8::2/tcp/1"}, addressApplicants},
		"two IPv4 addresses":      {[]string{"/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1"}, 2 * addressApplicants},
		"loopback":                {[]string{"/ip4/127.0.0.1/tcp/1"}, maxApplicants},
		"IPv4 in IPv6's clothing": {[]string{"/ip6/::ffff:192.0.2.1/tcp/1", "/ip4/192.0.2.1/tcp/1"}, addressApplicants},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApplicants()
			var in []*fakeConn
			for i := 0; ; i++ {
				from, err := ma.NewMultiaddr(test.from[i%len(test.from)])
				if err != nil {
					t.Fatal(err)
				}
				c := &fakeConn{from: from}
				if !a.add(c, func() {}) {
					break
				}
				in = append(in, c)
			}
			if len(in) != test.want {
				t.Errorf("let in: got %d, want %d", len(in), test.want)
			}
			for _, c := range in {
				a.remove(c)
				a.remove(c)
			}
			if len(a.conns) != 0 || len(a.from) != 0 {
				t.Errorf("after all had gone: %d connections from %d addresses", len(a.conns), len(a.from))
			}
		})
	}
}

func TestTheLogNamesNoWholeKeyAndNoAddress(t *testing.T) {
	var log bytes.Buffer
	r := newRoster()
	h := newHostFrom(t, r, Options{Key: newKey(t), Listen: []string{transports["tcp"]}, Log: logTo(&log)})
	member := newHost(t, r)
	knows(t, member, h)
	_, err := member.Open(soon(t), h.Peer(), echo)
	wantRefusal(t, err, wire.CodeRefused, byPeer)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	text := log.String() + err.Error()
	for _, secret := range []string{idOf(member.Peer()).String(), idOf(h.Peer()).String(), "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("log holds %s: %s", secret, text)
		}
	}
	if !strings.Contains(text, member.Peer().String()) || !strings.Contains(text, wire.CodeRefused.String()) {
		t.Errorf("log does not say who was refused and how: %s", text)
	}
}
