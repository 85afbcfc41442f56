package link

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"

	"interlock/protocol/wire"
)

func TestAPlaceIsKept(t *testing.T) {
	t.Run("when its time is over", func(t *testing.T) {
		carrier, a := behindRelay(t, newRoster(), Options{relayTTL: 2 * time.Second}, transports["tcp"])
		at := func() (until time.Time) {
			carrier.relay.mu.Lock()
			defer carrier.relay.mu.Unlock()
			return carrier.relay.places[a.Peer()]
		}
		first := at()
		eventually(t, "the renewal", func() bool { return at().After(first) })
		if time.Now().After(first) {
			t.Error("renewed too late")
		}
	})
	t.Run("when the link is lost", func(t *testing.T) {
		carrier, a := behindRelay(t, newRoster(), Options{}, transports["tcp"])
		for _, c := range carrier.stack.swarm.ConnsToPeer(idOf(a.Peer())) {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "the loss", func() bool { return len(a.Addresses()) == 0 || carrier.Connected(a.Peer()) })
		eventually(t, "the place", func() bool {
			carrier.relay.mu.Lock()
			defer carrier.relay.mu.Unlock()
			return len(a.Addresses()) == 1 && !carrier.relay.places[a.Peer()].IsZero()
		})
	})
}

func TestACircuitCarriesWhatItMayAndTheNextStreamMakesAnother(t *testing.T) {
	r := newRoster()
	_, a := behindRelay(t, r, Options{relayBytes: 256 * wire.KiB}, transports["tcp"])
	a.Handle(wire.ProtocolFeed, feedEcho)
	b := newHost(t, r)
	knows(t, b, a)
	s := open(t, b, a.Peer(), wire.ProtocolFeed)
	var err error
	for range 8 {
		if err = s.Send(&wire.EvaluateResponse{Evaluated: make([]byte, 64*wire.KiB)}); err != nil {
			break
		}
		if err = s.Receive(&wire.EvaluateResponse{}); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("carried 512 KiB of 256")
	}
	wantBack(t, open(t, b, a.Peer(), wire.ProtocolFeed), []byte("again"))
}

func TestARelayHasSoManyPlacesAndCircuits(t *testing.T) {
	r := newRoster()
	h := newHostFrom(t, r, Options{Key: newKey(t), Relay: true})
	member := func() wire.Peer {
		p := wire.PeerOf(newKey(t))
		r.set(p, wire.Member)
		return p
	}
	now := time.Now()
	var holders []wire.Peer
	for range relayReservations {
		holders = append(holders, member())
		if !h.relay.admit(holders[len(holders)-1], now, now.Add(time.Hour)) {
			t.Fatal("no place where there is one")
		}
	}
	late := member()
	if h.relay.admit(late, now, now.Add(time.Hour)) {
		t.Error("a place too many")
	}
	if !h.relay.admit(holders[0], now, now.Add(time.Hour)) {
		t.Error("no renewal of a place that is held")
	}
	if got := h.relay.enter(holders[0], late, now); got != pb.Status_NO_RESERVATION {
		t.Errorf("to who has no place: got %v, want %v", got, pb.Status_NO_RESERVATION)
	}
	if got := h.relay.enter(late, holders[0], now.Add(2*time.Hour)); got != pb.Status_NO_RESERVATION {
		t.Errorf("to who had one: got %v, want %v", got, pb.Status_NO_RESERVATION)
	}
	taken := 0
	for i, to := range slices.Repeat(holders, relayPeerCircuits) {
		if h.relay.enter(holders[(i+1)%len(holders)], to, now) == pb.Status_OK {
			taken++
		}
	}
	if taken != relayCircuits {
		t.Errorf("circuits: got %d, want %d", taken, relayCircuits)
	}
	if !h.relay.admit(late, now.Add(2*time.Hour), now.Add(3*time.Hour)) {
		t.Error("places that are over are still taken")
	}
}

func TestCircuitsComeFromOurRelaysAlone(t *testing.T) {
	r := newRoster()
	_, a := behindRelay(t, r, Options{}, transports["tcp"])
	other := newHost(t, r, transports["tcp"])
	linked(t, a, other)
	eventually(t, "the link", func() bool { return other.Connected(a.Peer()) })
	s, err := other.Open(soon(t), a.Peer(), stop())
	if err == nil {
		err = s.Receive(&wire.Ack{})
	}
	wantRefusal(t, err, wire.CodeRefused, byPeer)
	b := newHost(t, r)
	linked(t, b, other)
	if _, err := b.Open(soon(t), other.Peer(), stop()); err == nil {
		t.Error("a host without relays takes circuits")
	}
	if _, err := b.Open(soon(t), other.Peer(), hop()); err == nil {
		t.Error("a host that does not relay takes reservations")
	}
}

func TestARelayThatNeverAnswersDoesNotHoldUpClose(t *testing.T) {
	r := newRoster()
	silent := newBare(t, transports["tcp"])
	r.set(silent.peer, wire.Member)
	asked := make(chan struct{})
	silent.swarm.SetStreamHandler(func(s network.Stream) {
		if _, err := hear(s); err != nil {
			t.Error(err)
		}
		if _, err := s.Write(hello(hop().ID)); err != nil {
			t.Error(err)
		}
		close(asked)
	})
	h := newHostFrom(t, r, Options{Key: newKey(t), Relays: []string{
		JoinAddress(silent.peer, silent.swarm.ListenAddresses()[0].String()),
	}})
	receive(t, asked)
	if got := h.Addresses(); len(got) != 0 {
		t.Errorf("addresses without a place: %v", got)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzParseRelay(f *testing.F) {
	p := wire.PeerOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	f.Add(JoinAddress(p, "/ip4/192.0.2.1/tcp/4001"))
	f.Add(JoinAddress(p, "/ip6/0:0::1/udp/4001/quic-v1"))
	f.Add(JoinAddress(p, JoinAddress(p, "/ip4/192.0.2.1/tcp/4001")+"/p2p-circuit"))
	f.Add(JoinAddress(p, "/dns/"+strings.Repeat("a", maxAddress-20)+"/tcp/1"))
	f.Add("/ip4/192.0.2.1/tcp/4001")
	f.Fuzz(func(t *testing.T, s string) {
		place, err := parseRelay(s)
		if err != nil {
			return
		}
		if again, err := parseRelay(JoinAddress(place.peer, place.addr)); err != nil || again != place {
			t.Errorf("%q: got %v and error %v when written again, want %v", s, again, err, place)
		}
		a, err := parseAddress(place.address())
		if err != nil || !isCircuit(a) || a.String() != place.address() {
			t.Errorf("%q: reached at %q, which others read as %v (%v)", s, place.address(), a, err)
		}
	})
}
