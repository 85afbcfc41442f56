package testnet

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
	"interlock/replication/centre"
)

// crowd is a federation in which everybody has met everybody.
type crowd struct {
	*Net
	out    *Agency   // who will be suspended
	far    []*Agency // members whose path to out is cut
	others []*Agency // every other member, far ones included
	cases  map[*Agency]casefile.CaseID
}

// newCrowd links members who all hold one identifier, and alerts each of every
// other. Each holds two more with the one that will be suspended: "late.*",
// which is announced there behind a cut path and has not arrived, and
// "after.*", which is not announced there yet. That one has announced
// "early.*", which the others do not hold yet.
func newCrowd(t *testing.T, members, far int) *crowd {
	t.Helper()
	var ids []string
	for i := range members {
		ids = append(ids, fmt.Sprintf("member-%02d", i))
	}
	c := &crowd{Net: Start(t, Plan{Agencies: Members(ids...), Crowd: true}), cases: map[*Agency]casefile.CaseID{}}
	c.out, c.others = c.Agencies()[0], c.Agencies()[1:]
	c.far = c.others[:far]
	for _, a := range c.Agencies() {
		c.cases[a] = opens(t, a, "first case")
	}
	for _, a := range c.others {
		pastes(t, a, c.cases[a], "everybody@example.org, "+a.shares("after"))
	}
	pastes(t, c.out, c.cases[c.out], "everybody@example.org, "+c.listed("early", c.others))
	settleAndCheck(t, c.Net)
	for _, a := range c.far {
		c.Partition(c.out, a)
		pastes(t, a, c.cases[a], a.shares("late"))
	}
	pastes(t, c.out, c.cases[c.out], c.listed("late", c.far))
	announced := c.knows(t, c.far[0]).Entries + uint64(far)
	c.awaits(t, "the rest to have what was announced", c.others[far:], func(a *Agency) bool {
		return c.knows(t, a).Entries == announced
	})
	return c
}

// shares is an identifier of this agency and the one that will be suspended.
func (a *Agency) shares(what string) string { return what + "." + a.ID + "@example.org" }

func (c *crowd) listed(what string, with []*Agency) string {
	var text strings.Builder
	for _, a := range with {
		text.WriteString(a.shares(what) + "\n")
	}
	return text.String()
}

// knowledge is what one member has of the one that will be suspended.
type knowledge struct {
	Alerts, Grounds int    // of every alert, whomever it is with
	Entries         uint64 // of the feed of who will be suspended
}

func (c *crowd) knows(t *testing.T, a *Agency) knowledge {
	t.Helper()
	b, err := a.books([]*Agency{c.out})
	if err != nil {
		t.Fatal(err)
	}
	k := knowledge{Alerts: len(b.alerts) + len(b.summed), Entries: b.feeds[feed.ID{Author: directory.AgencyID(c.out.ID)}].Number}
	for _, al := range b.alerts {
		k.Grounds += len(al.Grounds)
	}
	return k
}

func (c *crowd) everybodyKnows(t *testing.T) map[string]knowledge {
	t.Helper()
	all := map[string]knowledge{}
	for _, a := range c.Agencies() {
		all[a.ID] = c.knows(t, a)
	}
	return all
}

// turnedAway is how often a node has refused a connection.
func (a *Agency) turnedAway() (n uint64) {
	for _, c := range a.Node().Host().Counts() {
		if c.Code == wire.CodeRefused && c.By == "us" {
			n += c.N
		}
	}
	return n
}

// knocks has the suspended member try for a link with everybody, which all
// refuse.
func (c *crowd) knocks(t *testing.T) {
	t.Helper()
	before := map[*Agency]uint64{}
	for _, a := range c.others {
		before[a] = a.turnedAway()
		s, err := c.out.Node().Host().Open(t.Context(), a.Peer(), wire.ProtocolFeed)
		if err == nil {
			s.Reset(wire.CodeNone)
			t.Errorf("%s takes a link from a suspended member", a.ID)
		}
	}
	c.awaits(t, "everybody to have turned the suspended member away", c.others, func(a *Agency) bool { return a.turnedAway() > before[a] })
	c.awaits(t, "no links with the suspended member", c.others, func(a *Agency) bool { return !a.Node().Host().Connected(c.out.Peer()) })
}

func (c *crowd) awaits(t *testing.T, what string, who []*Agency, of func(*Agency) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := c.await(ctx, what, func() (bool, error) {
		for _, a := range who {
			if !of(a) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestASuspensionReachesThirtyNodesAndNothingOfTheMemberAfterIt: every node takes
// the version that suspends a member; and no node that has taken it has a link
// with the member, or takes or matches a tag of it, whether the tag was
// announced before and is still on its way, or is looked up in what arrived
// before, or is new.
func TestASuspensionReachesThirtyNodesAndNothingOfTheMemberAfterIt(t *testing.T) {
	c := newCrowd(t, 30, 5)
	began := c.everybodyKnows(t)
	readers := make([]reader, len(c.others))
	for i, a := range c.others {
		readers[i] = a
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	j, err := c.travel(ctx, readers, func() error {
		return c.Decide(ctx, operators[0], centre.Suspend, c.out.ID, "key lost")
	})
	if err != nil {
		t.Fatal(err)
	}
	c.awaits(t, "no links with the suspended member", c.others, func(a *Agency) bool { return !a.Node().Host().Connected(c.out.Peer()) })
	t.Logf("after the decision: signed in %v, in force at the first of %d nodes in %v, at the last in %v, no link left in %v",
		j.endorsed.Sub(j.committed), len(readers), j.first().Sub(j.committed), j.last().Sub(j.committed), time.Since(j.committed))

	for _, a := range c.far {
		c.Heal(c.out, a)
	}
	c.knocks(t)
	err = c.await(ctx, "the suspended member to know", func() (bool, error) {
		return c.out.Node().Status().Standing == directory.Suspended, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range c.others {
		pastes(t, a, c.cases[a], a.shares("early"))
	}
	if got := pastes(t, c.out, c.cases[c.out], c.listed("after", c.others)); got.Waiting != len(c.others) {
		t.Errorf("a suspended member saved %+v, want all %d to wait for tokens that nobody gives it", got, len(c.others))
	}
	c.knocks(t)
	settleAndCheck(t, c.Net)
	if diff := cmp.Diff(began, c.everybodyKnows(t)); diff != "" {
		t.Errorf("something of the suspended member had an effect (-before +after):\n%s", diff)
	}
	c.othersStillMeet(t)
}

// othersStillMeet shows that the same steps raise alerts among active members.
func (c *crowd) othersStillMeet(t *testing.T) {
	t.Helper()
	a, b := c.others[0], c.others[len(c.others)-1]
	before := alerts(t, a)
	pastes(t, a, opens(t, a, "second case"), "still@example.org")
	pastes(t, b, opens(t, b, "second case"), "still@example.org")
	settleAndCheck(t, c.Net)
	if got := alerts(t, a); got != before+1 {
		t.Errorf("%d new alerts between two active members, want 1", got-before)
	}
}
