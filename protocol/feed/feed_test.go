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

const denver directory.AgencyID = "denver-pd"

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
func write(t interface{ Fatalf(string, ...any) }, at Position, n int) (Batch, []Head) {
	w := NewWriter(denver, key(1), at)
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
	b, _ := write(t, Start(denver), 3)
	at, err := b.Verify(denver, wire.PeerOf(key(1)), Start(denver))
	if err != nil || at != b.Head.Position {
		t.Fatalf("Verify = %v, %v; want %v", at, err, b.Head.Position)
	}
	more, _ := write(t, at, 2)
	if at, err = more.Verify(denver, wire.PeerOf(key(1)), at); err != nil || at.Number != 5 {
		t.Errorf("Verify of the next batch = %d, %v; want 5", at.Number, err)
	}
}

func TestTheEmptyFeedHasASignedHead(t *testing.T) {
	b := Batch{Head: Empty(denver, key(1))}
	if _, err := b.Verify(denver, wire.PeerOf(key(1)), Start(denver)); err != nil {
		t.Errorf("Verify = %v, want nil", err)
	}
}

func TestWhatTheAuthorDidNotWriteIsRefused(t *testing.T) {
	good, _ := write(t, Start(denver), 4)
	held := Start(denver)
	after1, err := Batch{Entries: good.Entries[:1], Head: mustHead(t, good.Entries[:1])}.Verify(denver, wire.PeerOf(key(1)), held)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(f func(*Batch)) Batch {
		b := Batch{Entries: slices.Clone(good.Entries), Head: good.Head}
		b.Head.Signature = slices.Clone(b.Head.Signature)
		f(&b)
		return b
	}
	tests := []struct {
		name   string
		batch  Batch
		author directory.AgencyID
		held   Position
		want   error
	}{
		{"an altered tag", edit(func(b *Batch) { b.Entries[1].Tag[0] ^= 1 }), denver, held, ErrForged},
		{"an altered pointer", edit(func(b *Batch) { b.Entries[3].Pointer[5] ^= 1 }), denver, held, ErrForged},
		{"an altered signature", edit(func(b *Batch) { b.Head.Signature[0] ^= 1 }), denver, held, ErrForged},
		{"no signature", edit(func(b *Batch) { b.Head.Signature = nil }), denver, held, ErrForged},
		{"a missing entry", edit(func(b *Batch) { b.Entries = slices.Delete(b.Entries, 1, 2) }), denver, held, ErrGap},
		{"a swapped order", edit(func(b *Batch) { b.Entries[1], b.Entries[2] = b.Entries[2], b.Entries[1] }), denver, held, ErrGap},
		{"a cut end", edit(func(b *Batch) { b.Entries = b.Entries[:3] }), denver, held, ErrForged},
		{"a start after a gap", edit(func(b *Batch) { b.Entries = b.Entries[2:] }), denver, held, ErrGap},
		{"a replay", good, denver, good.Head.Position, ErrStale},
		{"another author's name", good, "boulder-so", Start("boulder-so"), ErrForged},
		{"another history", good, denver, Position{Hash: Hash{1}}, ErrForged},
		{"a repeated entry", edit(func(b *Batch) { b.Entries = append(b.Entries[:1:1], b.Entries...) }), denver, held, ErrGap},
		{"entries already held", edit(func(b *Batch) {}), denver, after1, ErrStale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if at, err := tt.batch.Verify(tt.author, wire.PeerOf(key(1)), tt.held); !errors.Is(err, tt.want) || at != tt.held {
				t.Errorf("Verify = %d, %v; want %d, %v", at.Number, err, tt.held.Number, tt.want)
			}
		})
	}
	if _, err := good.Verify(denver, wire.PeerOf(key(2)), held); !errors.Is(err, ErrForged) {
		t.Errorf("Verify under another key = %v, want %v", err, ErrForged)
	}
}

func mustHead(t *testing.T, entries []Entry) Head {
	t.Helper()
	w := NewWriter(denver, key(1), Start(denver))
	for _, e := range entries {
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	return w.Close()[0]
}

func TestHeadsAreNeverFurtherApartThanABatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, last := Start(denver), uint64(0)
		for range rapid.IntRange(1, 4).Draw(t, "commits") {
			b, heads := write(t, at, rapid.IntRange(1, 2*wire.MaxBatch+3).Draw(t, "entries"))
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
	w := NewWriter(denver, key(1), Start(denver))
	if err := w.Append(entry(2)); !errors.Is(err, ErrGap) {
		t.Errorf("Append(2) = %v, want %v", err, ErrGap)
	}
	if heads := w.Close(); len(heads) != 0 {
		t.Errorf("Close signed %d heads, want none", len(heads))
	}
}

func TestAHeadSurvivesTheDisk(t *testing.T) {
	_, heads := write(t, Start(denver), 2)
	got, err := DecodeHead(denver, heads[0].Number, heads[0].Encode())
	if err != nil || !cmp.Equal(got, heads[0]) {
		t.Errorf("DecodeHead = %v, %v; want %v", got, err, heads[0])
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(entry(1).Encode())
	f.Add(entry(1 << 60).Encode())
	f.Add([]byte{})
	f.Add(make([]byte, EntrySize))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		if again := e.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("decoded and encoded again: %x, want %x", again, b)
		}
	})
}

func FuzzBatch(f *testing.F) {
	good, _ := write(f, Start(denver), 3)
	for _, b := range []Batch{good, {Head: Empty(denver, key(1))}} {
		seed, err := wire.Marshal(b.Message())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m wire.Batch
		if wire.Unmarshal(raw, &m) != nil {
			return
		}
		b, err := FromMessage(&m)
		if err != nil {
			return
		}
		again, err := wire.Marshal(b.Message())
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("parsed and encoded again: %x, %v; want %x", again, err, raw)
		}
		if _, err := b.Verify(denver, wire.PeerOf(key(1)), Start(denver)); err == nil && b.Head.Number != 0 && !cmp.Equal(b, good) {
			t.Fatalf("a batch that nobody signed was taken up to %d", b.Head.Number)
		}
	})
}
