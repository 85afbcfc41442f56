package match

import (
	order "cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
)

// book is a Book in memory.
type book struct {
	expected map[feed.Probe][]casefile.IdentifierID
	standing map[feed.Probe][]feed.Announcement
	cases    map[casefile.IdentifierID][]casefile.CaseID
	alerts   map[alert.Pair][]identifier.Identifier
	muted    token.Tag // in the directory's scope
	lookups  int       // probes for what stands
}

func newBook() *book {
	return &book{
		expected: map[feed.Probe][]casefile.IdentifierID{}, standing: map[feed.Probe][]feed.Announcement{},
		cases: map[casefile.IdentifierID][]casefile.CaseID{}, alerts: map[alert.Pair][]identifier.Identifier{},
	}
}

func (b *book) ExpectedAmong(a directory.AgencyID, e token.Epoch, tags []token.Tag) ([][]casefile.IdentifierID, error) {
	list := make([][]casefile.IdentifierID, len(tags))
	for n, t := range tags {
		list[n] = b.expected[feed.Probe{Author: a, Epoch: e, Tag: t}]
	}
	return list, nil
}

func (b *book) TaggedOf(probes []feed.Probe) ([][]feed.Announcement, error) {
	list := make([][]feed.Announcement, len(probes))
	for n, p := range probes {
		list[n] = b.standing[p]
	}
	b.lookups += len(probes)
	return list, nil
}

func (b *book) Expect(a directory.AgencyID, e token.Epoch, t token.Tag, id casefile.IdentifierID) error {
	p := feed.Probe{Author: a, Epoch: e, Tag: t}
	if !slices.Contains(b.expected[p], id) {
		b.expected[p] = append(b.expected[p], id)
	}
	return nil
}

func (b *book) Muted(_ identifier.Identifier, t token.Tag) (bool, error) {
	return b.muted == t, nil
}

func (b *book) CasesMatching(id casefile.IdentifierID) ([]casefile.CaseID, error) {
	return b.cases[id], nil
}

// stands keeps an announcement, in the order that TaggedOf promises.
func (b *book) stands(id feed.ID, e feed.Entry) {
	p := feed.Probe{Author: id.Author, Epoch: e.Epoch, Tag: e.Tag}
	a := feed.Announcement{Audience: id.Audience, Entry: e}
	if slices.Contains(b.standing[p], a) {
		return
	}
	b.standing[p] = append(b.standing[p], a)
	slices.SortFunc(b.standing[p], func(x, y feed.Announcement) int {
		return order.Or(order.Compare(x.Audience.String(), y.Audience.String()), order.Compare(x.Entry.Number, y.Entry.Number))
	})
}

// withdraw ends an announcement.
func (b *book) withdraw(id feed.ID, e feed.Entry) {
	p := feed.Probe{Author: id.Author, Epoch: e.Epoch, Tag: e.Tag}
	b.standing[p] = slices.DeleteFunc(b.standing[p], func(a feed.Announcement) bool { return a == feed.Announcement{Audience: id.Audience, Entry: e} })
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
func entryOf(t testing.TB, author directory.AgencyID, n uint64, i identifier.Identifier, c ...byte) feed.Entry {
	t.Helper()
	k := keyOf(i)
	pointer := token.Pointer{Kind: uint8(i.Kind())}
	copy(pointer.Case[:], c)
	e := feed.Entry{Number: n, Kind: feed.Announce, Epoch: epoch, Tag: k.Tag(author.Author())}
	p, err := k.Seal(nil, author.Author(), n, pointer)
	if err != nil {
		t.Fatal(err)
	}
	e.Pointer = p
	return e
}

// arrive does what a node does with entries of another member's feed.
func (b *book) arrive(t testing.TB, id feed.ID, own map[casefile.IdentifierID]identifier.Identifier, entries ...feed.Entry) {
	t.Helper()
	for _, e := range entries {
		b.stands(id, e)
	}
	open := func(n casefile.IdentifierID, e token.Epoch) (Own, error) {
		i, ok := own[n]
		if !ok {
			return Own{}, fmt.Errorf("identifier %d is not held", n)
		}
		return Own{ID: n, Identifier: i, Epoch: e, Key: keyOf(i)}, nil
	}
	if err := Arrived(b, id, epoch, entries, open, noon); err != nil {
		t.Fatal(err)
	}
}

func everyone(feed.ID) bool { return true }

// announce does what a node does with new identifiers of its own.
func (b *book) announce(t testing.TB, authors []directory.AgencyID, own map[casefile.IdentifierID]identifier.Identifier, admits func(feed.ID) bool) {
	t.Helper()
	var owns []Own
	for _, id := range slices.Sorted(maps.Keys(own)) {
		owns = append(owns, Own{ID: id, Identifier: own[id], Epoch: epoch, Key: keyOf(own[id])})
	}
	if err := Announced(b, authors, owns, admits, noon); err != nil {
		t.Fatal(err)
	}
}

// wantAlerts compares the alerts with what they should be raised by.
func (b *book) wantAlerts(t testing.TB, name string, want map[alert.Pair][]identifier.Identifier) {
	t.Helper()
	if !cmp.Equal(b.alerts, want, cmp.Comparer(func(x, y identifier.Identifier) bool { return x == y })) {
		t.Errorf("%s: %d alerts, want %d: those of %v", name, len(b.alerts), len(want), slices.Collect(maps.Keys(want)))
	}
}

func listed(t testing.TB, agencies ...directory.AgencyID) directory.Audience {
	t.Helper()
	a, err := directory.ListAudience(agencies...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
