package centre

import (
	"encoding/binary"
	"testing"
	"time"

	"interlock/protocol/wire"
)

func peerNumber(i int) (p wire.Peer) {
	binary.BigEndian.PutUint64(p[:], uint64(i))
	return p
}

func TestOnePeerCannotAskForEver(t *testing.T) {
	now := time.Unix(1, 0)
	l := newLimits(func() time.Time { return now })
	for range askBurst {
		if !l.allow(peerNumber(1), false) {
			t.Fatal("refused within its burst")
		}
	}
	if l.allow(peerNumber(1), false) {
		t.Fatal("allowed beyond its burst")
	}
	if !l.allow(peerNumber(2), false) {
		t.Fatal("another peer was refused")
	}
	now = now.Add(time.Second)
	if !l.allow(peerNumber(1), false) {
		t.Fatal("refused after a second")
	}
}

func TestManyKeysShareOneRateOfApplications(t *testing.T) {
	now := time.Unix(1, 0)
	l := newLimits(func() time.Time { return now })
	allowed := 0
	for i := range 10 * allBurst {
		if l.allow(peerNumber(i), true) {
			allowed++
		}
	}
	if allowed != allBurst {
		t.Fatalf("got %d applications taken, want %d", allowed, allBurst)
	}
	if !l.allow(peerNumber(1), false) {
		t.Fatal("a question was refused because of applications")
	}
}

func TestQuietPeersAreForgottenFirst(t *testing.T) {
	now := time.Unix(1, 0)
	l := newLimits(func() time.Time { return now })
	for i := range remembered {
		if !l.allow(peerNumber(i), false) {
			t.Fatal("refused before the table was full")
		}
	}
	if l.allow(peerNumber(remembered), false) {
		t.Fatal("allowed with the table full of busy peers")
	}
	now = now.Add(time.Hour)
	if !l.allow(peerNumber(remembered), false) || len(l.peers) != 1 {
		t.Fatalf("after an hour: %d peers remembered, want 1", len(l.peers))
	}
}
