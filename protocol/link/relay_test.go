package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"

	"interlock/protocol/wire"
)

// behindRelay makes a relay and a member behind it that cannot be dialled.
func behindRelay(t testing.TB, r *roster, o Options, listen string) (carrier, behind *Host) {
	t.Helper()
	o.Key, o.Listen, o.Relay = newKey(t), []string{listen}, true
	carrier = newHostFrom(t, r, o)
	behind = newHostFrom(t, r, Options{Key: newKey(t), Relays: []string{JoinAddress(carrier.Peer(), carrier.Addresses()[0])}})
	eventually(t, "a place at the relay", func() bool { return len(behind.Addresses()) == 1 })
	return carrier, behind
}

// feedEcho serves the feed protocol with batches that come back.
func feedEcho(_ context.Context, s *Stream) error {
	for {
		var m wire.EvaluateResponse
		if err := s.Receive(&m); err != nil {
			return err
		}
		if err := s.Send(&m); err != nil {
			return err
		}
	}
}

func wantBack(t testing.TB, s *Stream, what []byte) {
	t.Helper()
	if err := s.Send(&wire.EvaluateResponse{Evaluated: what}); err != nil {
		t.Fatal(err)
	}
	var got wire.EvaluateResponse
	if err := s.Receive(&got); err != nil || !bytes.Equal(got.Evaluated, what) {
		t.Fatalf("got %d bytes and error %v, want the %d that were sent", len(got.Evaluated), err, len(what))
	}
}

// tap is a stream whose bytes are kept.
type tap struct {
	network.Stream
	mu   *sync.Mutex
	seen *bytes.Buffer
}

func (p tap) Read(b []byte) (int, error) {
	n, err := p.Stream.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.Write(b[:n])
	return n, err
}

func (p tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.seen.Write(b)
	p.mu.Unlock()
	return p.Stream.Write(b)
}

func TestWhoCannotBeDialledIsReachedThroughARelayThatSeesCiphertext(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		carrier, a := behindRelay(t, r, Options{}, listen)
		var mu sync.Mutex
		var seen bytes.Buffer
		carrier.Handle(hop(), func(ctx context.Context, s *Stream) error {
			s.raw = tap{s.raw, &mu, &seen}
			return carrier.relay.serve(ctx, s)
		})
		a.Handle(wire.ProtocolFeed, feedEcho)
		b := newHost(t, r)
		knows(t, b, a)
		s := open(t, b, a.Peer(), wire.ProtocolFeed)
		if !throughRelay(s.raw.Conn()) || s.Peer() != a.Peer() {
			t.Error("reached somebody else, or without the relay")
		}
		secret := bytes.Repeat([]byte("what the relay does not see "), 1000)
		for range 20 {
			wantBack(t, s, secret)
		}
		mu.Lock()
		defer mu.Unlock()
		if got := seen.Len(); got < 40*len(secret) {
			t.Errorf("the relay saw %d bytes, want both ways of %d", got, 20*len(secret))
		}
		if !bytes.Contains(seen.Bytes(), []byte("/multistream/1.0.0")) {
			t.Error("the relay did not see the handshake: the test says nothing")
		}
		if bytes.Contains(seen.Bytes(), secret[:16]) || bytes.Contains(seen.Bytes(), []byte(wire.ProtocolFeed.ID)) {
			t.Error("the relay saw what was said")
		}
	})
}

func TestARelayServesMembersAlone(t *testing.T) {
	r := newRoster()
	carrier, a := behindRelay(t, r, Options{}, transports["tcp"])
	for _, role := range []wire.Role{wire.Applicant, wire.RegistryOperator, wire.RegistryServer} {
		t.Run(fmt.Sprint(role), func(t *testing.T) {
			stranger := newBare(t)
			r.set(stranger.peer, role)
			s, err := stranger.dial(t, carrier)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write(hello(hop().ID)); err != nil {
				t.Fatal(err)
			}
			wantReset(t, s, wire.CodeRefused)
			// Nor is anybody brought to it.
			if got := carrier.relay.enter(a.Peer(), stranger.peer, time.Now()); got != pb.Status_PERMISSION_DENIED {
				t.Errorf("a circuit to it: got %v, want %v", got, pb.Status_PERMISSION_DENIED)
			}
		})
	}
}

func TestRolesHoldThroughARelay(t *testing.T) {
	r, atA := newRoster(), newRoster()
	carrier, a := behindRelay(t, r, Options{}, transports["tcp"])
	b := newHost(t, r)
	a.roles = atA.role // a's own book knows the relay and not b
	atA.set(carrier.Peer(), wire.Member)
	a.Handle(echo, serveEcho)
	knows(t, b, a)
	if _, err := b.Open(soon(t), a.Peer(), echo); !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrLost) {
		t.Fatalf("got error %v, want %v or %v", err, ErrUnreachable, ErrLost)
	}
	if count(a, connection, wire.CodeRefused, byUs) == 0 {
		t.Error("refused without being asked")
	}
	atA.set(b.Peer(), wire.RegistryServer)
	_, err := b.Open(soon(t), a.Peer(), echo)
	wantRefusal(t, err, wire.CodeRefused, byPeer)
	atA.set(b.Peer(), wire.Member)
	wantEcho(t, open(t, b, a.Peer(), echo), 1)
}

func TestASuspendedMemberIsCutFromCircuits(t *testing.T) {
	for name, who := range map[string]func(a, b *Host) *Host{
		"who came":     func(_, b *Host) *Host { return b },
		"who was told": func(a, _ *Host) *Host { return a },
	} {
		for _, role := range []wire.Role{wire.Nobody, wire.RegistryServer} {
			t.Run(fmt.Sprint(name, role), func(t *testing.T) {
				r, ends := newRoster(), newRoster()
				carrier, a := behindRelay(t, r, Options{}, transports["tcp"])
				b := newHost(t, r)
				for _, h := range []*Host{carrier, a, b} {
					ends.set(h.Peer(), wire.Member)
				}
				// The ends have not heard of it yet: the relay alone cuts them.
				a.roles, b.roles = ends.role, ends.role
				a.Handle(echo, serveEcho)
				knows(t, b, a)
				s := open(t, b, a.Peer(), echo)
				wantEcho(t, s, 1)
				r.set(who(a, b).Peer(), role)
				carrier.Review()
				if err := s.Receive(&wire.Ack{}); err == nil || err == io.EOF {
					t.Errorf("got %v, want a lost connection", err)
				}
				if _, err := b.Open(soon(t), a.Peer(), echo); err == nil {
					t.Error("came through once more")
				}
				eventually(t, "the end of the circuit", func() bool {
					carrier.relay.mu.Lock()
					defer carrier.relay.mu.Unlock()
					return carrier.relay.all == 0 && len(carrier.relay.circuits) == 0
				})
			})
		}
	}
}

func TestNoCircuitGoesThroughACircuit(t *testing.T) {
	r := newRoster()
	carrier, _ := behindRelay(t, r, Options{}, transports["tcp"])
	inner := newHostFrom(t, r, Options{Key: newKey(t), Relay: true, Relays: []string{JoinAddress(carrier.Peer(), carrier.Addresses()[0])}})
	eventually(t, "a place at the relay", func() bool { return len(inner.Addresses()) == 1 })
	b := newHost(t, r)
	knows(t, b, inner)
	raw, err := b.thin.NewStream(soon(t), idOf(inner.Peer()), "/libp2p/circuit/relay/0.2.0/hop")
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Reset(); err != nil {
		t.Fatal(err)
	}
	_, err = client.Reserve(soon(t), b.thin, b.thin.Peerstore().PeerInfo(idOf(inner.Peer())))
	var refused client.ReservationError
	if !errors.As(err, &refused) || refused.Status != pb.Status_PERMISSION_DENIED {
		t.Errorf("got error %v, want %v", err, pb.Status_PERMISSION_DENIED)
	}
	_, err = New(Options{Key: newKey(t), Roles: r.role, Relays: []string{JoinAddress(inner.Peer(), inner.Addresses()[0])}})
	if !errors.Is(err, errNested) {
		t.Errorf("got error %v, want %v", err, errNested)
	}
	_, err = New(Options{Key: newKey(t), Roles: r.role, Listen: inner.Addresses()})
	if !errors.Is(err, errListenCircuit) {
		t.Errorf("got error %v, want %v", err, errListenCircuit)
	}
}

func TestAPlaceIsHadAtARelayThatCameThroughAnother(t *testing.T) {
	r := newRoster()
	_, a := behindRelay(t, r, Options{}, transports["tcp"])
	a.Handle(echo, serveEcho)
	second := newHostFrom(t, r, Options{Key: newKey(t), Listen: []string{transports["tcp"]}, Relay: true})
	knows(t, second, a)
	wantEcho(t, open(t, second, a.Peer(), echo), 1)
	if !a.Connected(second.Peer()) || a.direct(idOf(second.Peer())) {
		t.Fatal("the second relay did not come through the first: the test says nothing")
	}
	place, err := parseRelay(JoinAddress(second.Peer(), second.Addresses()[0]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.places.reserve(soon(t), place); err != nil {
		t.Errorf("got error %v, want a place", err)
	}
}

func TestARelayIsNamedOnce(t *testing.T) {
	relay := newHost(t, newRoster(), transports["tcp"], transports["quic"])
	var both []string
	for _, addr := range relay.Addresses() {
		both = append(both, JoinAddress(relay.Peer(), addr))
	}
	_, err := New(Options{Key: newKey(t), Roles: newRoster().role, Relays: both})
	if !errors.Is(err, errTwice) {
		t.Errorf("got error %v, want %v", err, errTwice)
	}
}

func TestAnUnreachableRelayIsNamedWithoutItsKey(t *testing.T) {
	r := newRoster()
	carrier, a := behindRelay(t, r, Options{}, transports["tcp"])
	b := newHost(t, r)
	knows(t, b, a)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := b.Open(soon(t), a.Peer(), echo)
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "through a relay") {
		t.Errorf("got error %v, want one that says so", err)
	}
	if strings.Contains(err.Error(), idOf(carrier.Peer()).String()) {
		t.Errorf("names the relay's key: %v", err)
	}
}

func TestGossipGoesThroughCircuits(t *testing.T) {
	r := newRoster()
	_, behind := behindRelay(t, r, Options{}, transports["tcp"])
	a := &talker{Host: behind}
	a.beat = 100 * time.Millisecond
	a.join(t)
	b := newTalker(t, r)
	linked(t, b.Host, behind)
	eventually(t, "the mesh", func() bool { return a.neighbour(b.Peer()) && b.neighbour(a.Peer()) })
	a.publish(t, "good 1")
	eventually(t, "the message", func() bool { return b.heard("good 1") })
}

func TestARelayClosesWithItsCircuits(t *testing.T) {
	r := newRoster()
	carrier, a := behindRelay(t, r, Options{}, transports["tcp"])
	a.Handle(echo, serveEcho)
	b := newHost(t, r)
	knows(t, b, a)
	s := open(t, b, a.Peer(), echo)
	wantEcho(t, s, 1)
	if err := carrier.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Receive(&wire.Ack{}); err == nil || err == io.EOF {
		t.Errorf("got %v, want a lost connection", err)
	}
}
