package centre

import (
	"strings"
	"testing"
	"time"

	"interlock/protocol/wire"
)

func TestTheStatusSaysWhatAFollowerActsOn(t *testing.T) {
	t.Parallel()
	n := found(t, 1)
	denver := n.enrolled("denver-pd")
	n.clocks[0].advance(time.Hour)
	st, err := denver.open(0, wire.ProtocolDirectory)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Reset(wire.CodeNone)
	shown := n.servers[0].published.directory().Version
	for _, word := range []*wire.FollowDirectory{
		{Version: 1, Software: "interlock 1.0"}, {Version: shown, Software: "\x1b[2J" + strings.Repeat("x", 1000)},
	} {
		if err := st.Send(word); err != nil {
			t.Fatal(err)
		}
		n.eventually("the follower's word to be noted", func() bool {
			return n.servers[0].activity.of(denver.peer()).version == word.Version
		})
	}
	status, err := n.operator("carol").Status(n.ctx())
	if err != nil {
		t.Fatal(err)
	}
	got := status.Activity["denver-pd"]
	if got.Version != shown || got.Software != "\ufffd[2J"+strings.Repeat("x", softwareLimit-4) {
		t.Fatalf("got version %d by %q, want %d", got.Version, got.Software, shown)
	}
	if seen := time.Unix(int64(got.Seen), 0); time.Until(seen) < 50*time.Minute || time.Until(seen) > 70*time.Minute {
		t.Fatalf("last seen %v, want the server's own clock", seen)
	}
	health := status.Health[1]
	if health == nil || !health.Reachable || health.Generation != 1 {
		t.Fatalf("the server itself: got %v", health)
	}
	// What is not from a member is forgotten when the next directory is published.
	n.enrolled("boulder-pd")
	n.servers[0].activity.mu.Lock()
	defer n.servers[0].activity.mu.Unlock()
	if len(n.servers[0].activity.by) != 1 {
		t.Fatalf("%d followers are remembered, want the member", len(n.servers[0].activity.by))
	}
}

func TestAFollowerThatTalksWithoutEndIsHeardAndHarmsNobody(t *testing.T) {
	t.Parallel()
	n := found(t, 1)
	denver := n.enrolled("denver-pd")
	st, err := denver.open(0, wire.ProtocolDirectory)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		if err := st.Send(&wire.FollowDirectory{Version: uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	n.eventually("the last word", func() bool { return n.servers[0].activity.of(denver.peer()).version == 1999 })
	if d := denver.follows(0); d.Version == 0 {
		t.Fatal("nothing is shown to the next stream")
	}
	// A frame that is none ends the stream, and frees its place.
	if _, err := st.Conn().Write([]byte("\xff\xff\xff\xff garbage")); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = st.Receive(&wire.DirectoryUpdate{})
	}
	for range 3 * wire.ProtocolDirectory.Peer {
		denver.follows(0)
	}
}
