package link

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

// patience bounds what a test waits for; it is not expected to pass.
const patience = 30 * time.Second

// echo is a protocol for tests, open to members.
var echo = wire.Protocol{ID: "/interlock/test/echo/1", From: wire.Member, Frame: 64 * wire.KiB, Idle: patience, Peer: 8}

// transports are the addresses that hosts listen on in table tests.
var transports = map[string]string{
	"tcp":  "/ip4/127.0.0.1/tcp/0",
	"quic": "/ip4/127.0.0.1/udp/0/quic-v1",
}

func onEachTransport(t *testing.T, test func(t *testing.T, listen string)) {
	for name, listen := range transports {
		t.Run(name, func(t *testing.T) { test(t, listen) })
	}
}

// roster is who has which role, for the hosts of one test.
type roster struct {
	mu    sync.Mutex
	roles map[wire.Peer]wire.Role
	cut   bool
}

func newRoster() *roster { return &roster{roles: make(map[wire.Peer]wire.Role)} }

func (r *roster) set(p wire.Peer, role wire.Role) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.roles[p] = role
}

func (r *roster) role(p wire.Peer) wire.Role {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.roles[p]
}

func (r *roster) setCut(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
}

func (r *roster) isCut(wire.Peer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cut
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newHost makes a host that is a member on r.
func newHost(t testing.TB, r *roster, listen ...string) *Host {
	t.Helper()
	return newHostFrom(t, r, Options{Key: newKey(t), Listen: listen})
}

func newHostFrom(t testing.TB, r *roster, o Options) *Host {
	t.Helper()
	o.Roles, o.Cut = r.role, r.isCut
	r.set(wire.PeerOf(o.Key), wire.Member)
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// knows tells h where the other host is.
func knows(t testing.TB, h, other *Host) {
	t.Helper()
	if err := h.SetAddresses(other.Peer(), other.Addresses()); err != nil {
		t.Fatal(err)
	}
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, h *Host, to wire.Peer, p wire.Protocol) *Stream {
	t.Helper()
	s, err := h.Open(soon(t), to, p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serveEcho returns each message as it came until the peer closes.
func serveEcho(_ context.Context, s *Stream) error {
	for {
		var m wire.Ack
		if err := s.Receive(&m); err != nil {
			return err
		}
		if err := s.Send(&m); err != nil {
			return err
		}
	}
}

func wantEcho(t testing.TB, s *Stream, number uint64) {
	t.Helper()
	if err := s.Send(&wire.Ack{Number: number}); err != nil {
		t.Fatal(err)
	}
	var got wire.Ack
	if err := s.Receive(&got); err != nil {
		t.Fatal(err)
	}
	if got.Number != number {
		t.Fatalf("echo: got %d, want %d", got.Number, number)
	}
}

func wantRefusal(t testing.TB, err error, code wire.Code, by string) {
	t.Helper()
	var refusal *wire.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got error %v, want a refusal with %v by %s", err, code, by)
	}
	if refusal.Code != code || refusal.By != by {
		t.Fatalf("got %v by %s, want %v by %s", refusal.Code, refusal.By, code, by)
	}
}

func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func count(h *Host, protocol string, code wire.Code, by string) uint64 {
	for _, c := range h.Counts() {
		if c.Protocol == protocol && c.Code == code && c.By == by {
			return c.N
		}
	}
	return 0
}

// bare is libp2p without a Host: a peer that follows none of our rules.
type bare struct {
	*stack
	peer wire.Peer
}

func newBare(t testing.TB, listen ...string) *bare {
	t.Helper()
	key := newKey(t)
	s, err := newStack(key, openGate{}, func(peer.ID) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	for _, l := range listen {
		if err := s.listen(l); err != nil {
			t.Fatal(err)
		}
	}
	return &bare{s, wire.PeerOf(key)}
}

// dial opens a stream to h, without a hello.
func (b *bare) dial(t testing.TB, h *Host) (network.Stream, error) {
	t.Helper()
	b.store.AddAddrs(idOf(h.Peer()), h.stack.swarm.ListenAddresses(), peerstore.PermanentAddrTTL)
	return b.swarm.NewStream(soon(t), idOf(h.Peer()))
}

// open opens a stream to h that is served.
func (b *bare) open(t testing.TB, h *Host, p wire.Protocol) network.Stream {
	t.Helper()
	s, err := b.dial(t, h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(hello(p.ID)); err != nil {
		t.Fatal(err)
	}
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := hear(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// wantReset reads s to its end, which is to be a reset with code.
func wantReset(t testing.TB, s network.Stream, code wire.Code) {
	t.Helper()
	_, err := io.ReadAll(s)
	if got := peerCode(err); got != code {
		t.Fatalf("stream ended with %v (%v), want %v", got, err, code)
	}
}

// openGate lets everybody through.
type openGate struct{}

func (openGate) InterceptPeerDial(peer.ID) bool               { return true }
func (openGate) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }
func (openGate) InterceptAccept(network.ConnMultiaddrs) bool  { return true }
func (openGate) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}
func (openGate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// logTo returns a logger that writes everything to w.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
