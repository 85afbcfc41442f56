package feed

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// generation is one that a holder has: its entries, and heads by number.
type generation struct {
	number  uint32
	entries []Entry
	heads   []Head
}

func (g *generation) at() Position {
	if n := len(g.heads); n > 0 {
		return g.heads[n-1].Position
	}
	return Start(denver, g.number)
}

// grow appends entries, of which some withdraw former ones, under one commit.
func (g *generation) grow(t *rapid.T) {
	w := NewWriter(denver, key(1), g.at())
	for range rapid.IntRange(1, 40).Draw(t, "entries") {
		e := entry(w.Next())
		if n := len(g.entries); n > 0 && rapid.IntRange(0, 2).Draw(t, "withdraws") == 0 {
			e = g.entries[rapid.IntRange(0, n-1).Draw(t, "which")].Withdrawal(w.Next())
		}
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
		g.entries = append(g.entries, e)
	}
	g.heads = append(g.heads, w.Close()...)
}

// compacted is the next generation, without what is withdrawn up to the last
// entry; a head is signed after every few that stay.
func (g *generation) compacted(every int) *generation {
	gone, next := map[uint64]bool{}, &generation{number: g.number + 1}
	for _, e := range g.entries {
		if e.Kind == Withdraw {
			gone[e.Number], gone[e.Withdraws()] = true, true
		}
	}
	delete(gone, g.entries[len(g.entries)-1].Number)
	kept := slices.DeleteFunc(slices.Clone(g.entries), func(e Entry) bool { return gone[e.Number] })
	next.heads = []Head{Empty(denver, next.number, key(1))}
	for part := range slices.Chunk(kept, every) {
		w := NewWriter(denver, key(1), next.at())
		for _, e := range part {
			w.Keep(e)
		}
		next.entries, next.heads = append(next.entries, part...), append(next.heads, w.Close()...)
	}
	return next
}

// batch is the entries after a number up to the furthest head that is not after
// another.
func (g *generation) batch(since, until uint64) (b Batch, ok bool) {
	i, _ := slices.BinarySearchFunc(g.heads, until+1, func(h Head, n uint64) int { return int(int64(h.Number) - int64(n)) })
	if i == 0 || g.heads[i-1].Number <= since {
		return b, false
	}
	b.Head = g.heads[i-1]
	for _, e := range g.entries {
		if e.Number > since && e.Number <= b.Head.Number {
			b.Entries = append(b.Entries, e)
		}
	}
	return b, true
}

// of are the entries of runs that are held.
func of(held []Entry, runs []Run) []Entry {
	var list []Entry
	for _, r := range runs {
		for _, e := range held {
			if e.Number >= r.First && e.Number <= r.Last {
				list = append(list, e)
			}
		}
	}
	return list
}

// move brings a reader who holds entries up to the head of a former generation to
// the end of g; it returns what it holds then and how many entries it was sent.
func (g *generation) move(t *rapid.T, held []Entry) (now []Entry, at Position, sent int) {
	former := uint64(0)
	if n := len(held); n > 0 {
		former = held[n-1].Number
	}
	at = Start(denver, g.number)
	for at.Number < former {
		b, ok := g.batch(at.Number, at.Number+rapid.Uint64Range(1, 50).Draw(t, "step"))
		if !ok {
			b, _ = g.batch(at.Number, g.at().Number)
		}
		n := 0
		for n < len(b.Entries) && b.Entries[n].Number <= former {
			n++
		}
		if n == 0 {
			break
		}
		b.Kept, b.Entries = RunsOf(b.Entries[:n]), b.Entries[n:]
		kept := of(held, b.Kept)
		g.refusesLies(t, b, at, held)
		to, err := b.VerifyKept(denver, wire.PeerOf(key(1)), at, kept)
		if err != nil {
			t.Fatalf("move from %d to %d: %v", at.Number, b.Head.Number, err)
		}
		now, at, sent = slices.Concat(now, kept, b.Entries), to, sent+len(b.Entries)
	}
	for at.Number < g.at().Number {
		b, _ := g.batch(at.Number, g.at().Number)
		to, err := b.Verify(denver, wire.PeerOf(key(1)), at)
		if err != nil {
			t.Fatalf("carry on from %d to %d: %v", at.Number, b.Head.Number, err)
		}
		now, at, sent = append(now, b.Entries...), to, sent+len(b.Entries)
	}
	return now, at, sent
}

// refusesLies tells a reader which holds entries something else than b.
func (g *generation) refusesLies(t *rapid.T, b Batch, at Position, held []Entry) {
	numbers := of(held, b.Kept)
	i := rapid.IntRange(0, len(numbers)-1).Draw(t, "lie")
	without := slices.Delete(slices.Clone(numbers), i, i+1)
	lies := map[string]Batch{
		"one left out":                {Kept: RunsOf(without), Head: b.Head},
		"a head of another number":    {Kept: b.Kept, Head: Sign(denver, key(1), Position{g.number, b.Head.Number + 1, b.Head.Hash})},
		"a head by somebody else":     {Kept: b.Kept, Head: Sign(denver, key(2), b.Head.Position)},
		"another generation":          {Kept: b.Kept, Head: Sign(denver, key(1), Position{g.number + 1, b.Head.Number, b.Head.Hash})},
		"another feed":                {Kept: b.Kept, Head: Sign(boulder, key(1), b.Head.Position)},
		"one that the reader has not": {Kept: append(slices.Clone(b.Kept), Run{1 << 40, 1 << 40}), Head: b.Head},
	}
	for _, e := range held { // one that was withdrawn stays
		all := append(slices.Clone(numbers), e)
		slices.SortFunc(all, func(a, b Entry) int { return int(int64(a.Number) - int64(b.Number)) })
		if e.Number > at.Number && e.Number < b.Head.Number && !slices.Contains(numbers, e) {
			lies["one that is gone"] = Batch{Kept: RunsOf(all), Head: b.Head}
		}
	}
	for name, lie := range lies {
		lie.Entries = b.Entries
		to, err := lie.VerifyKept(denver, wire.PeerOf(key(1)), at, of(held, lie.Kept))
		if err == nil || to != at || !errors.Is(err, ErrGap) && !errors.Is(err, ErrForged) {
			t.Fatalf("%s: VerifyKept = %d, %v; want a gap or a forgery", name, to.Number, err)
		}
	}
	altered := slices.Clone(numbers)
	altered[i].Tag[3] ^= 1
	if _, err := b.VerifyKept(denver, wire.PeerOf(key(1)), at, altered); !errors.Is(err, ErrForged) && !errors.Is(err, ErrGap) {
		t.Fatalf("a reader who holds something else: %v, want a forgery", err)
	}
}

// TestWhoMovesComesToTheHeadsOfWhoReadsFromTheStart: wherever it stood, in
// whatever steps, through one compaction or two, and it is sent only what it had
// not yet.
func TestWhoMovesComesToTheHeadsOfWhoReadsFromTheStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := &generation{number: 1, heads: []Head{Empty(denver, 1, key(1))}}
		for range rapid.IntRange(1, 4).Draw(t, "commits") {
			first.grow(t)
		}
		stood := rapid.SampledFrom(first.heads).Draw(t, "stood at").Number
		held := first.entries[:stood]
		every := rapid.IntRange(1, 40).Draw(t, "heads every")
		last := first
		for range rapid.IntRange(1, 2).Draw(t, "compactions") {
			last = last.compacted(every)
			if rapid.Bool().Draw(t, "moves between") {
				held, _, _ = last.move(t, held)
			}
			for range rapid.IntRange(0, 2).Draw(t, "commits after") {
				last.grow(t)
			}
		}
		had := uint64(0)
		if len(held) > 0 {
			had = held[len(held)-1].Number
		}
		now, at, sent := last.move(t, held)
		if at != last.at() {
			t.Fatalf("moved to %d, want the author's head %d", at.Number, last.at().Number)
		}
		if diff := cmp.Diff(last.entries, now); diff != "" {
			t.Fatalf("entries held (-want +got):\n%s", diff)
		}
		fresh := 0
		for _, e := range last.entries {
			if e.Number > had {
				fresh++
			}
		}
		if sent != fresh {
			t.Fatalf("%d entries sent, want the %d new ones", sent, fresh)
		}
	})
}

// TestAGenerationOfOneEntryIsMovedTo: everything was withdrawn, and only the
// last entry is left, so that its number is not given twice.
func TestAGenerationOfOneEntryIsMovedTo(t *testing.T) {
	held := []Entry{entry(1), entry(2), entry(1).Withdrawal(3), entry(2).Withdrawal(4)}
	start := Start(denver, 2)
	w := NewWriter(denver, key(1), start)
	w.Keep(held[3])
	b := Batch{Kept: []Run{{4, 4}}, Head: w.Close()[0]}
	if at, err := b.VerifyKept(denver, wire.PeerOf(key(1)), start, held[3:]); err != nil || at != b.Head.Position || w.Next() != 5 {
		t.Errorf("VerifyKept = %d, %v, next %d; want 4, nil, 5", at.Number, err, w.Next())
	}
}

func TestAFeedBeginsAnewForEachNameAndGeneration(t *testing.T) {
	seen := map[Hash]ID{}
	for _, author := range []directory.AgencyID{"aa", "aab", "denver-pd"} {
		for _, audience := range []directory.Audience{directory.Everyone, listed(t, "aa"), listed(t, "aa", "bb")} {
			for _, generation := range []uint32{1, 2, 256} {
				id := ID{author, audience}
				start := Start(id, generation)
				if other, ok := seen[start.Hash]; ok {
					t.Errorf("%v generation %d begins as %v does", id, generation, other)
				}
				seen[start.Hash] = id
			}
		}
	}
}
