package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/protocol/feed"
)

// rows is every row of the tables of a feed's entries.
func rows(t testing.TB, s *Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	view(t, s, func(tx *Tx) error {
		var errs []error
		for _, table := range []byte{tableEntry, tableTagged} {
			errs = append(errs, tx.scan([]byte{table}, []byte{table}, func(k, v []byte) error {
				if len(v) > 0 { // else nothing of a tag stands
					out[string(k)] = string(v)
				}
				return nil
			}))
		}
		return errors.Join(errs...)
	})
	return out
}

// step is one call of Move: the numbers that stay, up to a head.
func step(t testing.TB, s *Store, id feed.ID, from, to feed.Position, kept ...feed.Run) {
	t.Helper()
	h := feed.Head{ID: id, Position: to, Signature: signature}
	update(t, s, func(tx *Tx) error { return tx.Move(id, feed.Batch{Head: h, Kept: kept}, from, to) })
}

func TestAFeedMovesToALaterGenerationHeadByHead(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	takes(t, s, everyone, 1, announce(1, 1), announce(2, 2), announce(3, 3), announce(4, 4), withdraw(5, 2), announce(6, 6), announce(7, 7))
	first, second := headAt(everyone, 2, 3).Position, headAt(everyone, 2, 6).Position
	step(t, s, everyone, feed.Start(everyone, 2), first, feed.Run{First: 1, Last: 1}, feed.Run{First: 3, Last: 3})
	view(t, s, func(tx *Tx) error {
		f, err := tx.Feed(everyone)
		equal(t, "feed between generations", f, Feed{ID: everyone, Generation: 1, Moving: &first})
		if _, err := tx.Batch(everyone, 0); !errors.Is(err, ErrMoving) {
			t.Errorf("Batch = %v, want %v", err, ErrMoving)
		}
		p, err2 := tx.Position(everyone)
		equal(t, "position", p, headAt(everyone, 1, 7).Position)
		return errors.Join(err, err2)
	})
	step(t, s, everyone, first, second, feed.Run{First: 4, Last: 4}, feed.Run{First: 6, Last: 6})
	update(t, s, func(tx *Tx) error { return tx.Moved(everyone) })
	view(t, s, func(tx *Tx) error {
		b, err := tx.Batch(everyone, 0)
		equal(t, "entries", b.Entries, []feed.Entry{announce(1, 1), announce(3, 3), announce(4, 4), announce(6, 6)})
		f, err2 := tx.Feed(everyone)
		equal(t, "feed", f, Feed{ID: everyone, Generation: 2})
		former, err3 := tx.Heads(everyone, 1, 0, 10)
		equal(t, "heads of the former generation", former, []feed.Head(nil))
		p, err4 := tx.Position(everyone)
		equal(t, "position", p, second)
		return errors.Join(err, err2, err3, err4)
	})
	equal(t, "standing of what went", announcements(t, s, denver, 7), []string(nil))
	equal(t, "standing of what stayed", announcements(t, s, denver, 6), []string{"6 "})
}

func TestAGenerationMayKeepNothing(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	takes(t, s, everyone, 1, announce(1, 1), withdraw(2, 1))
	start := feed.Start(everyone, 2)
	step(t, s, everyone, start, start)
	update(t, s, func(tx *Tx) error { return tx.Moved(everyone) })
	equal(t, "rows", rows(t, s), map[string]string{})
	view(t, s, func(tx *Tx) error {
		p, err := tx.Position(everyone)
		equal(t, "position", p, start)
		return err
	})
}

func TestAStepThatDoesNotFollowOnIsRefused(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	takes(t, s, everyone, 2, announce(1, 1), announce(2, 2))
	at := headAt(everyone, 3, 1).Position
	for name, c := range map[string][2]feed.Position{
		"to the generation held":   {feed.Start(everyone, 2), headAt(everyone, 2, 1).Position},
		"not from the start":       {at, headAt(everyone, 3, 2).Position},
		"to another generation":    {feed.Start(everyone, 3), headAt(everyone, 4, 1).Position},
		"to an earlier generation": {feed.Start(everyone, 1), headAt(everyone, 1, 1).Position},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Update(func(tx *Tx) error {
				return tx.Move(everyone, feed.Batch{Head: feed.Head{ID: everyone, Position: c[1]}}, c[0], c[1])
			})
			if !errors.Is(err, errMove) {
				t.Errorf("Move = %v, want %v", err, errMove)
			}
		})
	}
	if err := s.Update(func(tx *Tx) error { return tx.Moved(everyone) }); !errors.Is(err, errMove) {
		t.Errorf("Moved = %v, want %v", err, errMove)
	}
	step(t, s, everyone, feed.Start(everyone, 3), at, feed.Run{First: 1, Last: 1})
	// A still later generation is begun from its start.
	step(t, s, everyone, feed.Start(everyone, 4), headAt(everyone, 4, 2).Position, feed.Run{First: 2, Last: 2})
	update(t, s, func(tx *Tx) error { return tx.Moved(everyone) })
	view(t, s, func(tx *Tx) error {
		heads, err := tx.Heads(everyone, 3, 0, 10)
		equal(t, "heads of the generation that was given up", heads, []feed.Head(nil))
		return err
	})
}

// TestAMovedFeedIsAFreshCopyOfTheLaterGeneration moves feeds to generations that
// keep anything at all, with a crash between any two steps, and compares with a
// store that has read the later generation from its start.
func TestAMovedFeedIsAFreshCopyOfTheLaterGeneration(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		mem := vfs.NewCrashableMem()
		s := open(t, options("/store", mem))
		var entries, kept []feed.Entry
		for n := uint64(1); n <= uint64(rapid.IntRange(1, 30).Draw(rt, "entries")); n++ {
			e := announce(n, byte(rapid.IntRange(1, 4).Draw(rt, "tag")))
			if n > 1 && rapid.IntRange(0, 2).Draw(rt, "withdraws") == 0 {
				e = withdraw(n, rapid.Uint64Range(1, n-1).Draw(rt, "of"))
			}
			entries = append(entries, e)
			if rapid.IntRange(0, 2).Draw(rt, "kept") > 0 {
				kept = append(kept, e)
			}
		}
		takes(t, s, everyone, 1, entries...)
		crash := func() {
			if rapid.Bool().Draw(rt, "crash") {
				mem = mem.CrashClone(vfs.CrashCloneCfg{})
				s = open(t, options("/store", mem))
			}
		}
		at := feed.Start(everyone, 2)
		step(t, s, everyone, at, at)
		for rest := kept; len(rest) > 0; crash() {
			size := rapid.IntRange(1, len(rest)).Draw(rt, "step")
			to := headAt(everyone, 2, rest[size-1].Number).Position
			step(t, s, everyone, at, to, feed.RunsOf(rest[:size])...)
			at, rest = to, rest[size:]
		}
		update(t, s, func(tx *Tx) error { return tx.Moved(everyone) })
		crash()
		fresh := open(t, options("/store", vfs.NewMem()))
		update(t, fresh, func(tx *Tx) error { return tx.PutEntries(everyone, kept) })
		if diff := cmp.Diff(rows(t, fresh), rows(t, s)); diff != "" {
			rt.Fatalf("rows (-fresh copy +moved):\n%s", diff)
		}
	})
}

func TestADroppedFeedLeavesNothing(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	range1 := group(t, denver, "range")
	takes(t, s, everyone, 1, announce(1, 1), announce(2, 2))
	takes(t, s, range1, 1, announce(1, 1), announce(2, 3))
	only := rows(t, s)
	for k := range only {
		if k[0] == tableEntry && k[6] == 1 || k[0] == tableTagged && k[9] == 3 {
			delete(only, k)
		}
	}
	update(t, s, func(tx *Tx) error { return tx.DropFeed(range1) })
	equal(t, "standing in the other feed", announcements(t, s, denver, 1), []string{"1 "})
	equal(t, "standing in the feed that went", announcements(t, s, denver, 3), []string(nil))
	if diff := cmp.Diff(len(only), len(rows(t, s))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	update(t, s, func(tx *Tx) error { return tx.DropFeed(everyone) })
	equal(t, "rows", rows(t, s), map[string]string{})
	view(t, s, func(tx *Tx) error {
		feeds, err := tx.Feeds(denver)
		equal(t, "feeds", len(feeds), 0)
		heads, err2 := tx.Heads(everyone, 1, 0, 10)
		equal(t, "heads", heads, []feed.Head(nil))
		return errors.Join(err, err2)
	})
	takes(t, s, everyone, 3, announce(4, 1))
	equal(t, "standing when it is held again", announcements(t, s, denver, 1), []string{"4 "})
}

func TestDroppingAFeedThatIsNotHeldLeavesTheOthers(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	takes(t, s, group(t, denver, "range"), 1, announce(1, 1))
	update(t, s, func(tx *Tx) error { return tx.DropFeed(everyone) })
	equal(t, "standing", announcements(t, s, denver, 1), []string{"1 group:range"})
}

// TestWhatIsGoneStaysGoneWhateverIsCompacted: what a row says on a lower level does
// not show again.
func TestWhatIsGoneStaysGoneWhateverIsCompacted(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	takes(t, s, everyone, 1, announce(1, 1), announce(2, 2), announce(3, 2))
	settle(t, s)
	takes(t, s, everyone, 1, withdraw(4, 1), withdraw(5, 2))
	for range 2 {
		equal(t, "standing of 1", announcements(t, s, denver, 1), []string(nil))
		equal(t, "standing of 2", announcements(t, s, denver, 2), []string{"3 "})
		settle(t, s)
	}
	start, to := feed.Start(everyone, 2), headAt(everyone, 2, 3).Position
	step(t, s, everyone, start, to, feed.Run{First: 3, Last: 3})
	update(t, s, func(tx *Tx) error { return tx.Moved(everyone) })
	for range 2 {
		view(t, s, func(tx *Tx) error {
			tags := 0
			err := tx.scan([]byte{tableTagged}, []byte{tableTagged}, func(_, _ []byte) error { tags++; return nil })
			if tags != 1 {
				t.Errorf("%d tags are known after the move, want 1", tags)
			}
			return err
		})
		settle(t, s)
	}
}

// settle moves everything to the last level.
func settle(t testing.TB, s *Store) {
	t.Helper()
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
}

// TestOneStepThatDropsNearlyAllKeepsFewInMemory: what a step holds beside its batch
// does not grow with what it drops, and of the batch nothing is indexed. Tags are
// announced twice, far from each other.
func TestOneStepThatDropsNearlyAllKeepsFewInMemory(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	const entries = 5*droppedAtOnce + 3
	list := make([]feed.Entry, entries)
	for i := range list {
		list[i] = feed.Entry{Number: uint64(i + 1), Kind: feed.Announce, Epoch: 1, Tag: nth(i % (3 * droppedAtOnce))}
	}
	takes(t, s, everyone, 1, list...)
	from, to := feed.Start(everyone, 2), headAt(everyone, 2, entries).Position
	kept := []feed.Run{{First: 7, Last: 7}, {First: entries, Last: entries}}
	update(t, s, func(tx *Tx) error {
		h := feed.Head{ID: everyone, Position: to, Signature: signature}
		err := tx.Move(everyone, feed.Batch{Head: h, Kept: kept}, from, to)
		if size := tx.bulk.Len(); size > 24*entries {
			t.Errorf("the batch has %d bytes for %d entries", size, entries)
		}
		if size := tx.w.Len(); size > 1024 {
			t.Errorf("%d bytes are indexed", size)
		}
		return err
	})
	update(t, s, func(tx *Tx) error { return tx.Moved(everyone) })
	fresh := open(t, options("/store", vfs.NewMem()))
	update(t, fresh, func(tx *Tx) error { return tx.PutEntries(everyone, []feed.Entry{list[6], list[entries-1]}) })
	if diff := cmp.Diff(rows(t, fresh), rows(t, s)); diff != "" {
		t.Errorf("rows (-fresh copy +moved):\n%s", diff)
	}
}
