package node

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

func TestAForkIsKeptOnceAndNothingMoreIsTakenUntilTheAuthorIsBack(t *testing.T) {
	r := &registry{}
	disk := vfs.NewCrashableMem()
	denver, boulder := openDesktop(t, "denver-pd", r, disk, nil), newDesktop(t, "boulder-so", r)
	denver.join(t, boulder.agency)
	denver.open(t, 1)
	boulder.open(t, 1)
	p := people(t, 2)
	denver.enter(t, 1, p...)
	boulder.enter(t, 1, p[0])
	denver.fetch(t, boulder, false)
	first := denver.flow.head(t, boulder.agency.ID)
	theirs := feed.ID{Author: boulder.agency.ID}
	second := feed.NewWriter(theirs, signingKey(boulder.agency.ID), feed.Start(theirs, 1))
	if err := second.Append(feed.Entry{Number: 1, Kind: feed.Announce, Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := denver.flow.Convict(first, second.Close()[0]); err != nil {
			t.Fatal(err)
		}
	}
	denver = openDesktop(t, "denver-pd", r, disk.CrashClone(vfs.CrashCloneCfg{}), nil)
	denver.join(t, boulder.agency)
	list, err := denver.flow.forks()
	if err != nil || len(list) != 1 || list[0].Told || list[0].First.Hash != first.Hash || list[0].Second.Hash == first.Hash ||
		!list[0].First.Verified(boulder.agency.Key) || !list[0].Second.Verified(boulder.agency.Key) {
		t.Fatalf("after a crash %d forks are known, %v; want the one, still to be told", len(list), err)
	}
	boulder.enter(t, 1, p[1])
	b, err := boulder.flow.Batch(theirs, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := denver.flow.Arrive(boulder.agency, []feed.Batch{b}); !errors.Is(err, feed.ErrForged) {
		t.Errorf("what a forked feed goes on with: %v, want %v", err, feed.ErrForged)
	}
	b.Entries, b.Head = nil, first
	if err := denver.flow.Arrive(boulder.agency, []feed.Batch{b}); !errors.Is(err, feed.ErrForged) {
		t.Errorf("a forked feed's heartbeat: %v, want %v", err, feed.ErrForged)
	}
	out := boulder.agency
	out.Status = directory.Suspended
	denver.join(t, out)
	if list, err := denver.flow.forks(); err != nil || len(list) != 1 {
		t.Errorf("suspended: %d forks known, %v; want one", len(list), err)
	}
	denver.join(t, boulder.agency)
	denver.derive(t)
	denver.fetch(t, boulder, false)
	if got := denver.meetings(t); len(got) != 1 || len(got[0].Values) != 2 {
		t.Errorf("alerts %v once it is back, want one on both", got)
	}
	if list, err := denver.flow.forks(); err != nil || len(list) != 0 {
		t.Errorf("back: %d forks known, %v; want none", len(list), err)
	}
}

func TestOneForkIsKeptForEachAuthorAndNumber(t *testing.T) {
	denver := newDesktop(t, "denver-pd", &registry{})
	head := func(author directory.AgencyID, n uint64, hash byte) feed.Head {
		return feed.Head{ID: feed.ID{Author: author}, Position: feed.Position{Generation: 1, Number: n, Hash: feed.Hash{hash}}, Signature: []byte{1}}
	}
	err := denver.store.Update(func(tx *store.Tx) error {
		for _, f := range []struct {
			author directory.AgencyID
			n      uint64
			want   bool
		}{{"a1", 1, true}, {"a1", 1, false}, {"a1", 2, true}, {"a12", 1, true}} {
			got, err := tx.AddFork(store.Fork{First: head(f.author, f.n, 1), Second: head(f.author, f.n, 2)})
			if err != nil || got != f.want {
				t.Errorf("fork of %s at %d: added %t, %v; want %t", f.author, f.n, got, err, f.want)
			}
		}
		return tx.DropForks("a1")
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := denver.flow.forks()
	if err != nil || len(list) != 1 || list[0].First.Author != "a12" {
		t.Errorf("left: %v, %v; want that of a12", list, err)
	}
}
