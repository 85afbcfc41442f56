package node

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// lies puts a host in the place of the agency's node that answers whoever
// follows it with a head of another history.
func (o *office) lies() feed.Head {
	o.t.Helper()
	o.stops()
	keys, err := vault.LoadKeys(filepath.Join(o.dir, identityFile), o.lock)
	if err != nil {
		o.t.Fatal(err)
	}
	w := feed.NewWriter(feed.ID{Author: o.id}, keys.Signing, feed.Start(feed.ID{Author: o.id}, 1))
	if err := w.Append(feed.Entry{Number: 1, Kind: feed.Announce, Epoch: 1}); err != nil {
		o.t.Fatal(err)
	}
	head := w.Close()[0]
	h, err := link.New(link.Options{
		Key: keys.Signing, Listen: o.config.Listen, Log: slog.New(slog.DiscardHandler),
		Roles: func(wire.Peer) wire.Role { return wire.Member },
	})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			o.t.Error(err)
		}
		keys.Destroy()
	})
	h.Handle(wire.ProtocolFeed, func(_ context.Context, s *link.Stream) error {
		var sub wire.Subscribe
		if err := s.Receive(&sub); err != nil {
			return err
		}
		b := feed.Batch{Head: head, Last: 1}
		if err := s.Send(b.Message()); err != nil {
			return err
		}
		var a wire.Ack
		return s.Receive(&a)
	})
	return head
}

func (o *office) troubleWith(id directory.AgencyID) string {
	for _, m := range o.node.Status().Members {
		if m.Agency.ID == id {
			return m.Trouble
		}
	}
	return ""
}

// TestAMemberThatForksItsFeedIsReportedAcrossARestart: the registry does not
// answer at first, and the node is started again before it does.
func TestAMemberThatForksItsFeedIsReportedAcrossARestart(t *testing.T) {
	c, denver, boulder := pair(t)
	c.set(func() { c.deaf = true })
	held := denver.node.flow.head(t, "boulder-so")
	lie := boulder.lies()
	await(t, "the fork to be seen", func() bool {
		return strings.Contains(denver.troubleWith("boulder-so"), "two different feeds of 1 entries")
	})
	denver.stops()
	denver.starts()
	if got := denver.troubleWith("boulder-so"); !strings.Contains(got, "still to be told") {
		t.Errorf("the trouble is %q, want that the registry is still to be told", got)
	}
	c.set(func() { c.deaf = false })
	await(t, "the registry to be told", func() bool {
		return strings.Contains(denver.troubleWith("boulder-so"), "the registry has the proof")
	})
	denver.stops()
	denver.starts()
	await(t, "the registry", denver.node.directory.Reached)
	if err := denver.node.report(); err != nil {
		t.Errorf("reporting again: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.evidence) != 1 {
		t.Fatalf("reported %d times, want once", len(c.evidence))
	}
	first, err1 := feed.ParseHead(c.evidence[0].First)
	second, err2 := feed.ParseHead(c.evidence[0].Second)
	if err1 != nil || err2 != nil || first.Hash != held.Hash || second.Hash != lie.Hash || !first.Verified(boulder.fingerprint()) || !second.Verified(boulder.fingerprint()) {
		t.Errorf("the proof is of %v and %v, want both heads as they were signed", first.Number, second.Number)
	}
}

func TestARegistryThatForksItsDirectoryIsShown(t *testing.T) {
	c, denver, _ := pair(t)
	if got := denver.node.Status().Troubles; len(got) != 0 {
		t.Fatalf("troubles before: %q", got)
	}
	c.change(func(d *directory.Directory) { d.Policy.Refresh = 7 })
	first := c.dir.Version
	await(t, "the directory", func() bool { return denver.node.Directory().Version == first })
	c.change(func(d *directory.Directory) { d.Policy.Refresh, d.Version = 9, d.Version-1 })
	await(t, "the fork to be shown", func() bool {
		return strings.Contains(strings.Join(denver.node.Status().Troubles, " "), "two directories of one version")
	})
	if got := denver.node.Directory().Policy.Refresh; got != 7 {
		t.Errorf("the directory acted on is the second one, with %d", got)
	}
}
