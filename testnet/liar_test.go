package testnet

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// deceived is a federation with a member that lies after it has met the others.
func deceived(t *testing.T) (*Net, *Liar, map[ground]bool) {
	t.Helper()
	net := Start(t, Plan{Agencies: Members("aurora-pd", "boulder-so", "denver-pd", "mallory-pd")})
	for _, a := range net.Agencies() {
		opens(t, a, "first case")
	}
	for n, a := range net.Agencies()[:3] {
		pastes(t, a, 1, person(n))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := net.Corrupts(ctx, net.Agency("mallory-pd"), 1, []string{person(0), person(1), person(2)}, person(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	met := net.withLiar(t)
	if len(met) != 3 {
		t.Fatalf("%d grounds with the liar before it lies, want one for each of three", len(met))
	}
	return net, l, met
}

// withLiar is what the honest agencies were alerted of with the liar.
func (n *Net) withLiar(t *testing.T) map[ground]bool {
	t.Helper()
	met := map[ground]bool{}
	all, err := n.read((*Agency).books)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		for _, g := range all[i].grounds() {
			if g.with == "mallory-pd" {
				met[g] = true
			}
		}
	}
	return met
}

// goesOn shows that the honest members meet as ever, and that what they were
// alerted of with the liar is what it was.
func goesOn(t *testing.T, net *Net, met map[ground]bool, what string) {
	t.Helper()
	a, b := net.Agency("aurora-pd"), net.Agency("denver-pd")
	before := alerts(t, a)
	number := fmt.Sprintf("case beside %.20s", what)
	c, d := opens(t, a, number), opens(t, b, number)
	pastes(t, a, c, "shared@example.org "+fmt.Sprintf("%d.new@example.org", c))
	pastes(t, b, d, fmt.Sprintf("%d.new@example.org", c))
	settleAndCheck(t, net)
	if got := alerts(t, a); got != before+1 {
		t.Errorf("%s: %d new alerts between two honest members, want 1", what, got-before)
	}
	if diff := cmp.Diff(met, net.withLiar(t), cmp.AllowUnexported(ground{}, holding{})); diff != "" {
		t.Errorf("%s: alerts with the liar have changed (-before +after):\n%s", what, diff)
	}
}

// TestALiarChangesNothingAmongTheOthers: whatever one member sends, it is turned
// away, and the others meet as ever.
func TestALiarChangesNothingAmongTheOthers(t *testing.T) {
	net, l, met := deceived(t)
	turnedAway := map[Lie]func() bool{
		Forges:     func() bool { return l.Ended(wire.CodeForged) > 0 },
		Replays:    func() bool { return l.Ended(wire.CodeGap) > 0 },
		Reverts:    func() bool { return l.Ended(wire.CodeGap) > 0 },
		Skips:      func() bool { return l.Ended(wire.CodeGap) > 0 },
		Oversizes:  func() bool { return l.Ended(wire.CodeTooLarge) > 0 },
		Stalls:     func() bool { return l.Opened() > 0 },
		Subscribes: func() bool { return l.Ended(wire.CodeBusy) > 0 },
		Gossips:    func() bool { return net.malformedGossip() > 0 },
		Foresees:   func() bool { return net.holdsOfLiar(t) == l.honest.end().Number+1 },
	}
	for _, lie := range Lies() {
		t.Run(string(lie), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			l.Begins(lie)
			if err := net.await(ctx, string(lie), func() (bool, error) { return turnedAway[lie](), nil }); err != nil {
				t.Fatal(err)
			}
			goesOn(t, net, met, string(lie))
		})
	}
}

func (n *Net) malformedGossip() (times uint64) {
	for _, a := range n.active() {
		for _, c := range a.Node().Host().Counts() {
			if c.Protocol == wire.ProtocolGossip.ID && c.Code == wire.CodeMalformed {
				times += c.N
			}
		}
	}
	return times
}

// holdsOfLiar is how far the member that is least far has the liar's feed.
func (n *Net) holdsOfLiar(t *testing.T) uint64 {
	t.Helper()
	least := ^uint64(0)
	for _, a := range n.active() {
		b, err := a.progress([]*Agency{n.Agency("mallory-pd")})
		if err != nil {
			t.Fatal(err)
		}
		least = min(least, b.feeds[feed.ID{Author: "mallory-pd"}].Number)
	}
	return least
}

// TestAMemberThatShowsTwoHistoriesIsSuspended: each member takes one of them, and the
// heads that it tells prove that there are others.
func TestAMemberThatShowsTwoHistoriesIsSuspended(t *testing.T) {
	net, l, met := deceived(t)
	l.Begins(Forks)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := net.AwaitDirectory(ctx, func(d *directory.Directory) bool {
		a, _ := d.Agency("mallory-pd")
		return a.Status == directory.Suspended
	}); err != nil {
		t.Fatal(err)
	}
	goesOn(t, net, met, "after the fork")
}

func TestTheLedgerFindsWhatWasLost(t *testing.T) {
	l := newLedger()
	h := holding{"denver-pd", 1, personKey(1)}
	l.asks(h, casefile.Sharing{})
	l.ended(h, casefile.Sharing{}, false, nil)
	if err := l.compare(map[holding]casefile.Sharing{}); err == nil {
		t.Error("an acknowledged holding that is gone goes unnoticed")
	}
	if err := l.compare(map[holding]casefile.Sharing{h: {Way: casefile.Watch}}); err == nil {
		t.Error("another handling than the acknowledged one goes unnoticed")
	}
	if err := l.compare(map[holding]casefile.Sharing{h: {}}); err != nil {
		t.Errorf("what is as acknowledged: %v", err)
	}
	theirs := holding{"boulder-so", 2, personKey(1)}
	l.asks(theirs, casefile.Sharing{Way: casefile.Watch})
	if l.justified(ground{h, "boulder-so"}) || !l.justified(ground{theirs, "denver-pd"}) {
		t.Error("who watches shows nothing, and meets what others show")
	}
}
