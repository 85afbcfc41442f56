package cluster

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAMeasureFollowsTheLogAndTheSnapshot(t *testing.T) {
	n := newTestnet(t, 3)
	leader := n.leader()
	c := n.clusters[leader]
	before, err := c.Measure()
	if err != nil {
		t.Fatal(err)
	}
	if before.Voters != 3 || before.Following != 0 || before.Term == 0 || !before.Heard.IsZero() || before.SnapshotIndex != 0 || !before.SnapshotAt.IsZero() {
		t.Fatalf("got %+v, want three voters, a term, and no snapshot", before)
	}
	began := time.Now()
	n.publish(0, 1, 2)
	after, err := c.Measure()
	if err != nil {
		t.Fatal(err)
	}
	if after.Last <= before.Last || after.Committed <= before.Committed || after.Applied < after.Committed-1 || after.LogBytes <= 0 {
		t.Fatalf("got %+v after %+v, want indices that rose", after, before)
	}
	if err := c.Compact(); err != nil {
		t.Fatal(err)
	}
	compacted, err := c.Measure()
	if err != nil {
		t.Fatal(err)
	}
	if compacted.SnapshotIndex < after.Applied || compacted.SnapshotAt.Before(began.Truncate(time.Millisecond)) || compacted.SnapshotAt.After(time.Now()) {
		t.Fatalf("got a snapshot of %d at %v, want %d or later, now", compacted.SnapshotIndex, compacted.SnapshotAt, after.Applied)
	}
	other := n.others(leader)[0]
	follower, err := n.clusters[other].Measure()
	if err != nil || follower.Heard.IsZero() || follower.Voters != 3 {
		t.Fatalf("a follower: got %+v, %v, want when it heard the leader", follower, err)
	}
}

func TestTheNewestWholeSnapshotIsMeasured(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"2-100-1700000000000", "3-250-1700000009000", "3-999-1700000010000.tmp", "2-90-1800000000000", "junk", "3-+300-1"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var m Measure
	if err := m.readSnapshot(dir); err != nil {
		t.Fatal(err)
	}
	if m.SnapshotIndex != 250 || !m.SnapshotAt.Equal(time.UnixMilli(1700000009000)) {
		t.Fatalf("got %d at %v, want 250", m.SnapshotIndex, m.SnapshotAt)
	}
	if err := m.readSnapshot(filepath.Join(dir, "none")); err != nil {
		t.Fatalf("before the first: %v", err)
	}
}
