package exchange

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// TestNeighboursHoldTheNetworkTogether: each has few, and over them every member is
// reached in few steps.
func TestNeighboursHoldTheNetworkTogether(t *testing.T) {
	for _, n := range []int{2, 3, 10, 65, 300, 1000} {
		var all []directory.Agency
		for i := range n {
			all = append(all, directory.Agency{ID: directory.AgencyID(fmt.Sprintf("agency-%d", i))})
		}
		links := map[directory.AgencyID][]directory.AgencyID{}
		for _, a := range all {
			near := Neighbours(a.ID, all, 1)
			if limit := 11; len(near) > limit {
				t.Errorf("of %d members one has %d neighbours, want up to %d", n, len(near), limit)
			}
			for _, b := range near {
				links[a.ID] = append(links[a.ID], b.ID)
				links[b.ID] = append(links[b.ID], a.ID)
			}
		}
		seen, now, steps := map[directory.AgencyID]bool{all[0].ID: true}, []directory.AgencyID{all[0].ID}, 0
		for ; len(now) > 0; steps++ {
			var next []directory.AgencyID
			for _, a := range now {
				for _, b := range links[a] {
					if !seen[b] {
						seen[b], next = true, append(next, b)
					}
				}
			}
			now = next
		}
		if len(seen) != n || steps > 8 {
			t.Errorf("of %d members %d are reached, in %d steps", n, len(seen), steps)
		}
		if got := len(Neighbours(all[0].ID, all, n)); got != n-1 {
			t.Errorf("below the limit %d of %d are neighbours", got, n-1)
		}
	}
}

// alone is a topic without anybody.
type alone struct{}

func (alone) Publish([]byte) error    { return nil }
func (alone) Neighbours() []wire.Peer { return nil }

// spread lets m take what others tell of.
func (m *member) spread() *Spread {
	s := NewSpread(SpreadOptions{
		Self: m.agency.ID, Followers: m.followers, Source: m.shelf, Directory: m.directory, Log: slog.New(slog.DiscardHandler),
		Pause: Spreading{Tell: time.Millisecond, Compare: time.Hour, Again: time.Millisecond},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx, alone{})
	}()
	m.t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

// told is a head as gossip tells it.
func told(t testing.TB, h feed.Head) []byte {
	t.Helper()
	b, err := wire.Marshal(h.Message())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (m *member) last(id feed.ID) feed.Head {
	h := m.copyOf(id)
	return h.heads[len(h.heads)-1]
}

func TestWhatGossipTellsIsFetchedFromWhoToldIt(t *testing.T) {
	tn := newTown(t, "aurora-pd", "boulder-so", "denver-pd")
	aurora, boulder, denver := tn.members["aurora-pd"], tn.members["boulder-so"], tn.members["denver-pd"]
	id := aurora.writes(directory.Everyone, 3000)
	boulder.follow(aurora)
	boulder.await(t, boulder.has(id, 3000))
	s := denver.spread()
	head := told(t, aurora.last(id))
	if got := s.Check(boulder.agency.Key, head); got != link.Accept {
		t.Fatalf("the head is judged %d, want that it is forwarded", got)
	}
	s.Deliver(boulder.agency.Key, head)
	denver.await(t, denver.holdsSame(id, aurora.copyOf(id)))
	if got := aurora.streams.Load(); got != 1 {
		t.Errorf("the author was asked %d times, want by its follower alone", got)
	}
	if got := s.Check(boulder.agency.Key, head); got != link.Ignore {
		t.Errorf("the same head again is judged %d, want that it ends here", got)
	}
	if got := s.Told(aurora.agency.ID).Number; got != 3000 {
		t.Errorf("told of %d entries, want 3000", got)
	}
}

func TestWhatGossipLostIsFoundByComparing(t *testing.T) {
	tn := newTown(t, "aurora-pd", "boulder-so", "denver-pd")
	aurora, boulder, denver := tn.members["aurora-pd"], tn.members["boulder-so"], tn.members["denver-pd"]
	id := aurora.writes(directory.Everyone, 10)
	hidden := aurora.writes(listed(t, "boulder-so"), 5)
	boulder.follow(aurora)
	boulder.await(t, func() bool { return boulder.has(id, 10)() && boulder.has(hidden, 5)() })
	boulder.host.Handle(wire.ProtocolHoldings, boulder.spread().Answer)
	s := denver.spread()
	if err := s.Compare(t.Context(), boulder.agency.Key); err != nil {
		t.Fatal(err)
	}
	denver.await(t, denver.holdsSame(id, aurora.copyOf(id)))
	if denver.count(hidden) != 0 {
		t.Error("an audience's feed came along")
	}
}

// TestAHeadThatIsNotTrueGoesNoFurther: and proof of a fork does.
func TestAHeadThatIsNotTrueGoesNoFurther(t *testing.T) {
	tn := newTown(t, "aurora-pd", "boulder-so", "denver-pd")
	aurora, boulder, denver := tn.members["aurora-pd"], tn.members["boulder-so"], tn.members["denver-pd"]
	id := aurora.writes(directory.Everyone, 2)
	denver.follow(aurora)
	denver.await(t, denver.has(id, 2))
	s := denver.spread()
	at := aurora.last(id).Position
	other := func(change func(*feed.Position)) feed.Position {
		p := at
		change(&p)
		return p
	}
	next := other(func(p *feed.Position) { p.Number++ })
	hidden := feed.ID{Author: "aurora-pd", Audience: listed(t, "denver-pd")}
	for name, tt := range map[string]struct {
		bytes []byte
		want  link.Verdict
	}{
		"not a head":             {[]byte{1, 2, 3}, link.Reject},
		"of an audience":         {told(t, feed.Sign(hidden, aurora.key, next)), link.Reject},
		"of a stranger":          {told(t, feed.Sign(feed.ID{Author: "golden-pd"}, aurora.key, next)), link.Ignore},
		"of ourselves":           {told(t, feed.Sign(feed.ID{Author: "denver-pd"}, denver.key, next)), link.Ignore},
		"signed by another":      {told(t, feed.Sign(id, boulder.key, next)), link.Ignore},
		"of the next generation": {told(t, feed.Sign(id, aurora.key, other(func(p *feed.Position) { p.Generation++ }))), link.Accept},
	} {
		if got := s.Check(boulder.agency.Key, tt.bytes); got != tt.want {
			t.Errorf("a head %s is judged %d, want %d", name, got, tt.want)
		}
	}
	fork := feed.Sign(id, aurora.key, other(func(p *feed.Position) { p.Hash[0]++ }))
	if got := s.Check(boulder.agency.Key, told(t, fork)); got != link.Accept {
		t.Errorf("proof of a fork is judged %d, want that everybody hears of it", got)
	}
	if proof := <-denver.forks; proof[1].Hash != fork.Hash || proof[0].Hash != at.Hash {
		t.Error("the proof is not of the two heads")
	}
}

// TestTwoHeadsByGossipProveAFork: also where neither's entries have come yet.
func TestTwoHeadsByGossipProveAFork(t *testing.T) {
	tn := newTown(t, "aurora-pd", "boulder-so", "denver-pd")
	aurora, boulder, denver := tn.members["aurora-pd"], tn.members["boulder-so"], tn.members["denver-pd"]
	id := aurora.writes(directory.Everyone, 7)
	s := denver.spread()
	first := aurora.last(id)
	second := first.Position
	second.Hash[0]++
	fork := feed.Sign(id, aurora.key, second)
	for name, h := range map[string]feed.Head{"the first": first, "one by another's key": feed.Sign(id, boulder.key, second)} {
		s.Check(boulder.agency.Key, told(t, h))
		if len(denver.forks) != 0 {
			t.Fatalf("%s is taken for proof of a fork", name)
		}
	}
	s.Check(boulder.agency.Key, told(t, first))
	if got := s.Check(boulder.agency.Key, told(t, fork)); got != link.Accept {
		t.Errorf("proof of a fork is judged %d, want that everybody hears of it", got)
	}
	if proof := <-denver.forks; proof[0].Hash != first.Hash || proof[1].Hash != fork.Hash {
		t.Error("the proof is not of the two heads")
	}
}

// TestAListedReaderFetchesBeforeItSigns: it is no neighbour, and learns of the feed
// by being asked.
func TestAListedReaderFetchesBeforeItSigns(t *testing.T) {
	tn := newTown(t, "aurora-pd", "boulder-so")
	aurora, boulder := tn.members["aurora-pd"], tn.members["boulder-so"]
	id := aurora.writes(listed(t, "boulder-so"), 7)
	boulder.host.Handle(wire.ProtocolReceipts, func(ctx context.Context, s *link.Stream) error {
		return boulder.followers.Receipts(ctx, aurora.agency, s, func() ([]feed.Receipt, error) {
			h := boulder.copyOf(id)
			return []feed.Receipt{feed.SignReceipt("boulder-so", boulder.key, id, h.at(), time.Unix(1_800_000_000, 0))}, nil
		})
	})
	list, err := AskReceipts(t.Context(), aurora.host, "aurora-pd", boulder.agency)
	if err != nil || len(list) != 1 || list[0].Number != 7 || list[0].Position != aurora.last(id).Position {
		t.Fatalf("receipts %v, %v; want one up to entry 7", list, err)
	}
	forged := boulder.agency
	forged.Key = aurora.agency.Key
	if list[0].Verified(forged.Key) {
		t.Error("the receipt verifies under another key")
	}
}

// TestMembersThatCompareFindAFork: the author shows each of them another feed, and
// tells nobody by gossip.
func TestMembersThatCompareFindAFork(t *testing.T) {
	tn := newTown(t, "aurora-pd", "boulder-so", "denver-pd")
	aurora, boulder, denver := tn.members["aurora-pd"], tn.members["boulder-so"], tn.members["denver-pd"]
	id := aurora.writes(directory.Everyone, 4)
	stop := boulder.follow(aurora)
	boulder.await(t, boulder.has(id, 4))
	stop()
	aurora.mu.Lock()
	delete(aurora.feeds, id)
	aurora.history = 7
	aurora.mu.Unlock()
	aurora.writes(directory.Everyone, 4)
	denver.follow(aurora)
	denver.await(t, denver.has(id, 4))
	boulder.host.Handle(wire.ProtocolHoldings, boulder.spread().Answer)
	if err := denver.spread().Compare(t.Context(), boulder.agency.Key); err != nil {
		t.Fatal(err)
	}
	proof := <-denver.forks
	if proof[0].Hash == proof[1].Hash || !proof[0].Verified(aurora.agency.Key) || !proof[1].Verified(aurora.agency.Key) {
		t.Error("the proof is not of two heads that the author signed")
	}
}
