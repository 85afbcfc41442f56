package feed

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

var (
	denver  = ID{Author: "denver-pd"}
	boulder = ID{Author: "boulder-so"}
	// sameAudience lets cmp compare what holds an audience.
	sameAudience = cmp.Comparer(func(a, b directory.Audience) bool { return a == b })
)

// tb is a test, or one run of a property.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func listed(t tb, agencies ...directory.AgencyID) directory.Audience {
	t.Helper()
	a, err := directory.ListAudience(agencies...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func key(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

// entry makes an entry that depends on its number.
func entry(n uint64) Entry {
	e := Entry{Number: n, Kind: Announce, Epoch: 1, Tag: token.Tag{byte(n), byte(n >> 8), 1}}
	e.Pointer[0] = byte(n)
	return e
}

// write appends n entries after at and returns the batch with its last head.
func write(t tb, id ID, at Position, n int) (Batch, []Head) {
	t.Helper()
	w := NewWriter(id, key(1), at)
	var b Batch
	for range n {
		e := entry(w.Next())
		if err := w.Append(e); err != nil {
			t.Fatalf("append entry %d: %v", e.Number, err)
		}
		b.Entries = append(b.Entries, e)
	}
	heads := w.Close()
	if len(heads) > 0 {
		b.Head = heads[len(heads)-1]
	}
	return b, heads
}

func TestABatchThatFollowsOnIsTaken(t *testing.T) {
	for _, id := range []ID{denver, {denver.Author, listed(t, "boulder-so")}} {
		for _, generation := range []uint32{1, 2, 1 << 31} {
			start := Start(id, generation)
			b, _ := write(t, id, start, 3)
			at, err := b.Verify(id, wire.PeerOf(key(1)), start)
			if err != nil || at != b.Head.Position {
				t.Fatalf("Verify = %v, %v; want %v", at, err, b.Head.Position)
			}
			more, _ := write(t, id, at, 2)
			if at, err = more.Verify(id, wire.PeerOf(key(1)), at); err != nil || at.Number != 5 || at.Generation != generation {
				t.Errorf("Verify of the next batch = %d of generation %d, %v; want 5 of %d", at.Number, at.Generation, err, generation)
			}
		}
	}
}

func TestTheEmptyFeedHasASignedHead(t *testing.T) {
	for _, generation := range []uint32{1, 2} {
		b := Batch{Head: Empty(denver, generation, key(1))}
		if at, err := b.Verify(denver, wire.PeerOf(key(1)), Start(denver, generation)); err != nil || at != Start(denver, generation) {
			t.Errorf("generation %d: Verify = %v, %v; want its start", generation, at, err)
		}
	}
}

func TestWhatTheAuthorDidNotWriteIsRefused(t *testing.T) {
	held := Start(denver, 1)
	good, _ := write(t, denver, held, 4)
	first, _ := write(t, denver, held, 1)
	full, _ := write(t, denver, held, wire.MaxBatch+1)
	later, _ := write(t, denver, Start(denver, 2), 4)
	group := ID{denver.Author, listed(t, "boulder-so")}
	edit := func(f func(*Batch)) Batch {
		b := Batch{Entries: slices.Clone(good.Entries), Head: good.Head}
		b.Head.Signature = slices.Clone(b.Head.Signature)
		f(&b)
		return b
	}
	tests := []struct {
		name  string
		batch Batch
		id    ID
		held  Position
		want  error
	}{
		{"an altered tag", edit(func(b *Batch) { b.Entries[1].Tag[0] ^= 1 }), denver, held, ErrForged},
		{"an altered pointer", edit(func(b *Batch) { b.Entries[3].Pointer[5] ^= 1 }), denver, held, ErrForged},
		{"an announcement made a withdrawal", edit(func(b *Batch) { b.Entries[3] = b.Entries[1].Withdrawal(4) }), denver, held, ErrForged},
		{"an altered signature", edit(func(b *Batch) { b.Head.Signature[0] ^= 1 }), denver, held, ErrForged},
		{"no signature", edit(func(b *Batch) { b.Head.Signature = nil }), denver, held, ErrForged},
		{"a missing entry", edit(func(b *Batch) { b.Entries = slices.Delete(b.Entries, 1, 2) }), denver, held, ErrGap},
		{"a swapped order", edit(func(b *Batch) { b.Entries[1], b.Entries[2] = b.Entries[2], b.Entries[1] }), denver, held, ErrGap},
		{"a cut end", edit(func(b *Batch) { b.Entries = b.Entries[:3] }), denver, held, ErrForged},
		{"a start after a gap", edit(func(b *Batch) { b.Entries = b.Entries[2:] }), denver, held, ErrGap},
		{"a replay", good, denver, good.Head.Position, ErrStale},
		{"another author's name", good, boulder, Start(boulder, 1), ErrForged},
		{"another audience's feed", good, group, Start(group, 1), ErrForged},
		{"a head with another audience's name", edit(func(b *Batch) { b.Head.Audience = group.Audience }), group, held, ErrForged},
		{"a head for another audience than asked", edit(func(b *Batch) { b.Head.Audience = group.Audience }), denver, held, ErrForged},
		{"another history", good, denver, Position{Generation: 1, Hash: Hash{1}}, ErrForged},
		{"a repeated entry", edit(func(b *Batch) { b.Entries = append(b.Entries[:1:1], b.Entries...) }), denver, held, ErrGap},
		{"entries already held", good, denver, first.Head.Position, ErrStale},
		{"a later generation", later, denver, held, ErrGap},
		{"a former generation", good, denver, Start(denver, 2), ErrGap},
		{"a head with another generation's number", edit(func(b *Batch) { b.Head.Generation = 2 }), denver, Start(denver, 2), ErrForged},
		{"a gap in a later generation", Batch{Entries: slices.Delete(slices.Clone(later.Entries), 1, 2), Head: later.Head}, denver, Start(denver, 2), ErrGap},
		{"more entries than a batch", full, denver, held, ErrMalformed},
		{"a move to a generation", Batch{Kept: []Run{{1, 4}}, Head: good.Head}, denver, good.Head.Position, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if at, err := tt.batch.Verify(tt.id, wire.PeerOf(key(1)), tt.held); !errors.Is(err, tt.want) || at != tt.held {
				t.Errorf("Verify = %d, %v; want %d, %v", at.Number, err, tt.held.Number, tt.want)
			}
		})
	}
	if _, err := good.Verify(denver, wire.PeerOf(key(2)), held); !errors.Is(err, ErrForged) {
		t.Errorf("Verify under another key = %v, want %v", err, ErrForged)
	}
}

// TestAFirstGenerationHasNoGapsEvenIfSigned: numbers are left out by a later one
// alone, so that whoever follows from the first entry misses none.
func TestAFirstGenerationHasNoGapsEvenIfSigned(t *testing.T) {
	for generation, want := range map[uint32]error{1: ErrGap, 2: nil} {
		start := Start(denver, generation)
		b := Batch{Entries: []Entry{entry(1), entry(3)}, Head: Sign(denver, key(1), start.After(entry(1)).After(entry(3)))}
		if _, err := b.Verify(denver, wire.PeerOf(key(1)), start); !errors.Is(err, want) {
			t.Errorf("generation %d: Verify = %v, want %v", generation, err, want)
		}
	}
}

func TestHeadsAreNeverFurtherApartThanABatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, last := Start(denver, 1), uint64(0)
		for range rapid.IntRange(1, 4).Draw(t, "commits") {
			b, heads := write(t, denver, at, rapid.IntRange(1, 2*wire.MaxBatch+3).Draw(t, "entries"))
			for _, h := range heads {
				if h.Number-last > wire.MaxBatch || !h.Verified(wire.PeerOf(key(1))) {
					t.Fatalf("head at %d after %d, verified %t", h.Number, last, h.Verified(wire.PeerOf(key(1))))
				}
				last = h.Number
			}
			if last != b.Entries[len(b.Entries)-1].Number {
				t.Fatalf("last head at %d, last entry %d", last, b.Entries[len(b.Entries)-1].Number)
			}
			at = b.Head.Position
		}
	})
}

func TestAWriterTakesOnlyTheNextEntry(t *testing.T) {
	w := NewWriter(denver, key(1), Start(denver, 1))
	if err := w.Append(entry(2)); !errors.Is(err, ErrGap) {
		t.Errorf("Append(2) = %v, want %v", err, ErrGap)
	}
	if heads := w.Close(); len(heads) != 0 {
		t.Errorf("Close signed %d heads, want none", len(heads))
	}
}

func TestAHeadSurvivesTheDisk(t *testing.T) {
	id := ID{denver.Author, listed(t, "boulder-so", "aurora-pd")}
	_, heads := write(t, id, Start(id, 3), 2)
	got, err := DecodeHead(id, 3, heads[0].Number, heads[0].Encode())
	if diff := cmp.Diff(heads[0], got, sameAudience); err != nil || diff != "" || !got.Verified(wire.PeerOf(key(1))) {
		t.Errorf("DecodeHead: %v (-want +got):\n%s", err, diff)
	}
}

// TestOnlyHeadsOfOneFeedGenerationAndNumberConflict: what a fork is judged by.
func TestOnlyHeadsOfOneFeedGenerationAndNumberConflict(t *testing.T) {
	at := Position{Generation: 2, Number: 7, Hash: Hash{1}}
	h := Sign(denver, key(1), at)
	edit := func(f func(*Head)) Head {
		other := h
		other.Hash = Hash{2}
		f(&other)
		return other
	}
	for name, tt := range map[string]struct {
		other Head
		want  bool
	}{
		"another hash":          {edit(func(*Head) {}), true},
		"the same head":         {h, false},
		"the same, signed anew": {Sign(denver, key(2), at), false},
		"another author":        {edit(func(h *Head) { h.Author = boulder.Author }), false},
		"another audience":      {edit(func(h *Head) { h.Audience = listed(t, "boulder-so") }), false},
		"another generation":    {edit(func(h *Head) { h.Generation = 3 }), false},
		"another number":        {edit(func(h *Head) { h.Number = 8 }), false},
	} {
		if got, back := h.Conflicts(tt.other), tt.other.Conflicts(h); got != tt.want || back != tt.want {
			t.Errorf("%s: Conflicts = %t, the other way %t; want %t", name, got, back, tt.want)
		}
	}
}
