package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"interlock/protocol/wire"
)

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

// mute accepts TCP connections and says nothing, and tells of each.
func mute(t *testing.T) (addr string, came <-chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 1)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			conns <- c
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		accepting.Wait()
	})
	return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port), conns
}

func TestCloseAndContextEndADial(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(h *Host, cancel func()) error
		want func(error) bool
	}{
		"close": {func(h *Host, _ func()) error { return h.Close() }, func(err error) bool {
			var refusal *wire.Refusal
			return errors.As(err, &refusal) && refusal.Code == wire.CodeUnavailable
		}},
		"context": {func(_ *Host, cancel func()) error { cancel(); return nil }, func(err error) bool {
			return errors.Is(err, context.Canceled)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			addr, came := mute(t)
			r := newRoster()
			h := newHost(t, r)
			nobody := wire.PeerOf(newKey(t))
			r.set(nobody, wire.Member)
			if err := h.SetAddresses(nobody, []string{addr}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			opened := make(chan error, 1)
			go func() {
				_, err := h.Open(ctx, nobody, echo)
				opened <- err
			}()
			receive(t, came)
			if err := end.do(h, cancel); err != nil {
				t.Error(err)
			}
			if err := receive(t, opened); !end.want(err) {
				t.Errorf("open ended with %v", err)
			}
		})
	}
}

func TestAnUnreachablePeerIsToldWhereItWasSought(t *testing.T) {
	r := newRoster()
	gone := newHost(t, r, transports["tcp"])
	addr := gone.Addresses()[0]
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	other := newHost(t, r, transports["tcp"])
	unknownPeer := wire.PeerOf(newKey(t))
	r.set(unknownPeer, wire.Member)
	h := newHost(t, r)
	tests := map[string]struct {
		to    wire.Peer
		addrs []string
		want  string
	}{
		"nobody listens": {gone.Peer(), []string{addr}, addr + " nobody listens"},
		"another answers": {unknownPeer, other.Addresses(), other.Addresses()[0] +
			" answers with another key"},
		"no address": {unknownPeer, nil, "no address known"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := h.SetAddresses(test.to, test.addrs); err != nil {
				t.Fatal(err)
			}
			_, err := h.Open(soon(t), test.to, echo)
			if !errors.Is(err, ErrUnreachable) || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("got %v, want it to end in %q", err, test.want)
			}
			if strings.Contains(err.Error(), idOf(test.to).String()) {
				t.Errorf("error holds a whole key: %v", err)
			}
		})
	}
}

func TestNewAddressesReplaceTheOld(t *testing.T) {
	r := newRoster()
	key := newKey(t)
	h := newHost(t, r)
	for i := range uint64(2) {
		moving := newHostFrom(t, r, Options{Key: key, Listen: []string{transports["tcp"]}})
		moving.Handle(echo, serveEcho)
		if err := h.SetAddresses(moving.Peer(), moving.Addresses()); err != nil {
			t.Fatal(err)
		}
		wantEcho(t, open(t, h, moving.Peer(), echo), i+1)
		if err := moving.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(h.stack.store.Addrs(idOf(wire.PeerOf(key)))); got != 1 {
		t.Errorf("addresses kept: got %d, want 1", got)
	}
}

func TestAContextEndsAnOpen(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		h, mute := newHost(t, r), newBare(t, listen)
		r.set(mute.peer, wire.Member)
		ctx, cancel := context.WithCancel(t.Context())
		mute.swarm.SetStreamHandler(func(s network.Stream) {
			if _, err := hear(s); err != nil {
				t.Error(err)
			}
			cancel()
		})
		if err := h.SetAddresses(mute.peer, []string{mute.swarm.ListenAddresses()[0].String()}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Open(ctx, mute.peer, echo); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
}
