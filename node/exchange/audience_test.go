package exchange

import (
	"bytes"
	"context"
	"io"
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// trio is denver, who announces, boulder, who is in all its audiences, and aurora,
// who is in that of every member alone.
func trio(t *testing.T) (denver, boulder, aurora *member) {
	t.Helper()
	tn := newTown(t, "aurora-pd", "boulder-so", "denver-pd")
	return tn.members["denver-pd"], tn.members["boulder-so"], tn.members["aurora-pd"]
}

// everything is all that a subscriber is sent until the end, byte for byte.
func everything(t *testing.T, m, from *member, sub *wire.Subscribe) (frames [][]byte, end error) {
	t.Helper()
	s := m.subscribes(from, sub)
	for {
		var b wire.Batch
		if err := s.Receive(&b); err != nil {
			return frames, err
		}
		raw, err := wire.Marshal(&b)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, raw)
		if err := s.Send(&wire.Ack{Audience: b.Head.Audience, Generation: b.Head.Generation, Number: b.Head.Number}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOutsideItsAudienceAFeedDoesNotExist: whatever an outsider asks for, and
// whomever it asks, it is sent the same bytes whether the feed is there or not.
func TestOutsideItsAudienceAFeedDoesNotExist(t *testing.T) {
	few := listed(t, "boulder-so")
	start := feed.Start(feed.ID{Author: "denver-pd", Audience: few}, 1)
	secret := feed.ID{Author: "denver-pd", Audience: few}
	asks := map[string][]*wire.FeedPosition{
		"nothing of it":      nil,
		"it from its start":  {position(secret, start)},
		"it from an entry":   {position(secret, feed.Position{Generation: 1, Number: 2, Hash: start.Hash})},
		"it from beyond":     {position(secret, feed.Position{Generation: 1, Number: 1 << 40, Hash: start.Hash})},
		"a later generation": {position(secret, feed.Position{Generation: 9, Number: 1, Hash: start.Hash})},
		"a former one":       {{Audience: few.String(), Generation: 0, Number: 3, Held: 5}},
	}
	with, without := map[string][][]byte{}, map[string][][]byte{}
	for _, there := range []bool{true, false} {
		denver, boulder, aurora := trio(t)
		denver.writes(directory.Everyone, 2)
		if there {
			denver.writes(few, 3)
			boulder.write(t, secret, denver.key, 3)
		}
		boulder.write(t, denver.all, denver.key, 2)
		for name, feeds := range asks {
			for _, holder := range []*member{denver, boulder} {
				frames, end := everything(t, aurora, holder, &wire.Subscribe{Author: "denver-pd", Feeds: feeds, Once: true})
				if end != io.EOF || len(frames) != 1 {
					t.Errorf("%s, there %t, of %s: %d frames and %v, want the feed for every member and the end", name, there, holder.agency.ID, len(frames), end)
				}
				list := without
				if there {
					list = with
				}
				list[name+" of "+string(holder.agency.ID)] = frames
			}
		}
	}
	for name, frames := range with {
		if !bytes.Equal(bytes.Join(frames, nil), bytes.Join(without[name], nil)) {
			t.Errorf("asking for %s: what is sent depends on whether the feed is there", name)
		}
	}
}

// TestWhatIsWrittenForOthersWakesNobodyElse: an outsider who follows is sent
// nothing when a feed grows that is not for it.
func TestWhatIsWrittenForOthersWakesNobodyElse(t *testing.T) {
	denver, boulder, aurora := trio(t)
	few := listed(t, "boulder-so")
	denver.writes(directory.Everyone, 1)
	s := aurora.subscribes(denver, &wire.Subscribe{Author: "denver-pd"})
	if b := batch(t, s); b.Head.Number != 1 {
		t.Fatalf("head %d, want 1", b.Head.Number)
	}
	boulder.follow(denver)
	for n := range 5 {
		id := denver.writes(few, 1)
		boulder.await(t, boulder.has(id, n+1))
	}
	denver.writes(directory.Everyone, 1)
	if b := batch(t, s); b.Head.Number != 2 || b.Head.Audience != "" || len(b.Entries) != feed.EntrySize {
		t.Errorf("the next is head %d for %q, want the second entry for every member", b.Head.Number, b.Head.Audience)
	}
}

// TestAFeedThatIsOpenedArrivesOnTheSameStream: one for a list that is begun while a
// member of it follows, and one for a group that the member comes into.
func TestAFeedThatIsOpenedArrivesOnTheSameStream(t *testing.T) {
	denver, boulder, _ := trio(t)
	border, err := directory.GroupAudience("border")
	if err != nil {
		t.Fatal(err)
	}
	denver.writes(directory.Everyone, 1)
	group := denver.writes(border, 4)
	boulder.follow(denver)
	boulder.await(t, boulder.has(denver.all, 1))
	few := denver.writes(listed(t, "boulder-so"), 3)
	boulder.await(t, boulder.has(few, 3))

	d := *denver.directory()
	d.Policy.Groups = []directory.Group{{Name: "border", Agencies: []directory.AgencyID{"boulder-so", "denver-pd"}}}
	denver.town.directory.Store(&d)
	if n := boulder.count(group); n != 0 {
		t.Errorf("%d entries for a group that boulder was not in", n)
	}
	denver.writes(directory.Everyone, 1) // as any change, or the next heartbeat, it makes the server look
	boulder.await(t, boulder.has(group, 4))
	if n := denver.streams.Load(); n != 1 {
		t.Errorf("%d subscriptions, want one", n)
	}
}

// TestWhoLeavesAnAudienceIsSentNoMore: on the stream that is there.
func TestWhoLeavesAnAudienceIsSentNoMore(t *testing.T) {
	denver, boulder, _ := trio(t)
	border, err := directory.GroupAudience("border")
	if err != nil {
		t.Fatal(err)
	}
	in := *denver.directory()
	out := in
	in.Policy.Groups = []directory.Group{{Name: "border", Agencies: []directory.AgencyID{"boulder-so", "denver-pd"}}}
	denver.town.directory.Store(&in)
	group := denver.writes(border, 4)
	denver.writes(directory.Everyone, 1)
	boulder.follow(denver)
	boulder.await(t, func() bool { return boulder.has(group, 4)() && boulder.has(denver.all, 1)() })
	denver.town.directory.Store(&out)
	denver.writes(border, 4)
	denver.writes(directory.Everyone, 1)
	boulder.await(t, boulder.has(denver.all, 2))
	if n := boulder.count(group); n != 4 || denver.sent[group] != 4 {
		t.Errorf("%d entries held and %d sent, want the 4 of before", n, denver.sent[group])
	}
}

// pulls fetches once from a holder what it has of denver's feeds.
func (m *member) pulls(t *testing.T, from, author *member) int {
	t.Helper()
	entries, err := m.followers.Pull(context.Background(), from.agency.Key, author.agency)
	if err != nil {
		t.Fatalf("pull from %s: %v", from.agency.ID, err)
	}
	return entries
}

// TestAHolderServesWhatItHas: not the author, and with heads where its own batches
// ended; and once it is all there the stream ends.
func TestAHolderServesWhatItHas(t *testing.T) {
	denver, boulder, aurora := trio(t)
	for range 15 {
		denver.writes(directory.Everyone, 1)
	}
	if n := aurora.pulls(t, denver, denver); n != 15 {
		t.Errorf("%d entries pulled from the author, want 15", n)
	}
	denver.writes(directory.Everyone, 3000)
	few := denver.writes(listed(t, "aurora-pd", "boulder-so"), 5)
	if n := boulder.pulls(t, denver, denver); n != 3020 {
		t.Errorf("%d entries pulled from the author, want 3020", n)
	}
	if n := aurora.pulls(t, boulder, denver); n != 3005 {
		t.Errorf("%d entries pulled from another holder, want the 3005 that were missing", n)
	}
	for _, id := range []feed.ID{denver.all, few} {
		holdsTheSame(t, id, denver, aurora)
	}
	if n := aurora.pulls(t, boulder, denver); n != 0 {
		t.Errorf("%d entries pulled where there is nothing new, want none", n)
	}
	for range 2 {
		if err := <-boulder.served; err != nil {
			t.Errorf("a subscription ended with %v, want none", err)
		}
	}
}

// TestAHolderIsSilentAboutWhatItHasLessOf: the reader neither loses what it has nor
// is told that anything is wrong, whatever generation either is in.
func TestAHolderIsSilentAboutWhatItHasLessOf(t *testing.T) {
	for name, compact := range map[string]func(holder, reader *shelf, id feed.ID, m *member){
		"fewer entries":                     func(_, _ *shelf, _ feed.ID, _ *member) {},
		"a former generation":               func(_, reader *shelf, id feed.ID, m *member) { reader.compact(id, m.key) },
		"fewer entries, a later generation": func(holder, _ *shelf, id feed.ID, m *member) { holder.compact(id, m.key) },
	} {
		t.Run(name, func(t *testing.T) {
			denver, boulder, aurora := trio(t)
			boulder.write(t, denver.all, denver.key, 10)
			aurora.write(t, denver.all, denver.key, 10)
			aurora.write(t, denver.all, denver.key, 5)
			compact(boulder.shelf, aurora.shelf, denver.all, denver)
			if n := aurora.pulls(t, boulder, denver); n != 0 || aurora.count(denver.all) != 15 {
				t.Errorf("%d entries pulled and %d held, want none and 15", n, aurora.count(denver.all))
			}
			if err := <-boulder.served; err != nil {
				t.Errorf("the subscription ended with %v, want none", err)
			}
		})
	}
}

// TestAHolderThatCatchesUpIsHeard: who waits at it is sent what it comes to have.
func TestAHolderThatCatchesUpIsHeard(t *testing.T) {
	denver, boulder, aurora := trio(t)
	boulder.write(t, denver.all, denver.key, 10)
	aurora.write(t, denver.all, denver.key, 15)
	at := aurora.copyOf(denver.all).at()
	s := aurora.subscribes(boulder, &wire.Subscribe{Author: "denver-pd", Feeds: []*wire.FeedPosition{position(denver.all, at)}})
	boulder.write(t, denver.all, denver.key, 3)
	boulder.write(t, denver.all, denver.key, 7)
	b := batch(t, s)
	for b.Head.Number == 15 { // it may see the two at once, or the first alone
		b = batch(t, s)
	}
	if b.Head.Number != 20 || len(b.Entries) != 5*feed.EntrySize {
		t.Errorf("head %d with %d bytes of entries, want the 5 up to 20", b.Head.Number, len(b.Entries))
	}
}

// TestAHolderMovesOthersToo: a compacted generation spreads without its author.
func TestAHolderMovesOthersToo(t *testing.T) {
	denver, boulder, aurora := trio(t)
	denver.writes(directory.Everyone, 3000)
	denver.withdraw(t, denver.all, denver.key, 3, 3000)
	aurora.pulls(t, denver, denver)
	denver.compact(denver.all, denver.key)
	denver.writes(directory.Everyone, 5)
	boulder.pulls(t, denver, denver)
	if n := aurora.pulls(t, boulder, denver); n != 5 {
		t.Errorf("%d entries pulled, want the 5 new ones", n)
	}
	holdsTheSame(t, denver.all, denver, aurora)
}
