package centre

import (
	"errors"
	"io"
	"testing"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// follows returns the first directory that server i sends.
func (c *client) follows(i int) *directory.Directory {
	c.net.t.Helper()
	var u wire.DirectoryUpdate
	if err := c.ask(i, wire.ProtocolDirectory, &wire.FollowDirectory{}, &u); err != nil {
		c.net.t.Fatal(err)
	}
	d, err := c.net.network.Trust().Verify(u.Signed)
	if err != nil {
		c.net.t.Fatal(err)
	}
	return d
}

func TestASuspendedMemberIsCutOff(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver, boulder := n.enrolled("denver-pd"), n.enrolled("boulder-pd")
	request, _ := denver.blind(0, []oprf.Index{1, 2}, "j.doe@example.org")
	var streams []*link.Stream
	for i := range n.servers {
		st, err := denver.open(i, wire.ProtocolDirectory)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Send(&wire.FollowDirectory{Version: 9999}); err != nil {
			t.Fatal(err)
		}
		var alive wire.DirectoryUpdate
		if err := st.Receive(&alive); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, st)
	}
	st, err := denver.open(0, wire.ProtocolEvaluate)
	if err != nil {
		t.Fatal(err)
	}
	var answer wire.EvaluateResponse
	for range 2 { // many requests on one stream
		if err := errors.Join(st.Send(request), st.Receive(&answer)); err != nil {
			t.Fatal(err)
		}
	}
	n.decide("bob", Suspend, "denver-pd", "key stolen")
	for i, open := range append(streams, st) {
		var m wire.DirectoryUpdate
		err := open.Receive(&m)
		var refusal *wire.Refusal
		if err == nil || err == io.EOF || errors.As(err, &refusal) && refusal.Code != wire.CodeRefused {
			t.Fatalf("stream %d: got %v, want it cut", i, err)
		}
	}
	for i := range n.servers {
		for _, p := range []wire.Protocol{wire.ProtocolEvaluate, wire.ProtocolDirectory} {
			wantRefusal(t, p.ID, denver.ask(i, p, request, &answer), wire.CodeRefused)
		}
		m, err := denver.admission(i, nil)
		if err != nil || directory.Status(m.Status) != directory.Suspended || m.Refusal != "key stolen" || m.Secrets != nil {
			t.Fatalf("standing at server %d: got %v, %v", i+1, m, err)
		}
	}
	if err := boulder.ask(0, wire.ProtocolEvaluate, request, &answer); err != nil {
		t.Fatalf("the others: %v", err)
	}
	boulder.awaitFollowed(0, func(d *directory.Directory) bool {
		a, ok := d.Agency("denver-pd")
		return ok && a.Status == directory.Suspended
	})
}

// awaitFollowed follows server i until it sends what is wanted.
func (c *client) awaitFollowed(i int, wanted func(*directory.Directory) bool) {
	c.net.t.Helper()
	st, err := c.open(i, wire.ProtocolDirectory)
	if err != nil {
		c.net.t.Fatal(err)
	}
	defer st.Reset(wire.CodeNone)
	if err := st.Send(&wire.FollowDirectory{}); err != nil {
		c.net.t.Fatal(err)
	}
	for chain := directory.NewChain(c.net.network); ; {
		var u wire.DirectoryUpdate
		if err := st.Receive(&u); err != nil {
			c.net.t.Fatal(err)
		}
		if u.Signed == nil {
			continue
		}
		if chain, _, err = chain.Take(u.Signed); err != nil {
			c.net.t.Fatal(err)
		}
		if wanted(chain.Directory()) {
			return
		}
	}
}

func TestAFollowerIsSentEveryNewDirectory(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	seen := make(chan struct{})
	go func() {
		defer close(seen)
		denver.awaitFollowed(2, func(d *directory.Directory) bool { return len(d.Agencies) == 2 })
	}()
	n.enrolled("boulder-pd")
	<-seen
	// Who left does not hold its place.
	for range 3 * wire.ProtocolDirectory.Peer {
		denver.follows(2)
	}
}
