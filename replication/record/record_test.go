package record

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
)

// someEntries returns n different entries of different lengths.
func someEntries(n int) [][]byte {
	list := make([][]byte, 0, n)
	for i := range n {
		list = append(list, bytes.Repeat(fmt.Appendf(nil, "entry %d ", i), i%4))
		list[i] = fmt.Appendf(list[i], "%d", i)
	}
	return list
}

func grow(t testing.TB, entries [][]byte) *Tree {
	t.Helper()
	var tree Tree
	for _, e := range entries {
		if err := tree.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	return &tree
}

func headAt(t testing.TB, tree *Tree, size uint64) Head {
	t.Helper()
	h, err := tree.HeadAt(size)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestEveryRootAndProofIsThatOfTheRFC(t *testing.T) {
	const n = 65
	entries := someEntries(n)
	tree := grow(t, entries)
	for size := range n + 1 {
		head := headAt(t, tree, uint64(size))
		if want := mth(entries[:size]); head.Root != want {
			t.Fatalf("root at %d is %x, want %x", size, head.Root, want)
		}
		for m := range size {
			got, err := tree.ProveInclusion(uint64(m), uint64(size))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(path(m, entries[:size]), got); d != "" {
				t.Fatalf("inclusion of %d in %d (-want +got):\n%s", m, size, d)
			}
			if err := VerifyInclusion(head, uint64(m), entries[m], got); err != nil {
				t.Fatal(err)
			}
		}
		for m := range size + 1 {
			got, err := tree.ProveConsistency(uint64(m), uint64(size))
			if err != nil {
				t.Fatal(err)
			}
			want := Proof{} // of the empty record, which the RFC leaves out
			if m > 0 {
				want = subproof(m, entries[:size], true)
			}
			if !cmp.Equal(want, got) {
				t.Fatalf("consistency of %d in %d is %x, want %x", m, size, got, want)
			}
			if err := VerifyConsistency(headAt(t, tree, uint64(m)), head, got); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTheStoredHashesAreThoseOfTlog(t *testing.T) {
	entries := someEntries(1000)
	tree := grow(t, entries)
	var want []tlog.Hash
	for i, e := range entries {
		add, err := tlog.StoredHashes(int64(i), e, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			var list []tlog.Hash
			for _, x := range indexes {
				list = append(list, want[x])
			}
			return list, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, add...)
	}
	if !cmp.Equal(tree.hashes, want) {
		t.Error("the stored hashes differ from those of tlog.StoredHashes")
	}
	root, err := tlog.TreeHash(int64(len(entries)), tree.stored())
	if err != nil {
		t.Fatal(err)
	}
	if tree.Root() != [32]byte(root) {
		t.Errorf("root %x, tlog says %x", tree.Root(), root)
	}
}

func TestAPlanKnowsTheHeadAndChangesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(6962, 1))
	entries := someEntries(600)
	var tree Tree
	for len(entries) > 0 {
		k := min(rng.IntN(9), len(entries))
		before := tree.Head()
		p, err := tree.Plan(entries[:k]...)
		if err != nil {
			t.Fatal(err)
		}
		other, err := tree.Plan([]byte("planned and given up"))
		if err != nil {
			t.Fatal(err)
		}
		if tree.Head() != before || headAt(t, &tree, before.Size) != before {
			t.Fatalf("a plan changed the record at size %d", before.Size)
		}
		if got := tree.Commit(p); got != p.Head || got != tree.Head() || got == other.Head {
			t.Fatalf("head after the commit is %x, planned %x", got, p.Head)
		}
		if got := headAt(t, &tree, tree.Size()); got != tree.Head() {
			t.Fatalf("stored hashes give %x, the edge %x", got, tree.Head())
		}
		entries = entries[k:]
	}
	if want := grow(t, someEntries(600)).Head(); tree.Head() != want {
		t.Errorf("grown in steps: %x, one by one: %x", tree.Head(), want)
	}
}

func TestAPlannedEntryIsACopy(t *testing.T) {
	entry := []byte("approve denver")
	var tree Tree
	p, err := tree.Plan(entry)
	if err != nil {
		t.Fatal(err)
	}
	copy(entry, "suspend")
	tree.Commit(p)
	got, err := tree.Entry(0)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != "approve denver" {
		t.Errorf("entry is %q", got)
	}
}

func TestAnEntryTooLargeIsRefusedWhenPlanned(t *testing.T) {
	var tree Tree
	if err := tree.Append(make([]byte, MaxEntry)); err != nil {
		t.Errorf("largest entry: %v", err)
	}
	before := tree.Head()
	if _, err := tree.Plan([]byte("fits"), make([]byte, MaxEntry+1)); !errors.Is(err, ErrEntryTooLarge) {
		t.Errorf("Plan: got %v, want %v", err, ErrEntryTooLarge)
	}
	if _, err := Restore([][]byte{make([]byte, MaxEntry+1)}); !errors.Is(err, ErrEntryTooLarge) {
		t.Errorf("Restore: got %v, want %v", err, ErrEntryTooLarge)
	}
	if tree.Head() != before {
		t.Error("a refused entry changed the record")
	}
}

func TestARecordThatIsFullTakesNoMore(t *testing.T) {
	full := Tree{edge: edge{size: MaxSize}}
	if _, err := full.Plan([]byte("one more")); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want %v", err, ErrFull)
	}
}

func TestARestoredRecordIsTheSame(t *testing.T) {
	for n := range 40 {
		entries := someEntries(n)
		want := grow(t, entries)
		got, err := Restore(entries)
		if err != nil {
			t.Fatal(err)
		}
		if got.Head() != want.Head() || !slices.Equal(got.hashes, want.hashes) {
			t.Errorf("%d entries: restored record differs", n)
		}
	}
}

func TestACloneAndItsOriginGoOnApart(t *testing.T) {
	entries := someEntries(20)
	tree := grow(t, entries[:13])
	clone := tree.Clone()
	for i := 13; i < 20; i++ {
		if err := tree.Append(entries[i]); err != nil {
			t.Fatal(err)
		}
		if err := clone.Append([]byte("another")); err != nil {
			t.Fatal(err)
		}
	}
	if want := grow(t, entries).Head(); tree.Head() != want || headAt(t, tree, 20) != want {
		t.Error("the clone's hashes reached the origin")
	}
	if got, err := tree.Entries(13, 7); err != nil || !cmp.Equal(got, entries[13:]) {
		t.Errorf("the clone's entries reached the origin: %q, %v", got, err)
	}
	if headAt(t, clone, 13) != headAt(t, tree, 13) || clone.Head() == tree.Head() || headAt(t, clone, 20) != clone.Head() {
		t.Error("the clone is not the origin's beginning with its own entries after it")
	}
}

func TestPagesOfEntriesJoinUp(t *testing.T) {
	entries := someEntries(10)
	tree := grow(t, entries)
	var got [][]byte
	for {
		page, err := tree.Entries(uint64(len(got)), 4)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
	}
	if d := cmp.Diff(entries, got); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
}

func TestWhatIsNotInTheRecordIsRefused(t *testing.T) {
	tree := grow(t, someEntries(5))
	for name, ask := range map[string]func() error{
		"entry":                  func() error { _, err := tree.Entry(5); return err },
		"entry, last number":     func() error { _, err := tree.Entry(math.MaxUint64); return err },
		"entries":                func() error { _, err := tree.Entries(6, 1); return err },
		"entries, negative":      func() error { _, err := tree.Entries(0, -1); return err },
		"head":                   func() error { _, err := tree.HeadAt(6); return err },
		"inclusion index":        func() error { _, err := tree.ProveInclusion(5, 5); return err },
		"inclusion, empty":       func() error { _, err := tree.ProveInclusion(0, 0); return err },
		"inclusion size":         func() error { _, err := tree.ProveInclusion(0, 6); return err },
		"inclusion, last number": func() error { _, err := tree.ProveInclusion(0, math.MaxUint64); return err },
		"consistency old":        func() error { _, err := tree.ProveConsistency(5, 4); return err },
		"consistency size":       func() error { _, err := tree.ProveConsistency(1, 6); return err },
	} {
		if err := ask(); !errors.Is(err, ErrRange) {
			t.Errorf("%s: got %v, want %v", name, err, ErrRange)
		}
	}
}
