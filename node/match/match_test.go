package match

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
)

func TestAMatchIsFoundInEitherOrder(t *testing.T) {
	i := parsed(t, "j.doe@example.org")
	want := map[alert.Pair][]identifier.Identifier{
		{Case: 3, Agency: boulder, Theirs: token.CasePointer{9}}: {i},
	}
	own := map[casefile.IdentifierID]identifier.Identifier{1: i}
	for _, id := range []feed.ID{{Author: boulder}, {Author: boulder, Audience: listed(t, aurora)}} {
		for _, arrivesFirst := range []bool{true, false} {
			b := newBook()
			b.cases[1] = []casefile.CaseID{3}
			e := entryOf(t, boulder, 5, i, 9)
			if arrivesFirst {
				b.arrive(t, id, own, e)
				b.announce(t, []directory.AgencyID{aurora, boulder}, own, everyone)
			} else {
				b.announce(t, []directory.AgencyID{aurora, boulder}, own, everyone)
				b.arrive(t, id, own, e)
			}
			b.wantAlerts(t, fmt.Sprintf("for %q, entry first %t", id.Audience, arrivesFirst), want)
		}
	}
}

// TestManyAreLookedUpTogether: each entry and each identifier meets its own.
func TestManyAreLookedUpTogether(t *testing.T) {
	own, want := map[casefile.IdentifierID]identifier.Identifier{}, map[alert.Pair][]identifier.Identifier{}
	var entries, others []feed.Entry
	b := newBook()
	for n := range 300 { // as many as are derived on all processors
		id, i := casefile.IdentifierID(n+1), parsed(t, fmt.Sprintf("p%d@example.org", n))
		if n%2 == 0 {
			own[id] = i
			b.cases[id] = []casefile.CaseID{casefile.CaseID(n)}
		}
		if n%3 == 0 {
			entries = append(entries, entryOf(t, boulder, uint64(n+1), i, byte(n), byte(n>>8)))
		}
		if n%5 == 0 {
			others = append(others, entryOf(t, aurora, uint64(n+1), i, byte(n), byte(n>>8)))
		}
		if n%6 == 0 {
			want[alert.Pair{Case: casefile.CaseID(n), Agency: boulder, Theirs: token.CasePointer{byte(n), byte(n >> 8)}}] = []identifier.Identifier{i}
		}
		if n%10 == 0 {
			want[alert.Pair{Case: casefile.CaseID(n), Agency: aurora, Theirs: token.CasePointer{byte(n), byte(n >> 8)}}] = []identifier.Identifier{i}
		}
	}
	b.arrive(t, feed.ID{Author: boulder}, own, entries...)
	b.announce(t, []directory.AgencyID{aurora, boulder}, own, everyone)
	b.arrive(t, feed.ID{Author: aurora}, own, others...)
	b.wantAlerts(t, "all", want)
}

// TestWhatMeetsNothingIsNotLookedUpTwice: an entry that no identifier of ours
// expects costs the one probe.
func TestWhatMeetsNothingIsNotLookedUpTwice(t *testing.T) {
	b := newBook()
	var entries []feed.Entry
	for n := range 20 {
		entries = append(entries, entryOf(t, boulder, uint64(n+1), parsed(t, fmt.Sprintf("p%d@example.org", n)), 1))
	}
	b.arrive(t, feed.ID{Author: boulder}, nil, entries...)
	if b.lookups != 0 {
		t.Errorf("%d lookups of what stands, want none", b.lookups)
	}
}

// TestWeMeetOnlyWhatIsForUs: of a feed that we hold, and are not in the audience
// of any more, nothing is met.
func TestWeMeetOnlyWhatIsForUs(t *testing.T) {
	i := parsed(t, "j.doe@example.org")
	own := map[casefile.IdentifierID]identifier.Identifier{1: i}
	b := newBook()
	b.cases[1] = []casefile.CaseID{3}
	former, all := feed.ID{Author: boulder, Audience: listed(t, aurora)}, feed.ID{Author: boulder}
	b.stands(former, entryOf(t, boulder, 5, i, 9))
	b.stands(all, entryOf(t, boulder, 7, i, 4))
	b.announce(t, []directory.AgencyID{boulder}, own, func(id feed.ID) bool { return id == all })
	b.wantAlerts(t, "for every member", map[alert.Pair][]identifier.Identifier{
		{Case: 3, Agency: boulder, Theirs: token.CasePointer{4}}: {i},
	})
}

// TestTheFirstThatStandsCounts: of announcements of one tag to one audience; and
// each audience has its own.
func TestTheFirstThatStandsCounts(t *testing.T) {
	i := parsed(t, "j.doe@example.org")
	own := map[casefile.IdentifierID]identifier.Identifier{1: i}
	all, few := feed.ID{Author: boulder}, feed.ID{Author: boulder, Audience: listed(t, aurora)}
	first, second, other := entryOf(t, boulder, 5, i, 1), entryOf(t, boulder, 6, i, 2), entryOf(t, boulder, 2, i, 3)
	pair := func(theirs byte) alert.Pair {
		return alert.Pair{Case: 3, Agency: boulder, Theirs: token.CasePointer{theirs}}
	}
	steps := map[string]struct {
		do   func(*book)
		want []byte
	}{
		"together":      {func(b *book) { b.arrive(t, all, own, first, second) }, []byte{1}},
		"one by one":    {func(b *book) { b.arrive(t, all, own, first); b.arrive(t, all, own, second) }, []byte{1}},
		"two audiences": {func(b *book) { b.arrive(t, all, own, first); b.arrive(t, few, own, other) }, []byte{1, 3}},
	}
	for name, tt := range steps {
		want := map[alert.Pair][]identifier.Identifier{}
		for _, theirs := range tt.want {
			want[pair(theirs)] = []identifier.Identifier{i}
		}
		ours := newBook() // that looks when it arrives
		ours.cases[1] = []casefile.CaseID{3}
		ours.announce(t, []directory.AgencyID{boulder}, own, everyone)
		tt.do(ours)
		ours.wantAlerts(t, name+", identifier first", want)
		later := newBook() // that looks when the identifier is added
		later.cases[1] = []casefile.CaseID{3}
		tt.do(later)
		later.announce(t, []directory.AgencyID{boulder}, own, everyone)
		later.wantAlerts(t, name+", entries first", want)
	}
}

// TestWhatIsWithdrawnIsMetNoMore: neither by who looks later, nor does it stand in
// the way of what is announced after it.
func TestWhatIsWithdrawnIsMetNoMore(t *testing.T) {
	i := parsed(t, "j.doe@example.org")
	own := map[casefile.IdentifierID]identifier.Identifier{1: i}
	all := feed.ID{Author: boulder}
	first, second := entryOf(t, boulder, 5, i, 1), entryOf(t, boulder, 8, i, 2)
	b := newBook()
	b.cases[1] = []casefile.CaseID{3}
	b.arrive(t, all, own, first)
	b.withdraw(all, first)
	b.announce(t, []directory.AgencyID{boulder}, own, everyone)
	b.wantAlerts(t, "withdrawn", map[alert.Pair][]identifier.Identifier{})
	b.arrive(t, all, own, second)
	b.wantAlerts(t, "announced again", map[alert.Pair][]identifier.Identifier{
		{Case: 3, Agency: boulder, Theirs: token.CasePointer{2}}: {i},
	})
}

// TestWhatTheNetworkMutesRaisesNothing: it is known by its tag in the directory's
// scope, whoever announces it.
func TestWhatTheNetworkMutesRaisesNothing(t *testing.T) {
	i, other := parsed(t, "abuse@example.org"), parsed(t, "j.doe@example.org")
	own := map[casefile.IdentifierID]identifier.Identifier{1: i, 2: other}
	b := newBook()
	b.cases[1], b.cases[2] = []casefile.CaseID{3}, []casefile.CaseID{3}
	b.muted = keyOf(i).Tag(token.DirectoryScope)
	b.arrive(t, feed.ID{Author: boulder}, own, entryOf(t, boulder, 1, i, 1))
	b.announce(t, []directory.AgencyID{boulder, aurora}, own, everyone)
	b.arrive(t, feed.ID{Author: aurora}, own, entryOf(t, aurora, 1, i, 2), entryOf(t, aurora, 2, other, 4))
	b.wantAlerts(t, "muted", map[alert.Pair][]identifier.Identifier{
		{Case: 3, Agency: aurora, Theirs: token.CasePointer{4}}: {other},
	})
}

func TestACopiedEntryRaisesNothing(t *testing.T) {
	i := parsed(t, "j.doe@example.org")
	own := map[casefile.IdentifierID]identifier.Identifier{1: i}
	original := entryOf(t, boulder, 5, i, 9)
	kindless := original
	k := keyOf(i)
	var err error
	if kindless.Pointer, err = k.Seal(nil, boulder.Author(), 5, token.Pointer{Kind: uint8(identifier.Phone)}); err != nil {
		t.Fatal(err)
	}
	renumbered := original
	renumbered.Number = 6
	// aurora copies boulder's pointer under the tag that aurora would have; it
	// cannot compute that without the token, and it would not help.
	retagged := original
	retagged.Tag = k.Tag(aurora.Author())
	tests := []struct {
		name   string
		author directory.AgencyID
		entry  feed.Entry
	}{
		{"into another feed", aurora, original},
		{"into another feed under its tag", aurora, retagged},
		{"under another number", boulder, renumbered},
		{"with a pointer of another kind", boulder, kindless},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBook()
			b.cases[1] = []casefile.CaseID{3}
			b.announce(t, []directory.AgencyID{tt.author}, own, everyone)
			b.arrive(t, feed.ID{Author: tt.author}, own, tt.entry)
			b.announce(t, []directory.AgencyID{tt.author}, own, everyone)
			if len(b.alerts) != 0 {
				t.Errorf("%d alerts, want none", len(b.alerts))
			}
		})
	}
}

// TestAlertsDependOnWhatIsHeldAlone holds whatever the order and however often
// anything is repeated.
func TestAlertsDependOnWhatIsHeldAlone(t *testing.T) {
	people := []identifier.Identifier{
		parsed(t, "a@example.org"), parsed(t, "b@example.org"), parsed(t, "c@example.org"), parsed(t, "d@example.org"),
	}
	feeds := []feed.ID{{Author: boulder}, {Author: boulder, Audience: listed(t, aurora)}, {Author: aurora}}
	rapid.Check(t, func(rt *rapid.T) {
		b := newBook()
		own := map[casefile.IdentifierID]identifier.Identifier{}
		want := map[alert.Pair]int{}
		var steps []func()
		for n, i := range people {
			id := casefile.IdentifierID(n + 1)
			held := rapid.Bool().Draw(rt, "held")
			if held {
				own[id] = i
				b.cases[id] = rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(1, 3), func(n int) casefile.CaseID { return casefile.CaseID(n) }), 1, 3, rapid.ID).Draw(rt, "cases")
				steps = append(steps, func() {
					b.announce(t, []directory.AgencyID{boulder, aurora}, map[casefile.IdentifierID]identifier.Identifier{id: i}, everyone)
				})
			}
			raised := map[alert.Pair]bool{}
			for f, of := range feeds {
				if !rapid.Bool().Draw(rt, "sent") {
					continue
				}
				theirs := byte(rapid.IntRange(1, 2).Draw(rt, "theirs"))
				e := entryOf(t, of.Author, uint64(10*f+n+1), i, theirs)
				steps = append(steps, func() { b.arrive(t, of, own, e) })
				for _, c := range b.cases[id] {
					raised[alert.Pair{Case: c, Agency: of.Author, Theirs: token.CasePointer{theirs}}] = true
				}
			}
			for p := range raised {
				want[p]++
			}
		}
		for _, step := range rapid.Permutation(append(steps, steps...)).Draw(rt, "order") {
			step()
		}
		got := map[alert.Pair]int{}
		for p, grounds := range b.alerts {
			got[p] = len(grounds)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Errorf("alerts and their grounds (-want +got):\n%s", diff)
		}
	})
}
