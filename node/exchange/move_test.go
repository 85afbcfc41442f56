package exchange

import (
	"errors"
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// withWithdrawals is a pair of whom boulder holds denver's feed: 5000 entries, of
// which a third is withdrawn, in 6666 together.
func withWithdrawals(t *testing.T) (denver, boulder *member) {
	t.Helper()
	denver, boulder = pair(t)
	for range 5 {
		denver.writes(directory.Everyone, 1000)
	}
	denver.withdraw(t, denver.all, denver.key, 3, 5000)
	stop := boulder.follow(denver)
	boulder.await(t, boulder.has(denver.all, 6666))
	stop()
	<-denver.served
	drain(denver)
	denver.sent[denver.all], boulder.taken = 0, nil
	return denver, boulder
}

// drain forgets what the member was told until now.
func drain(m *member) {
	for len(m.acks) > 0 {
		<-m.acks
	}
}

// arrived is how many entries have come over the wire, and how many batches that
// say what stays.
func (m *member) arrived() (entries, kept int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.taken {
		entries += len(b.Entries)
		if b.Kept != nil {
			kept++
		}
	}
	return entries, kept
}

// holdsTheSame waits until two members hold the same of a feed, and checks it with
// what somebody has who reads it from the start.
func holdsTheSame(t *testing.T, id feed.ID, author, reader *member) {
	t.Helper()
	want := author.copyOf(id)
	reader.await(t, reader.holdsSame(id, want))
	got := reader.copyOf(id)
	if got.generation != want.generation || got.heads[len(got.heads)-1].Hash != want.heads[len(want.heads)-1].Hash {
		t.Errorf("held is generation %d up to %d, want %d up to %d", got.generation, got.at().Number, want.generation, want.at().Number)
	}
}

func TestACompactedGenerationIsMovedToWithoutFetchingWhatIsHeld(t *testing.T) {
	denver, boulder := withWithdrawals(t)
	denver.compact(denver.all, denver.key)
	denver.writes(directory.Everyone, 10)
	boulder.follow(denver)
	holdsTheSame(t, denver.all, denver, boulder)
	if entries, kept := boulder.arrived(); entries != 10 || kept < 3 {
		t.Errorf("%d entries came, and %d batches that say what stays; want the 10 new ones", entries, kept)
	}
	if got := denver.sent[denver.all]; got != 10 {
		t.Errorf("%d entries were sent, want the 10 new ones", got)
	}
}

// TestAFollowedFeedMovesUnderItsReader: on the stream that is there.
func TestAFollowedFeedMovesUnderItsReader(t *testing.T) {
	denver, boulder := withWithdrawals(t)
	boulder.follow(denver)
	boulder.await(t, func() bool { return len(boulder.taken) > 0 })
	denver.compact(denver.all, denver.key)
	holdsTheSame(t, denver.all, denver, boulder)
	denver.writes(directory.Everyone, 1)
	holdsTheSame(t, denver.all, denver, boulder)
	if entries, _ := boulder.arrived(); entries != 1 {
		t.Errorf("%d entries came, want the new one", entries)
	}
	if n := denver.streams.Load(); n != 2 {
		t.Errorf("%d subscriptions, want the first one and this", n)
	}
}

// TestTheAuthorCountsAMoveOnceItIsOver: what was withdrawn is still on the reader's
// disk until then.
func TestTheAuthorCountsAMoveOnceItIsOver(t *testing.T) {
	denver, boulder := withWithdrawals(t)
	denver.compact(denver.all, denver.key)
	denver.told = func(a acknowledged) {
		boulder.mu.Lock()
		defer boulder.mu.Unlock()
		if h := boulder.feeds[denver.all]; a.generation == 2 && (h.moving != nil || h.generation != 2) {
			t.Errorf("acknowledged %+v, and the reader is still moving", a)
		}
	}
	boulder.follow(denver)
	holdsTheSame(t, denver.all, denver, boulder)
	for a := range denver.acks {
		if a.generation == 2 && a.number == 6666 {
			break
		}
	}
}

var errPower = errors.New("power failure")

// TestAMoveIsResumedWhereverItIsInterrupted: before any batch was kept, and after
// any was, every one of them.
func TestAMoveIsResumedWhereverItIsInterrupted(t *testing.T) {
	for name, breaks := range map[string]func(*shelf){
		"once each is kept": func(l *shelf) { l.after = func(feed.Batch) error { return errPower } },
		"before each is kept": func(l *shelf) {
			seen := map[feed.Position]bool{}
			l.before = func(b feed.Batch) error {
				if !seen[b.Head.Position] {
					seen[b.Head.Position] = true
					return errPower
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			denver, boulder := withWithdrawals(t)
			denver.compact(denver.all, denver.key)
			denver.writes(directory.Everyone, 2000)
			breaks(boulder.shelf)
			boulder.follow(denver)
			holdsTheSame(t, denver.all, denver, boulder)
			if entries, kept := boulder.arrived(); entries != 2000 || kept < 3 {
				t.Errorf("%d entries were kept, and %d batches that say what stays; want the 2000 new ones", entries, kept)
			}
			if n := denver.streams.Load(); n < 6 {
				t.Errorf("%d subscriptions, want one for each interruption", n)
			}
		})
	}
}

// TestASecondCompactionDuringAMove: the reader goes straight to the last
// generation, with what it holds of both former ones.
func TestASecondCompactionDuringAMove(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		denver, boulder := withWithdrawals(t)
		denver.compact(denver.all, denver.key)
		again := false
		boulder.after = func(b feed.Batch) error {
			if !again && b.Kept != nil && b.Head.Number > 1000 {
				again = true
				denver.withdraw(t, denver.all, denver.key, 2, 5000)
				denver.compact(denver.all, denver.key)
				if interrupted {
					return errPower
				}
			}
			return nil
		}
		boulder.follow(denver)
		boulder.await(t, func() bool { return boulder.feeds[denver.all].generation == 3 })
		holdsTheSame(t, denver.all, denver, boulder)
		// Of what the second withdrew, only the last withdrawal is left; a stream that
		// goes on may have carried the others before.
		limit := 1667
		if interrupted {
			limit = 1
		}
		if entries, _ := boulder.arrived(); entries > limit {
			t.Errorf("interrupted %t: %d entries came, want no more than the %d new ones", interrupted, entries, limit)
		}
	}
}

// TestALieAboutWhatStaysIsRefused: and the reader keeps all that it has.
func TestALieAboutWhatStaysIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*feed.Batch)
		want  wire.Code
	}{
		"one left out":      {func(b *feed.Batch) { b.Kept = b.Kept[1:] }, wire.CodeGap},
		"one that was gone": {func(b *feed.Batch) { b.Kept[0].Last++; b.Kept[1].First++ }, wire.CodeGap},
		"more than is held": {func(b *feed.Batch) { b.Kept[len(b.Kept)-1] = feed.Run{First: 1 << 40, Last: 1 << 40} }, wire.CodeGap},
		"an altered head":   {func(b *feed.Batch) { b.Head.Hash[0] ^= 1 }, wire.CodeGap},
		"another signature": {func(b *feed.Batch) { b.Head.Signature[0] ^= 1 }, wire.CodeForged},
	} {
		t.Run(name, func(t *testing.T) {
			denver, boulder := withWithdrawals(t)
			denver.compact(denver.all, denver.key)
			denver.mu.Lock()
			denver.spoil = func(b *feed.Batch) {
				b.Head.Signature = append([]byte{}, b.Head.Signature...)
				tt.spoil(b)
			}
			denver.mu.Unlock()
			before := boulder.copyOf(denver.all)
			boulder.follow(denver)
			wantRefused(t, <-denver.served, tt.want, "peer")
			if now := boulder.copyOf(denver.all); now.moving != nil || len(now.entries) != len(before.entries) {
				t.Errorf("%d entries held, moving %t; want the %d of before", len(now.entries), now.moving != nil, len(before.entries))
			}
		})
	}
}
