package exchange

import (
	"context"
	"errors"
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// pair is denver, who serves, and boulder, who may follow.
func pair(t *testing.T) (denver, boulder *member) {
	t.Helper()
	tn := newTown(t, "boulder-so", "denver-pd")
	return tn.members["denver-pd"], tn.members["boulder-so"]
}

// wantRefused checks how a subscription of another's ended.
func wantRefused(t testing.TB, err error, want wire.Code, by string) {
	t.Helper()
	var r *wire.Refusal
	if !errors.As(err, &r) || r.Code != want || r.By != by {
		t.Errorf("the subscription ended with %v, want code %v by %s", err, want, by)
	}
}

func TestAFollowerGetsEverythingOnceAndThenWhatIsNew(t *testing.T) {
	denver, boulder := pair(t)
	denver.writes(directory.Everyone, 3000)
	boulder.follow(denver)
	boulder.await(t, boulder.has(denver.all, 3000))
	for n := range 20 {
		denver.writes(directory.Everyone, 1)
		boulder.await(t, boulder.has(denver.all, 3001+n))
	}
	pr := boulder.followers.Progress()
	if len(pr) != 1 || !pr[0].Connected || pr[0].Trouble != "" {
		t.Errorf("Progress = %+v, want connected", pr)
	}
	if got := denver.sent[denver.all]; got != 3020 {
		t.Errorf("%d entries were sent, want each of the 3020 once", got)
	}
}

func TestAFollowerResumesByNumberAfterABreak(t *testing.T) {
	denver, boulder := pair(t)
	denver.writes(directory.Everyone, 10)
	stop := boulder.follow(denver)
	boulder.await(t, boulder.has(denver.all, 10))
	stop()
	denver.writes(directory.Everyone, 5)
	boulder.follow(denver)
	boulder.await(t, boulder.has(denver.all, 15))
}

func TestAnEmptyFeedIsFollowedUntilItsFirstEntry(t *testing.T) {
	denver, boulder := pair(t)
	denver.writes(directory.Everyone, 0)
	boulder.follow(denver)
	boulder.await(t, func() bool { return len(boulder.taken) > 0 })
	denver.writes(directory.Everyone, 1)
	boulder.await(t, boulder.has(denver.all, 1))
}

// TestTheAuthorLearnsWhatIsOnTheReadersDisk: of each feed, and only once it is
// there.
func TestTheAuthorLearnsWhatIsOnTheReadersDisk(t *testing.T) {
	denver, boulder := pair(t)
	few := listed(t, "boulder-so")
	denver.writes(directory.Everyone, 7)
	denver.writes(few, 3)
	denver.told = func(a acknowledged) {
		boulder.mu.Lock()
		defer boulder.mu.Unlock()
		if h := boulder.feeds[feed.ID{Author: "denver-pd", Audience: a.audience}]; h == nil || h.at().Number < a.number {
			t.Errorf("acknowledged %+v, which is not held", a)
		}
	}
	boulder.follow(denver)
	want := map[directory.Audience]uint64{directory.Everyone: 7, few: 3}
	for len(want) > 0 {
		a := <-denver.acks
		if a.reader != "boulder-so" || a.generation != 1 || a.number > 7 {
			t.Fatalf("acknowledged %+v", a)
		}
		if want[a.audience] == a.number {
			delete(want, a.audience)
		}
	}
}

func TestALyingServerIsToldWhyAndNothingIsTaken(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*feed.Batch)
		want  wire.Code
	}{
		{"forged", func(b *feed.Batch) { b.Entries[0].Tag[15] ^= 1 }, wire.CodeForged},
		{"gap", func(b *feed.Batch) { b.Entries = b.Entries[1:] }, wire.CodeGap},
		{"another author", func(b *feed.Batch) { b.Head.Author = "boulder-so" }, wire.CodeForged},
		{"epoch nought", func(b *feed.Batch) { b.Entries[0].Epoch = 0 }, wire.CodeMalformed},
		{"generation nought", func(b *feed.Batch) { b.Head.Generation = 0 }, wire.CodeMalformed},
		{"another generation", func(b *feed.Batch) { b.Head.Generation = 2 }, wire.CodeForged},
		{"an audience of others", func(b *feed.Batch) { b.Head.Audience = listed(t, "aurora-pd") }, wire.CodeRefused},
		{"an audience of ours", func(b *feed.Batch) { b.Head.Audience = listed(t, "boulder-so") }, wire.CodeForged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			denver, boulder := pair(t)
			denver.spoil = tt.spoil
			denver.writes(directory.Everyone, 4)
			s := denver.tells(func(since uint64) feed.Batch {
				b, err := denver.Batch(denver.all, since)
				if err != nil {
					t.Error(err)
				}
				return b
			})
			boulder.follow(denver)
			wantRefused(t, <-s, tt.want, "peer")
			if n := len(boulder.taken); n != 0 {
				t.Errorf("%d batches taken, want none", n)
			}
		})
	}
}

func TestASubscriberWithAnotherHistoryIsRefused(t *testing.T) {
	denver, boulder := pair(t)
	denver.writes(directory.Everyone, 4)
	boulder.history = 7
	boulder.write(t, denver.all, denver.key, 4)
	boulder.follow(denver)
	wantRefused(t, <-denver.served, wire.CodeForged, "us")
}

// TestASubscriberAheadOfTheAuthorIsToldOfAGap: the author was restored from an old
// copy. Numbers never go back, whatever the generation.
func TestASubscriberAheadOfTheAuthorIsToldOfAGap(t *testing.T) {
	for name, lose := range map[string]func(denver, boulder *member){
		"entries": func(denver, boulder *member) { denver.writes(directory.Everyone, 10) },
		"a generation": func(denver, boulder *member) {
			denver.writes(directory.Everyone, 15)
			boulder.compact(denver.all, denver.key)
		},
		"entries, and compacted": func(denver, boulder *member) {
			denver.writes(directory.Everyone, 10)
			denver.compact(denver.all, denver.key)
		},
		"in the middle of a move": func(denver, boulder *member) {
			denver.writes(directory.Everyone, 10)
			denver.compact(denver.all, denver.key)
			at := denver.copyOf(denver.all).at()
			boulder.feeds[denver.all].moving = &at
		},
	} {
		t.Run(name, func(t *testing.T) {
			denver, boulder := pair(t)
			boulder.write(t, denver.all, denver.key, 15)
			lose(denver, boulder)
			boulder.follow(denver)
			wantRefused(t, <-denver.served, wire.CodeGap, "us")
			if n := boulder.count(denver.all); n != 15 {
				t.Errorf("%d entries held, want the 15 of before", n)
			}
		})
	}
}

func TestADroppedMemberIsFollowedNoMore(t *testing.T) {
	denver, boulder := pair(t)
	denver.writes(directory.Everyone, 1)
	boulder.follow(denver)
	boulder.await(t, boulder.has(denver.all, 1))
	boulder.followers.Set(context.Background(), nil)
	boulder.followers.Wait()
	if got := boulder.followers.Progress(); len(got) != 0 {
		t.Errorf("Progress = %v, want none", got)
	}
	<-denver.served
}

// TestAReaderThatDoesNotAcknowledgeIsSentOnlyAFewBatches: of all feeds together.
func TestAReaderThatDoesNotAcknowledgeIsSentOnlyAFewBatches(t *testing.T) {
	denver, boulder := pair(t)
	denver.writes(directory.Everyone, 20*wire.MaxBatch)
	denver.writes(listed(t, "boulder-so"), 20*wire.MaxBatch)
	s := boulder.subscribes(denver, &wire.Subscribe{Author: "denver-pd"})
	var first *wire.Head
	for n := range outstanding {
		var b wire.Batch
		if err := s.Receive(&b); err != nil {
			t.Fatalf("batch %d: %v", n+1, err)
		}
		if first == nil {
			first = b.Head
		}
	}
	// The next frame comes only once one is acknowledged.
	if err := s.Send(&wire.Ack{Audience: first.Audience, Generation: 1, Number: wire.MaxBatch}); err != nil {
		t.Fatal(err)
	}
	var b wire.Batch
	if err := s.Receive(&b); err != nil {
		t.Fatalf("after one acknowledgement: %v", err)
	}
	if a := <-denver.acks; a != (acknowledged{"boulder-so", directory.Everyone, 1, wire.MaxBatch}) {
		t.Errorf("the author was told %+v", a)
	}
	s.Reset(wire.CodeNone)
	<-denver.served
	if denver.read != outstanding+1 {
		t.Errorf("%d batches were read, want %d, and one more for the acknowledgement", denver.read, outstanding)
	}
}

func TestAFalseAcknowledgementEndsTheSubscription(t *testing.T) {
	for name, ack := range map[string]*wire.Ack{
		"another number":     {Generation: 1, Number: 3},
		"another generation": {Generation: 2, Number: 4},
		"another audience":   {Audience: "group:border", Generation: 1, Number: 4},
	} {
		t.Run(name, func(t *testing.T) {
			denver, boulder := pair(t)
			denver.writes(directory.Everyone, 4)
			s := boulder.subscribes(denver, &wire.Subscribe{Author: "denver-pd"})
			var b wire.Batch
			if err := s.Receive(&b); err != nil {
				t.Fatal(err)
			}
			if err := s.Send(ack); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, <-denver.served, wire.CodeGap, "us")
		})
	}
	denver, boulder := pair(t)
	denver.writes(directory.Everyone, 4)
	s := boulder.subscribes(denver, &wire.Subscribe{Author: "denver-pd"})
	batch(t, s)
	if err := s.Send(&wire.Ack{Generation: 1, Number: 4}); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, <-denver.served, wire.CodeGap, "us") // the same twice
}

// TestAReaderThatNeverReadsCostsAFewBatches: whatever is written meanwhile.
func TestAReaderThatNeverReadsCostsAFewBatches(t *testing.T) {
	denver, boulder := pair(t)
	denver.writes(directory.Everyone, 40*wire.MaxBatch)
	s := boulder.subscribes(denver, &wire.Subscribe{Author: "denver-pd"})
	other := boulder.subscribes(denver, &wire.Subscribe{Author: "denver-pd", Once: true})
	for n := 0; n < 40*wire.MaxBatch; {
		n = int(batch(t, other).Head.Number) // meanwhile another reads everything
	}
	for range 20 {
		denver.writes(directory.Everyone, 1)
	}
	s.Reset(wire.CodeNone)
	<-denver.served
	denver.mu.Lock()
	defer denver.mu.Unlock()
	if denver.read > 40+20+outstanding+1 {
		t.Errorf("%d batches were read, of which another had at most 61; want at most %d more", denver.read, outstanding)
	}
}

// TestASmallFeedDoesNotWaitForALargeOne: they take turns.
func TestASmallFeedDoesNotWaitForALargeOne(t *testing.T) {
	denver, boulder := pair(t)
	few := listed(t, "boulder-so")
	denver.writes(directory.Everyone, 30*wire.MaxBatch)
	s := boulder.subscribes(denver, &wire.Subscribe{Author: "denver-pd"})
	var waiting []*wire.Head
	for range outstanding {
		var b wire.Batch
		if err := s.Receive(&b); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, b.Head)
	}
	denver.writes(few, 2)
	for n, h := range waiting {
		if err := s.Send(&wire.Ack{Generation: 1, Number: h.Number}); err != nil {
			t.Fatal(err)
		}
		var b wire.Batch
		if err := s.Receive(&b); err != nil {
			t.Fatal(err)
		}
		if b.Head.Audience == few.String() {
			return
		}
		if n == 2 {
			t.Fatalf("it is not among the next %d batches", n+1)
		}
	}
}

func TestASubscriptionThatIsNotInFormIsRefused(t *testing.T) {
	at := position(feed.ID{}, feed.Start(feed.ID{Author: "denver-pd"}, 1))
	group := &wire.FeedPosition{Audience: "group:border", Generation: 1, Hash: at.Hash}
	for name, sub := range map[string]*wire.Subscribe{
		"no author":    {},
		"no agency":    {Author: "Denver"},
		"no audience":  {Author: "denver-pd", Feeds: []*wire.FeedPosition{{Audience: "everyone"}}},
		"twice":        {Author: "denver-pd", Feeds: []*wire.FeedPosition{at, at}},
		"out of order": {Author: "denver-pd", Feeds: []*wire.FeedPosition{group, at}},
	} {
		t.Run(name, func(t *testing.T) {
			denver, boulder := pair(t)
			denver.writes(directory.Everyone, 1)
			boulder.subscribes(denver, sub)
			wantRefused(t, <-denver.served, wire.CodeMalformed, "us")
		})
	}
}
