package link

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

func newTestLimits(t testing.TB, applicant bool) *limits {
	t.Helper()
	l, err := newLimits(func(peer.ID) bool { return applicant })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func incoming(t testing.TB, l *limits, from string) (network.ConnManagementScope, error) {
	t.Helper()
	a, err := ma.NewMultiaddr(from)
	if err != nil {
		t.Fatal(err)
	}
	return l.OpenConnection(network.DirInbound, true, a)
}

// neighbours are rows of addresses; the number says which one.
var neighbours = map[string]func(i int) string{
	"one IPv4 address":              func(int) string { return "/ip4/192.0.2.1/tcp/1" },
	"one IPv4 address, TCP and UDP": func(i int) string { return []string{"/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/udp/1/quic-v1"}[i%2] },
	"one IPv6 address as IPv4":      func(int) string { return "/ip6/::ffff:192.0.2.1/tcp/1" },
	"one IPv6 /64":                  func(i int) string { return fmt.Sprintf("/ip6/2001:db8:1:1::%x/tcp/1", i) },
	"one IPv4 /24":                  func(i int) string { return fmt.Sprintf("/ip4/192.0.2.%d/tcp/1", i%256) },
	"one IPv6 /48":                  func(i int) string { return fmt.Sprintf("/ip6/2001:db8:1:%x::1/tcp/1", i) },
	"loopback":                      func(int) string { return "/ip4/127.0.0.1/tcp/1" },
	"no IP":                         func(int) string { return "/dns/node.example.org/tcp/1" },
}

func TestSilentConnectionsOfOneNeighbourhoodLeaveRoomForOthers(t *testing.T) {
	want := map[string]int{
		"one IPv4 address": addrShaking, "one IPv4 address, TCP and UDP": addrShaking,
		"one IPv6 address as IPv4": addrShaking, "one IPv6 /64": addrShaking, "no IP": addrShaking,
		"one IPv4 /24": netShaking, "one IPv6 /48": netShaking,
		"loopback": maxShaking,
	}
	for name, from := range neighbours {
		t.Run(name, func(t *testing.T) {
			l := newTestLimits(t, false)
			var in []network.ConnManagementScope
			for {
				scope, err := incoming(t, l, from(len(in)))
				if err != nil {
					break
				}
				in = append(in, scope)
			}
			if len(in) != want[name] {
				t.Errorf("handshakes at a time: got %d, want %d", len(in), want[name])
			}
			if name != "loopback" {
				other, err := incoming(t, l, "/ip4/203.0.113.1/tcp/1")
				if err != nil {
					t.Fatalf("another network's connection: %v", err)
				}
				other.Done()
			}
			for _, scope := range in {
				scope.Done()
				scope.Done()
			}
			if l.handshakes() != 0 || len(l.shaking.from) != 0 {
				t.Errorf("after all had gone: %d handshakes from %d places", l.handshakes(), len(l.shaking.from))
			}
		})
	}
}

func TestAConnectionThatLibp2pRefusesIsNotCounted(t *testing.T) {
	l := newTestLimits(t, false)
	for i := range maxShaking {
		if _, err := incoming(t, l, fmt.Sprintf("/ip4/10.0.%d.1/tcp/1", i%256)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := incoming(t, l, "/ip4/203.0.113.1/tcp/1"); err == nil {
		t.Fatal("more handshakes than libp2p may hold")
	}
	if got := l.handshakes(); got != maxShaking {
		t.Errorf("handshakes: got %d, want %d", got, maxShaking)
	}
}

func TestOneAddressHasConnectionsOfManyMembers(t *testing.T) {
	for _, from := range []string{"/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/udp/1/quic-v1"} {
		l := newTestLimits(t, false)
		for i := range 300 {
			scope, err := incoming(t, l, from)
			if err == nil {
				defer scope.Done()
				err = scope.SetPeer(idOf(wire.PeerOf(newKey(t))))
			}
			if err != nil {
				t.Fatalf("from %s: member %d: %v", from, i, err)
			}
			scope.(*connScope).settle()
		}
	}
}

func TestNobodyFillsTheRoomInAnothersName(t *testing.T) {
	l := newTestLimits(t, false)
	victim := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
	other := &net.UDPAddr{IP: net.IPv4(203, 0, 113, 1), Port: 1}
	for i := range addrShaking / 2 {
		if l.VerifySourceAddress(victim) {
			t.Fatalf("had to prove its address after %d handshakes", i)
		}
		if _, err := incoming(t, l, "/ip4/192.0.2.1/udp/1/quic-v1"); err != nil {
			t.Fatal(err)
		}
	}
	if !l.VerifySourceAddress(victim) {
		t.Error("half the room is taken, and nobody has to prove the address")
	}
	if l.VerifySourceAddress(other) {
		t.Error("a quiet network has to prove its address")
	}
	for i := 0; l.handshakes() < maxShaking/2; i++ {
		if _, err := incoming(t, l, fmt.Sprintf("/ip4/10.%d.%d.1/udp/1/quic-v1", i/256, i%256)); err != nil {
			t.Fatal(err)
		}
	}
	if !l.VerifySourceAddress(other) {
		t.Error("half of all room is taken, and nobody has to prove an address")
	}
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ctx := soon(t); !ok(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: did not come", what)
		}
	}
}

func TestAHandshakeGivesItsPlaceBackHoweverItEnds(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, member := newHost(t, r, listen), newHost(t, r)
		knows(t, member, h)
		h.Handle(echo, serveEcho)
		none := func() bool { return h.stack.limits.handshakes() == 0 }
		wantEcho(t, open(t, member, h.Peer(), echo), 1)
		eventually(t, "the end of a member's handshake", none)
		if _, err := newBare(t).dial(t, h); err == nil {
			eventually(t, "the refusal of a stranger", func() bool { return count(h, connection, wire.CodeRefused, byUs) == 1 })
		}
		eventually(t, "the end of a stranger's handshake", none)
		if !h.Connected(member.Peer()) {
			t.Error("the member has gone")
		}
	})
}

func TestASilentConnectionIsCountedUntilItGoes(t *testing.T) {
	h := newHost(t, newRoster(), transports["tcp"])
	addr, err := ma.NewMultiaddr(h.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	port, err := addr.ValueForProtocol(ma.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "a silent connection", func() bool { return h.stack.limits.handshakes() == 1 })
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its end", func() bool { return h.stack.limits.handshakes() == 0 })
	}
}

func TestManyIPv6NetworksOfOneSiteDoNotHoldEveryApplicantsPlace(t *testing.T) {
	for _, name := range []string{"one IPv6 /48", "one IPv4 /24"} {
		t.Run(name, func(t *testing.T) {
			a := newApplicants()
			join := func(from string) bool {
				addr, err := ma.NewMultiaddr(from)
				if err != nil {
					t.Fatal(err)
				}
				c := &fakeConn{from: addr}
				t.Cleanup(func() { a.remove(c) })
				return a.add(c, func() {})
			}
			var in int
			for i := range maxApplicants {
				if join(neighbours[name](i)) {
					in++
				}
			}
			if in != networkApplicants {
				t.Errorf("let in: got %d, want %d", in, networkApplicants)
			}
			if !join("/ip6/2001:db8:2::1/tcp/1") {
				t.Error("no place left for another site")
			}
		})
	}
}
