package testnet

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"interlock/node/exchange"
	"interlock/protocol/directory"
)

// neighbours are the members of an agency's network that it follows directly, or
// that follow it.
func neighbours(a *Agency) (follows, followed []*Agency) {
	d := a.Node().Directory()
	near := func(of *Agency, other *Agency) bool {
		list := exchange.Neighbours(directory.AgencyID(of.ID), d.Active(), a.net.plan.Direct)
		return slices.ContainsFunc(list, func(m directory.Agency) bool { return string(m.ID) == other.ID })
	}
	for _, other := range a.net.Agencies() {
		if other == a {
			continue
		}
		if near(a, other) {
			follows = append(follows, other)
		}
		if near(other, a) {
			followed = append(followed, other)
		}
	}
	return follows, followed
}

// farFrom is an agency that neither follows a nor is followed by it.
func farFrom(t *testing.T, a *Agency) *Agency {
	t.Helper()
	follows, followed := neighbours(a)
	near := append(follows, followed...)
	for _, other := range a.net.Agencies() {
		if other != a && !slices.Contains(near, other) {
			return other
		}
	}
	t.Fatal("everybody is a neighbour")
	return nil
}

func TestEveryEntryReachesEveryNodeOverFewLinks(t *testing.T) {
	const nodes = 16
	net := Start(t, Plan{Crowd: true, Direct: 3, Agencies: Members(memberIDs(nodes)...)})
	all := net.Agencies()
	for _, a := range all {
		linked := 0
		for _, m := range a.Node().Status().Members {
			if m.Connected && !m.ByOthers {
				linked++
			}
		}
		follows, _ := neighbours(a)
		if linked > len(follows) || len(follows) > 4 {
			t.Errorf("%s follows %d members directly, want no more than its %d neighbours", a.ID, linked, len(follows))
		}
	}
	// Each has something in common with the one that is farthest along the list.
	for i, a := range all {
		pastes(t, a, opens(t, a, "C-1"), fmt.Sprintf("pair.%d@example.org alone.%d@example.org", i%(nodes/2), i))
	}
	settleAndCheck(t, net)
	for i, a := range all {
		wantAlerted(t, a, fmt.Sprintf("%s pair.%d@example.org", all[(i+nodes/2)%nodes].ID, i%(nodes/2)))
	}

	// An author that only one neighbour reaches.
	author, reader := all[0], farFrom(t, all[0])
	_, followed := neighbours(author)
	for _, other := range all[1:] {
		if other != followed[0] {
			net.Partition(author, other)
		}
	}
	pastes(t, author, opens(t, author, "C-2"), "cut.off@example.org")
	pastes(t, reader, opens(t, reader, "C-2"), "cut.off@example.org")
	settleAndCheck(t, net)
	wantHas(t, author, reader.ID+" cut.off@example.org")
	wantHas(t, reader, author.ID+" cut.off@example.org")
	net.HealAll()

	// What was announced while a node was away.
	away := farFrom(t, reader)
	stop(t, away)
	pastes(t, reader, opens(t, reader, "C-3"), "away@example.org")
	settleAndCheck(t, net)
	start(t, away)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := net.AwaitLinked(ctx); err != nil {
		t.Fatal(err)
	}
	pastes(t, away, opens(t, away, "C-3"), "away@example.org")
	settleAndCheck(t, net)
	wantHas(t, away, reader.ID+" away@example.org")
	wantHas(t, reader, away.ID+" away@example.org")

	// A list of agencies that are no neighbours of the author.
	shares(t, reader, opens(t, reader, "C-4"), watched, "listed@example.org")
	shares(t, author, opens(t, author, "C-4"), toListed(t, directory.AgencyID(reader.ID)), "listed@example.org")
	settleAndCheck(t, net)
	wantHas(t, reader, author.ID+" listed@example.org")
	for _, a := range all {
		_, holds := feedsOf(t, a, author.ID)["agencies:"+reader.ID]
		if want := a == author || a == reader; holds != want {
			t.Errorf("%s holds what is for %s alone: %v", a.ID, reader.ID, holds)
		}
	}
}

func wantHas(t *testing.T, a *Agency, want string) {
	t.Helper()
	if got := alertedOf(t, a); !slices.Contains(got, want) {
		t.Errorf("%s is alerted of %v, want %s among them", a.ID, got, want)
	}
}
