package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"testing"
)

// way is the sequence of turns from the root to leaf m of n, and where it ends:
// two claims with one way are proven by the same hashes. It is the only thing
// about index and size that a proof of inclusion fixes beside the root.
func way(m, n uint64) (turns string) {
	for n > 1 {
		k := uint64(1)
		for 2*k < n {
			k *= 2
		}
		if m < k {
			turns, n = turns+"L", k
		} else {
			turns, m, n = turns+"R", m-k, n-k
		}
	}
	return turns
}

func TestAChangedClaimOfInclusionIsRefused(t *testing.T) {
	entries := someEntries(37)
	tree := grow(t, entries)
	for size := uint64(1); size <= tree.Size(); size++ {
		head := headAt(t, tree, size)
		for index := range size {
			p, err := tree.ProveInclusion(index, size)
			if err != nil {
				t.Fatal(err)
			}
			entry := entries[index]
			refused := func(what string, h Head, i uint64, e []byte, p Proof) {
				if err := VerifyInclusion(h, i, e, p); !errors.Is(err, ErrProof) {
					t.Fatalf("entry %d in %d with another %s: got %v, want %v", index, size, what, err, ErrProof)
				}
			}
			for i := range entry {
				refused("entry", head, index, flip(entry, i), p)
			}
			refused("entry", head, index, append([]byte{0}, entry...), p)
			refused("entry", head, index, entry[:len(entry)-1], p)
			for i := range head.Root {
				refused("root", Head{Size: size, Root: [32]byte(flip(head.Root[:], i))}, index, entry, p)
			}
			for i := range p {
				for j := range p[i] {
					forged := slices.Clone(p)
					forged[i] = [32]byte(flip(p[i][:], j))
					refused("proof", head, index, entry, forged)
				}
				refused("proof", head, index, entry, slices.Delete(slices.Clone(p), i, i+1))
				refused("proof", head, index, entry, slices.Insert(slices.Clone(p), i, p[i]))
			}
			refused("proof", head, index, entry, append(slices.Clone(p), [32]byte{}))
			for other := range size {
				if other != index {
					refused("index", head, other, entry, p)
				}
			}
			for other := range uint64(80) {
				if other != size && (index >= other || way(index, other) != way(index, size)) {
					refused("size", Head{Size: other, Root: head.Root}, index, entry, p)
				}
			}
		}
	}
}

func TestAChangedClaimOfConsistencyIsRefused(t *testing.T) {
	tree := grow(t, someEntries(37))
	for size := range tree.Size() + 1 {
		head := headAt(t, tree, size)
		for m := range size + 1 {
			old := headAt(t, tree, m)
			p, err := tree.ProveConsistency(m, size)
			if err != nil {
				t.Fatal(err)
			}
			refused := func(what string, old, head Head, p Proof) {
				if err := VerifyConsistency(old, head, p); !errors.Is(err, ErrProof) {
					t.Fatalf("size %d in %d with another %s: got %v, want %v", m, size, what, err, ErrProof)
				}
			}
			for i := range 32 {
				refused("old root", Head{m, [32]byte(flip(old.Root[:], i))}, head, p)
				if m > 0 || size == 0 { // but every record grew from the empty one
					refused("root", old, Head{size, [32]byte(flip(head.Root[:], i))}, p)
				}
			}
			for i := range p {
				for j := range p[i] {
					forged := slices.Clone(p)
					forged[i] = [32]byte(flip(p[i][:], j))
					refused("proof", old, head, forged)
				}
				refused("proof", old, head, slices.Delete(slices.Clone(p), i, i+1))
			}
			refused("proof", old, head, append(slices.Clone(p), [32]byte{}))
			if m < size {
				refused("order", head, old, p)
				refused("history", Head{m, head.Root}, head, p)
			}
		}
	}
}

// Sizes near the end of int64 keep tlog's loops from ending; the test would hang.
func TestHostileSizesAreRefusedAtOnce(t *testing.T) {
	root := [32]byte{1}
	long := make(Proof, MaxProof+1)
	full := make(Proof, MaxProof)
	for _, size := range []uint64{0, MaxSize + 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		for _, index := range []uint64{0, 1, size - 1, size, math.MaxUint64} {
			for _, p := range []Proof{nil, full, long} {
				if err := VerifyInclusion(Head{size, root}, index, nil, p); !errors.Is(err, ErrProof) {
					t.Errorf("inclusion of %d in %d: got %v, want %v", index, size, err, ErrProof)
				}
				if err := VerifyConsistency(Head{index, root}, Head{size, [32]byte{2}}, p); !errors.Is(err, ErrProof) {
					t.Errorf("consistency of %d in %d: got %v, want %v", index, size, err, ErrProof)
				}
			}
		}
	}
	if err := VerifyInclusion(Head{MaxSize, root}, 3, nil, long); !errors.Is(err, ErrProof) {
		t.Errorf("long proof: got %v, want %v", err, ErrProof)
	}
	if err := VerifyInclusion(Head{1, mth([][]byte{make([]byte, MaxEntry+1)})}, 0, make([]byte, MaxEntry+1), nil); !errors.Is(err, ErrProof) {
		t.Errorf("large entry: got %v, want %v", err, ErrProof)
	}
}

func TestTheLongestProofHolds(t *testing.T) {
	// A record of MaxSize cannot be built, but its proofs can: with the leaf at
	// the left end, every hash of the path is free.
	entry := []byte("first of very many")
	p := make(Proof, 0, MaxProof)
	root := mth([][]byte{entry})
	for n := bits.Len64(MaxSize) - 1; n > 0; n-- {
		p = append(p, [32]byte{byte(n)})
		root = node(root, p[len(p)-1])
	}
	if err := VerifyInclusion(Head{MaxSize, root}, 0, entry, p); err != nil {
		t.Error(err)
	}
	if err := VerifyConsistency(Head{1, mth([][]byte{entry})}, Head{MaxSize, root}, p); err != nil {
		t.Error(err)
	}
}

func TestAProofTravelsAsBytes(t *testing.T) {
	p, err := grow(t, someEntries(11)).ProveInclusion(4, 11)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseProof(p.Hashes())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, p) {
		t.Errorf("proof %x, want %x", got, p)
	}
	for name, hashes := range map[string][][]byte{
		"short hash": {make([]byte, 31)}, "long hash": {make([]byte, 33)}, "too many": make(Proof, MaxProof+1).Hashes(),
	} {
		if _, err := ParseProof(hashes); !errors.Is(err, ErrProof) {
			t.Errorf("%s: got %v, want %v", name, err, ErrProof)
		}
	}
}

// FuzzAClaimIsAcceptedOnlyIfTrue feeds the verifier any claim about a record
// that the test knows in full, under its true head.
func FuzzAClaimIsAcceptedOnlyIfTrue(f *testing.F) {
	entries := someEntries(23)
	tree := grow(f, entries)
	for size := uint64(1); size <= tree.Size(); size += 5 {
		for index := uint64(0); index < size; index += 3 {
			p, err := tree.ProveInclusion(index, size)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(size, index, entries[index], bytes.Join(p.Hashes(), nil))
			if p, err = tree.ProveConsistency(index, size); err != nil {
				f.Fatal(err)
			}
			f.Add(size, index, binary.BigEndian.AppendUint64(nil, index), bytes.Join(p.Hashes(), nil))
		}
	}
	f.Fuzz(func(t *testing.T, size, index uint64, entry, proof []byte) {
		p, err := ParseProof(slices.Collect(slices.Chunk(proof, 32)))
		if err != nil || size > tree.Size() {
			return
		}
		head := headAt(t, tree, size)
		if VerifyInclusion(head, index, entry, p) == nil {
			want, err := tree.ProveInclusion(index, size)
			if err != nil || !bytes.Equal(entry, entries[index]) || !slices.Equal(p, want) {
				t.Fatalf("accepted: entry %d in %d is %q by %x", index, size, entry, p)
			}
		}
		if index > tree.Size() {
			return
		}
		old := headAt(t, tree, index)
		if VerifyConsistency(old, head, p) == nil {
			want, err := tree.ProveConsistency(index, size)
			if err != nil || !slices.Equal(p, want) {
				t.Fatalf("accepted: %d in %d by %x", index, size, p)
			}
		}
	})
}

// flip returns b with one bit of byte i turned.
func flip(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 1 << (i % 8)
	return c
}
