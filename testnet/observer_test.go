package testnet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// seen is one entry as an observer has it: whose it is, what stands in it, and where
// it lies in its feed.
type seen struct {
	author directory.AgencyID
	feed.Entry
	place float64 // from 0 for the feed's first entry to 1 for its last
	batch uint64  // the number of the head under which it was signed
}

// everything is what an observer has: every entry of every feed, and what it may
// know beside.
type everything struct {
	entries map[directory.AgencyID][]seen
	secret  token.Secret // of the federation, where it knows it
	alike   map[string]map[[token16]byte]int
}

const token16 = len(token.Tag{})

// guess says how much two entries look as if they stood for one identifier.
type guess struct {
	name  string
	score func(o *everything, a, b seen) float64
}

func equal[T comparable](a, b T) float64 {
	if a == b {
		return 1
	}
	return 0
}

func xored(a, b []byte) []byte {
	out := make([]byte, min(len(a), len(b)))
	for i := range out {
		out[i] = a[i] ^ b[i]
	}
	return out
}

// prefix is how many leading bits are the same; same is how many of all.
func prefix(a, b []byte) float64 {
	n := 0
	for _, x := range xored(a, b) {
		n += bits.LeadingZeros8(x)
		if x != 0 {
			break
		}
	}
	return float64(n)
}

func same(a, b []byte) (n float64) {
	for _, x := range xored(a, b) {
		n += float64(8 - bits.OnesCount8(x))
	}
	return n
}

// bare is an entry without what the federation secret could explain of it.
func (o *everything) bare(s seen) []byte {
	mask := hmac.New(sha256.New, o.secret[:])
	mask.Write([]byte(s.author))
	return xored(s.Tag[:], mask.Sum(nil))
}

// empty is an author's tag of a token that is all zero.
func (o *everything) empty(s seen) []byte {
	k := token.Derive([token.Size]byte{}, o.secret, s.Epoch)
	defer k.Destroy()
	t := k.Tag(token.Author(s.author))
	return xored(s.Tag[:], t[:])
}

// opens takes one entry's tag for the token of the other's pointer.
func (o *everything) opens(a, b seen) float64 {
	var t [token.Size]byte
	copy(t[:], a.Tag[:])
	k := token.Derive(t, o.secret, b.Epoch)
	defer k.Destroy()
	if _, err := k.Open(token.Author(b.author), b.Number, b.Pointer); err != nil {
		return 0
	}
	return 1
}

func pairOf(a, b seen) string { return string(a.author) + " " + string(b.author) }

// common is how often the two tags' difference is that of other entries of the two
// authors.
func (o *everything) common(a, b seen) float64 {
	if o.alike == nil {
		o.alike = map[string]map[[token16]byte]int{}
	}
	counts := o.alike[pairOf(a, b)]
	if counts == nil {
		counts = map[[token16]byte]int{}
		for _, x := range o.entries[a.author] {
			for _, y := range o.entries[b.author] {
				counts[[token16]byte(xored(x.Tag[:], y.Tag[:]))]++
			}
		}
		o.alike[pairOf(a, b)] = counts
	}
	return float64(counts[[token16]byte(xored(a.Tag[:], b.Tag[:]))])
}

// guesses are what an observer tries.
func guesses() []guess {
	tags := func(f func(a, b []byte) float64) func(*everything, seen, seen) float64 {
		return func(_ *everything, a, b seen) float64 { return f(a.Tag[:], b.Tag[:]) }
	}
	pointers := func(f func(a, b []byte) float64) func(*everything, seen, seen) float64 {
		return func(_ *everything, a, b seen) float64 { return f(a.Pointer[:], b.Pointer[:]) }
	}
	return []guess{
		{"equal tags", func(_ *everything, a, b seen) float64 { return equal(a.Tag, b.Tag) }},
		{"equal pointers", func(_ *everything, a, b seen) float64 { return equal(a.Pointer, b.Pointer) }},
		{"prefixes of tags", tags(prefix)},
		{"prefixes of pointers", pointers(prefix)},
		{"distance of tags", tags(same)},
		{"distance of pointers", pointers(same)},
		{"tag and pointer", func(_ *everything, a, b seen) float64 { return same(a.Tag[:], b.Pointer[:]) }},
		{"difference of tags", (*everything).common},
		{"numbers", func(_ *everything, a, b seen) float64 { return -math.Abs(float64(a.Number) - float64(b.Number)) }},
		{"places", func(_ *everything, a, b seen) float64 { return -math.Abs(a.place - b.place) }},
		{"places from the ends", func(_ *everything, a, b seen) float64 { return -math.Abs(a.place + b.place - 1) }},
		{"batches", func(_ *everything, a, b seen) float64 { return -math.Abs(float64(a.batch) - float64(b.batch)) }},
		{"lengths", func(_ *everything, a, b seen) float64 { return equal(len(a.Encode()), len(b.Encode())) }},
		{"tags without what the secret says", func(o *everything, a, b seen) float64 { return same(o.bare(a), o.bare(b)) }},
		{"tags beside those of an empty token", func(o *everything, a, b seen) float64 { return same(o.empty(a), o.empty(b)) }},
		{"one opens the other", func(o *everything, a, b seen) float64 { return o.opens(a, b) + o.opens(b, a) }},
	}
}

// trial is one question to an observer: which of two entries of another author
// stands for the same identifier as a. No entry is in two trials.
type trial struct{ a, same, other seen }

// right counts the trials in which a guess was right; where it cannot tell it throws
// a coin.
func (g guess) right(o *everything, trials []trial, coin *rand.Rand) (n int) {
	for _, t := range trials {
		yes, no := g.score(o, t.a, t.same), g.score(o, t.a, t.other)
		if yes > no || yes == no && coin.IntN(2) == 0 {
			n++
		}
	}
	return n
}

// falseAlarm bounds the chance that a guess which knows nothing is taken for one that
// does, over all guesses that are made.
const falseAlarm = 1e-10

// beyondChance is by how many right answers more or fewer than half of n trials a
// guess shows that it knows something, where so many guesses are made: by Hoeffding's
// inequality, P(|X − n/2| ≥ d) ≤ 2 exp(−2d²/n) for a sum of n independent fair coins.
func beyondChance(n, guesses int) int {
	return int(math.Ceil(math.Sqrt(float64(n) / 2 * math.Log(2*float64(guesses)/falseAlarm))))
}

// leaks returns the guesses that know something.
func leaks(t *testing.T, o *everything, trials []trial, coin *rand.Rand) (found []string) {
	t.Helper()
	all := guesses()
	limit := beyondChance(len(trials), 4*len(all)) // they are made four times
	for _, g := range all {
		n := g.right(o, trials, coin)
		if d := n - len(trials)/2; d >= limit || -d >= limit {
			found = append(found, g.name)
		}
	}
	return found
}

const (
	inCommon = 40 // identifiers that each two of the five agencies share
	alone    = 80 // that each has alone
)

// population is who holds what: for each two agencies inCommon identifiers, and alone
// of each one's own, in an order of its own.
func population(order *rand.Rand, agencies int) (held [][]string) {
	held = make([][]string, agencies)
	for i := range agencies {
		for j := range i {
			for n := range inCommon {
				name := fmt.Sprintf("pair%d.%d.%d@example.org", j, i, n)
				held[i], held[j] = append(held[i], name), append(held[j], name)
			}
		}
		for n := range alone {
			held[i] = append(held[i], fmt.Sprintf("alone%d.%d@example.org", i, n))
		}
	}
	for _, list := range held {
		order.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	}
	return held
}

// observe reads every feed from every store.
func observe(t *testing.T, net *Net) *everything {
	t.Helper()
	o := &everything{entries: map[directory.AgencyID][]seen{}}
	for _, at := range net.Agencies() {
		err := at.Node().View(func(tx *store.Tx) error {
			for _, a := range net.Agencies() {
				author := directory.AgencyID(a.ID)
				list, err := readFeed(tx, author)
				if err != nil {
					return err
				}
				if held := o.entries[author]; held != nil && !slices.Equal(held, list) {
					t.Errorf("%s has other entries of %s than others have", at.ID, author)
				}
				o.entries[author] = list
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// truth is which entries stand for what, which an observer does not know.
func (o *everything) truth(t *testing.T, net *Net) map[string]map[directory.AgencyID]seen {
	t.Helper()
	stands := map[string]map[directory.AgencyID]seen{}
	for _, a := range net.Agencies() {
		for name, number := range standing(t, a) {
			if stands[name] == nil {
				stands[name] = map[directory.AgencyID]seen{}
			}
			stands[name][directory.AgencyID(a.ID)] = o.entries[directory.AgencyID(a.ID)][number-1]
		}
	}
	return stands
}

func readFeed(tx *store.Tx, author directory.AgencyID) ([]seen, error) {
	id := feed.ID{Author: author}
	entries, err := tx.EntriesAfter(id, 0, math.MaxInt)
	if err != nil {
		return nil, err
	}
	heads, err := tx.Heads(id, 1, 1, math.MaxInt)
	var list []seen
	for i, e := range entries {
		n, _ := slices.BinarySearchFunc(heads, e.Number, func(h feed.Head, n uint64) int { return int(h.Number) - int(n) })
		list = append(list, seen{author: author, Entry: e, place: float64(i) / float64(max(1, len(entries)-1)), batch: heads[n].Number})
	}
	return list, err
}

// standing is under which number an agency announces each of its identifiers.
func standing(t *testing.T, a *Agency) map[string]uint64 {
	t.Helper()
	numbers := map[string]uint64{}
	err := a.Node().View(func(tx *store.Tx) error {
		return tx.Cases(func(c casefile.Case) error {
			list, err := tx.Holdings(c.ID, math.MaxInt)
			if err != nil {
				return err
			}
			for _, h := range list {
				id, err := tx.Known(h.Identifier)
				if err != nil {
					return err
				}
				s, err := tx.Standing(id)
				if err != nil || len(s) != 1 {
					return fmt.Errorf("%d announcements stand, %w", len(s), err)
				}
				numbers[h.Identifier.Value()] = s[0].Number
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

// trialsOf asks of every identifier that two agencies share, beside one that the
// second has alone or, once those are used up, shares with another.
func trialsOf(t *testing.T, stands map[string]map[directory.AgencyID]seen, order *rand.Rand) (trials []trial) {
	t.Helper()
	decoys := map[directory.AgencyID][]seen{}
	var pairs []string
	for name, by := range stands {
		if len(by) == 2 {
			pairs = append(pairs, name)
			continue
		}
		for id, e := range by {
			decoys[id] = append(decoys[id], e)
		}
	}
	slices.Sort(pairs)
	for _, list := range decoys {
		slices.SortFunc(list, func(a, b seen) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
	}
	for _, name := range pairs {
		var ids []directory.AgencyID
		for id := range stands[name] {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		if order.IntN(2) == 0 {
			ids[0], ids[1] = ids[1], ids[0]
		}
		if len(decoys[ids[1]]) == 0 {
			ids[0], ids[1] = ids[1], ids[0]
		}
		list := decoys[ids[1]]
		if len(list) == 0 {
			continue
		}
		decoys[ids[1]] = list[1:]
		trials = append(trials, trial{stands[name][ids[0]], stands[name][ids[1]], list[0]})
	}
	return trials
}

// TestAnObserverOfEveryFeedGuessesNoOverlapBetterThanChance: five agencies, of which
// each two have identifiers in common, and an observer who has all that lies on
// anybody's disk of feeds but holds no token.
func TestAnObserverOfEveryFeedGuessesNoOverlapBetterThanChance(t *testing.T) {
	order := rand.New(rand.NewPCG(5, 40))
	ids := []string{"aurora-pd", "boulder-so", "denver-pd", "golden-pd", "pueblo-pd"}
	net := Start(t, Plan{Agencies: Members(ids...)})
	held := population(order, len(ids))
	for i, a := range net.Agencies() {
		c := opens(t, a, "C-1")
		for part := range slices.Chunk(held[i], 30) {
			pastes(t, a, c, strings.Join(part, "\n"))
		}
	}
	settleAndCheck(t, net)
	o := observe(t, net)
	stands := o.truth(t, net)
	trials := trialsOf(t, stands, order)
	if len(trials) < 300 {
		t.Fatalf("%d trials, want 300 or more", len(trials))
	}
	t.Logf("%d trials; more than %d right answers beyond half of them show that something leaks", len(trials), beyondChance(len(trials), 4*len(guesses())))
	if found := leaks(t, o, trials, order); len(found) > 0 {
		t.Errorf("an observer tells overlaps by %v", found)
	}
	o.secret = federationSecret(t, net.Agencies()[0])
	if found := leaks(t, o, trials, order); len(found) > 0 {
		t.Errorf("an observer with the federation secret tells overlaps by %v", found)
	}
	wouldLeak(t, o, stands, order)
}

// wouldLeak shows that the same observer finds overlaps where there is something to
// find: where tags are the same for every author, and where each author's differ
// from that by what is its own.
func wouldLeak(t *testing.T, o *everything, stands map[string]map[directory.AgencyID]seen, order *rand.Rand) {
	t.Helper()
	for name, tag := range map[string]func(name string, by directory.AgencyID) token.Tag{
		"equal tags": func(name string, _ directory.AgencyID) token.Tag {
			return token.Tag(sum(name))
		},
		"difference of tags": func(name string, by directory.AgencyID) token.Tag {
			one, own := sum(name), sum(string(by))
			return token.Tag(xored(one[:], own[:]))
		},
	} {
		leaky := &everything{entries: map[directory.AgencyID][]seen{}, secret: o.secret}
		changed := map[string]map[directory.AgencyID]seen{}
		for value, by := range stands {
			changed[value] = map[directory.AgencyID]seen{}
			for id, e := range by {
				e.Tag = tag(value, id)
				changed[value][id] = e
				leaky.entries[id] = append(leaky.entries[id], e)
			}
		}
		if found := leaks(t, leaky, trialsOf(t, changed, order), order); !slices.Contains(found, name) {
			t.Errorf("tags that leak by %q do not show: %v do", name, found)
		}
	}
}

func sum(text string) [token16]byte {
	s := sha256.Sum256([]byte(text))
	return [token16]byte(s[:])
}

// federationSecret is the newest that an agency has on its disk.
func federationSecret(t *testing.T, a *Agency) (s token.Secret) {
	t.Helper()
	var b []byte
	err := a.Node().View(func(tx *store.Tx) (err error) {
		b, err = tx.Meta("federation secrets")
		return err
	})
	if err != nil || len(b) < len(s) {
		t.Fatalf("no federation secret: %v", err)
	}
	copy(s[:], b[len(b)-len(s):])
	epoch, ok := a.Node().Directory().Current()
	if !ok || epoch.Federation != s.Commit() || binary.BigEndian.Uint32(b[len(b)-len(s)-4:]) != uint32(epoch.Epoch) {
		t.Fatal("what is stored is not the federation secret of the epoch")
	}
	return s
}

// plays serves a feed in a member's place to whoever subscribes to it.
func (o *outsider) plays(key ed25519.PrivateKey, author directory.AgencyID, held []feed.Entry, more []feed.Entry) error {
	id := feed.ID{Author: author}
	at := feed.Start(id, 1)
	for _, e := range held {
		at = at.After(e)
	}
	since := at.Number
	w := feed.NewWriter(id, key, at)
	for _, e := range more {
		if err := w.Append(e); err != nil {
			return err
		}
	}
	heads := w.Close()
	b := feed.Batch{Entries: more, Head: heads[len(heads)-1], Last: heads[len(heads)-1].Number}
	o.Handle(wire.ProtocolFeed, func(_ context.Context, s *link.Stream) error {
		var sub wire.Subscribe
		if err := s.Receive(&sub); err != nil {
			return err
		}
		for _, p := range sub.Feeds {
			if p.Audience == "" && p.Number > since {
				b = feed.Batch{Head: b.Head, Last: b.Last} // it has them
			}
		}
		err := s.Send(b.Message())
		for err == nil {
			err = s.Receive(&wire.Ack{})
		}
		return err
	})
	return nil
}

// copied are entries with what stands in others, under numbers of their own.
func copied(from []seen, after uint64) (list []feed.Entry) {
	for _, s := range from {
		after++
		list = append(list, feed.Entry{Number: after, Kind: s.Kind, Epoch: s.Epoch, Tag: s.Tag, Pointer: s.Pointer})
	}
	return list
}

func TestCopiedTagsAndPointersRaiseNoAlert(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "golden-pd", "aurora-pd")})
	denver, boulder, golden, aurora := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("golden-pd"), net.Agency("aurora-pd")
	d := opens(t, denver, "D-1")
	pastes(t, denver, d, "one@example.org two@example.org three@example.org")
	shares(t, denver, d, toListed(t, "boulder-so"), "listed@example.org")
	all := "one@example.org two@example.org three@example.org listed@example.org"
	shares(t, boulder, opens(t, boulder, "B-1"), watched, all)
	shares(t, aurora, opens(t, aurora, "A-1"), watched, all)
	settleAndCheck(t, net)
	o := observe(t, net)
	whole := o.entries["denver-pd"]
	var listed []seen
	err := denver.Node().View(func(tx *store.Tx) error {
		entries, err := tx.EntriesAfter(feed.ID{Author: "denver-pd", Audience: toListed(t, "boulder-so").Audience}, 0, 10)
		for _, e := range entries {
			listed = append(listed, seen{author: "denver-pd", Entry: e})
		}
		return err
	})
	if err != nil || len(listed) != 1 {
		t.Fatalf("%d entries for boulder, %v", len(listed), err)
	}
	boulders, auroras := alertedOf(t, boulder), alertedOf(t, aurora)

	// Golden copies the feed as it is, what is for boulder alone, and both again in
	// another order under other numbers.
	turned := append(slices.Clone(listed), whole...)
	slices.Reverse(turned)
	fake := slices.Concat(copied(whole, 0), copied(listed, 3), copied(turned, 4))
	awaitTaken(t, net, outside(t, golden), golden, nil, fake, boulder, aurora)
	wantAlerted(t, boulder, boulders...)
	wantAlerted(t, aurora, auroras...)

	// Denver itself copies what is for boulder alone into its feed for all.
	var held []feed.Entry
	for _, s := range whole {
		held = append(held, s.Entry)
	}
	awaitTaken(t, net, outside(t, denver), denver, held, copied(listed, uint64(len(held))), boulder, aurora)
	wantAlerted(t, boulder, boulders...)
	wantAlerted(t, aurora, auroras...)

	// Who enters the identifiers only now is alerted of what denver announced, and of
	// no copy.
	shares(t, aurora, opens(t, aurora, "A-2"), watched, all)
	wantAlerted(t, aurora, append(auroras, auroras...)...)
}

// awaitTaken has a member say these entries beyond what is held of its feed, until
// the readers have taken them.
func awaitTaken(t *testing.T, net *Net, o *outsider, a *Agency, held, more []feed.Entry, readers ...*Agency) {
	t.Helper()
	if err := o.plays(o.key, directory.AgencyID(a.ID), held, more); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := net.await(ctx, "the copies to be taken", func() (bool, error) {
		for _, r := range readers {
			if feedsOf(t, r, a.ID)[""] != uint64(len(held)+len(more)) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
