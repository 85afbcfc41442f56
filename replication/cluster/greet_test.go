package cluster

import (
	"context"
	"testing"

	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// A call that was given up as its stream broke once reset a stream that was
// there no more, and took the process with it.
func TestACallGivenUpAsItsStreamBreaksIsAnError(t *testing.T) {
	n := newTestnet(t, 1)
	to := server{index: 2, peer: n.join()}
	if err := n.clusters[0].host.SetAddresses(to.peer, n.addresses[1]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.hosts[1].Close(); err != nil {
			t.Error(err)
		}
	})
	given := make(chan context.CancelFunc, 1)
	n.hosts[1].Handle(wire.ProtocolRaft, func(_ context.Context, s *link.Stream) error {
		if _, err := hear(s.Conn()); err != nil {
			return err
		}
		(<-given)()
		return wire.Refuse(wire.CodeUnavailable, ErrClosed)
	})
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		given <- cancel
		if s, _, err := n.clusters[0].greet(ctx, to, progress); err == nil || s != nil {
			t.Fatalf("got stream %v, %v, want an error", s, err)
		}
	}
}
