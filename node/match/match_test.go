package match

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
)

// book is a Book in memory.
type book struct {
	expected map[directory.AgencyID]map[token.Tag]casefile.IdentifierID
	entries  map[directory.AgencyID]map[token.Tag]feed.Entry
	cases    map[casefile.IdentifierID][]casefile.CaseID
	alerts   map[alert.Pair][]identifier.Identifier
	muted    map[identifier.Identifier]bool // by this agency
	tags     map[token.Tag]bool             // by the network
}

func newBook() *book {
	return &book{
		expected: map[directory.AgencyID]map[token.Tag]casefile.IdentifierID{},
		entries:  map[directory.AgencyID]map[token.Tag]feed.Entry{},
		cases:    map[casefile.IdentifierID][]casefile.CaseID{},
		alerts:   map[alert.Pair][]identifier.Identifier{},
		muted:    map[identifier.Identifier]bool{}, tags: map[token.Tag]bool{},
	}
}

func (b *book) Expected(a directory.AgencyID, _ token.Epoch, t token.Tag) (casefile.IdentifierID, bool, error) {
	id, ok := b.expected[a][t]
	return id, ok, nil
}

func (b *book) EntryTagged(a directory.AgencyID, _ token.Epoch, t token.Tag) (feed.Entry, bool, error) {
	e, ok := b.entries[a][t]
	return e, ok, nil
}

func (b *book) Expect(a directory.AgencyID, _ token.Epoch, t token.Tag, id casefile.IdentifierID) error {
	if b.expected[a] == nil {
		b.expected[a] = map[token.Tag]casefile.IdentifierID{}
	}
	b.expected[a][t] = id
	return nil
}

func (b *book) Muted(i identifier.Identifier, t token.Tag) (bool, error) {
	return b.muted[i] || b.tags[t], nil
}

func (b *book) CasesHolding(id casefile.IdentifierID) ([]casefile.CaseID, error) {
	return b.cases[id], nil
}

func (b *book) Raise(p alert.Pair, g alert.Ground) error {
	if !slices.Contains(b.alerts[p], g.Identifier) {
		b.alerts[p] = append(b.alerts[p], g.Identifier)
	}
	return nil
}

const (
	boulder directory.AgencyID = "boulder-so"
	aurora  directory.AgencyID = "aurora-pd"
	epoch   token.Epoch        = 1
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func parsed(t testing.TB, raw string) identifier.Identifier {
	t.Helper()
	i, err := identifier.Parse(identifier.Email, raw, "US")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// keyOf stands for the token of an identifier: any holder derives the same.
func keyOf(i identifier.Identifier) *token.Key {
	var t [token.Size]byte
	copy(t[:], i.Value())
	return token.Derive(t, token.Secret{7}, epoch)
}

// entryOf is the entry in which author announces i from a case of its own.
func entryOf(t testing.TB, author directory.AgencyID, n uint64, i identifier.Identifier, c byte) feed.Entry {
	t.Helper()
	k := keyOf(i)
	e := feed.Entry{Number: n, Kind: feed.Announce, Epoch: epoch, Tag: k.Tag(author.Author())}
	p, err := k.Seal(nil, author.Author(), n, token.Pointer{Case: token.CasePointer{c}, Kind: uint8(i.Kind())})
	if err != nil {
		t.Fatal(err)
	}
	e.Pointer = p
	return e
}

// arrive does what a node does with an entry of another member.
func (b *book) arrive(t testing.TB, author directory.AgencyID, e feed.Entry, own map[casefile.IdentifierID]identifier.Identifier) {
	t.Helper()
	if b.entries[author] == nil {
		b.entries[author] = map[token.Tag]feed.Entry{}
	}
	b.entries[author][e.Tag] = e
	open := func(id casefile.IdentifierID, e token.Epoch) (Own, error) {
		return Own{ID: id, Identifier: own[id], Epoch: e, Key: keyOf(own[id])}, nil
	}
	if err := Arrived(b, author, e, open, noon); err != nil {
		t.Fatal(err)
	}
}

func (b *book) announce(t testing.TB, author directory.AgencyID, id casefile.IdentifierID, i identifier.Identifier) {
	t.Helper()
	if err := Announced(b, author, Own{ID: id, Identifier: i, Epoch: epoch, Key: keyOf(i)}, noon); err != nil {
		t.Fatal(err)
	}
}

func TestAMatchIsFoundInEitherOrder(t *testing.T) {
	i := parsed(t, "j.doe@example.org")
	want := map[alert.Pair][]identifier.Identifier{
		{Case: 3, Agency: boulder, Theirs: token.CasePointer{9}}: {i},
	}
	own := map[casefile.IdentifierID]identifier.Identifier{1: i}
	for _, arrivesFirst := range []bool{true, false} {
		b := newBook()
		b.cases[1] = []casefile.CaseID{3}
		e := entryOf(t, boulder, 5, i, 9)
		if arrivesFirst {
			b.arrive(t, boulder, e, own)
			b.announce(t, boulder, 1, i)
		} else {
			b.announce(t, boulder, 1, i)
			b.arrive(t, boulder, e, own)
		}
		if !cmp.Equal(b.alerts, want, cmp.Comparer(func(x, y identifier.Identifier) bool { return x == y })) {
			t.Errorf("entry first %t: %d alerts, want the one pair", arrivesFirst, len(b.alerts))
		}
	}
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
			b.announce(t, tt.author, 1, i)
			b.arrive(t, tt.author, tt.entry, own)
			b.announce(t, tt.author, 1, i)
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
			}
			for _, author := range []directory.AgencyID{boulder, aurora} {
				if held {
					steps = append(steps, func() { b.announce(t, author, id, i) })
				}
				if !rapid.Bool().Draw(rt, "sent") {
					continue
				}
				theirs := byte(rapid.IntRange(1, 2).Draw(rt, "theirs"))
				e := entryOf(t, author, uint64(n+1), i, theirs)
				steps = append(steps, func() { b.arrive(t, author, e, own) })
				if held {
					for _, c := range b.cases[id] {
						want[alert.Pair{Case: c, Agency: author, Theirs: token.CasePointer{theirs}}]++
					}
				}
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

// TestAMutedIdentifierRaisesNothing holds for both ways to mute, and for both
// ways in which a match is found.
func TestAMutedIdentifierRaisesNothing(t *testing.T) {
	i := parsed(t, "j.doe@example.org")
	own := map[casefile.IdentifierID]identifier.Identifier{1: i}
	for _, tt := range []struct {
		name string
		mute func(*book)
		want int
	}{
		{"by nobody", func(*book) {}, 1},
		{"by the agency", func(b *book) { b.muted[i] = true }, 0},
		{"by the network", func(b *book) { b.tags[keyOf(i).Tag(token.DirectoryScope)] = true }, 0},
		{"by the tag of an agency", func(b *book) { b.tags[keyOf(i).Tag(boulder.Author())] = true }, 1},
	} {
		for _, arrivesFirst := range []bool{true, false} {
			b := newBook()
			b.cases[1] = []casefile.CaseID{3}
			tt.mute(b)
			steps := []func(){func() { b.arrive(t, boulder, entryOf(t, boulder, 5, i, 9), own) }, func() { b.announce(t, boulder, 1, i) }}
			if !arrivesFirst {
				slices.Reverse(steps)
			}
			for _, step := range steps {
				step()
			}
			if len(b.alerts) != tt.want {
				t.Errorf("muted %s, entry first %t: %d alerts, want %d", tt.name, arrivesFirst, len(b.alerts), tt.want)
			}
		}
	}
}

// TestNoAgencyHasTheDirectorysScope: else it could announce what the network
// mutes.
func TestNoAgencyHasTheDirectorysScope(t *testing.T) {
	if id, err := directory.ParseAgencyID(string(token.DirectoryScope)); err == nil {
		t.Errorf("an agency can be %s", id)
	}
}
