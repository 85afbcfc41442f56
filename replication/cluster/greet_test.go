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

// A link that listens before its server is there refuses as one does that does
// not know who calls. Servers that were started together once took that for
// their removal.
func TestServersThatAreBeingStartedRemoveNobody(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	for i := range 2 {
		n.stop(i)
		n.listen(i) // and no more
	}
	n.await(2, "both refusals", func(c *Cluster) bool { return len(c.Status().RefusedBy) == 2 })
	if got := n.clusters[2].Status().Standing; got != Voting {
		t.Fatalf("got it %s, want voting", got)
	}
	taken := make(chan error, 1)
	c, ctx := n.clusters[2], n.ctx()
	go func() {
		_, err := c.Propose(ctx, command)
		taken <- err
	}()
	n.start(0)
	n.start(1)
	if err := <-taken; err != nil {
		t.Fatalf("proposed while they were started: %v", err)
	}
}
