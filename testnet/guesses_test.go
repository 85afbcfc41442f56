package testnet

import (
	"crypto/hmac"
	"crypto/sha256"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
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
