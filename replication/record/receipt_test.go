package record

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func receipt(t testing.TB, tree *Tree, h Header, index uint64) []byte {
	t.Helper()
	r, err := tree.Receipt(h, index)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteReceipt(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAReceiptProvesItsEntry(t *testing.T) {
	c := newCentre()
	entries := append(someEntries(12), nil, bytes.Repeat([]byte{0xff}, MaxEntry))
	tree := grow(t, entries)
	for size := uint64(1); size <= tree.Size(); size++ {
		h := c.sign(headAt(t, tree, size))
		for index := range size {
			got, err := ReadReceipt(bytes.NewReader(receipt(t, tree, h, index)))
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Verify(c.authenticate); err != nil {
				t.Errorf("entry %d in %d: %v", index, size, err)
			}
			if got.Index != index || !bytes.Equal(got.Entry, entries[index]) || !cmp.Equal(got.Header, h) {
				t.Errorf("entry %d in %d: got %+v", index, size, got)
			}
		}
	}
}

func TestAnyChangedByteOfAReceiptIsRefused(t *testing.T) {
	c := newCentre()
	tree := grow(t, someEntries(11))
	for _, index := range []uint64{0, 6, 10} {
		good := receipt(t, tree, c.sign(tree.Head()), index)
		verify := func(b []byte) error {
			r, err := ReadReceipt(bytes.NewReader(b))
			if err != nil {
				return err
			}
			return r.Verify(c.authenticate)
		}
		if err := verify(good); err != nil {
			t.Fatal(err)
		}
		for i := range good {
			for bit := range 8 {
				bad := bytes.Clone(good)
				bad[i] ^= 1 << bit
				if err := verify(bad); err == nil {
					t.Fatalf("entry %d: byte %d changed from %q to %q and accepted", index, i, good[i], bad[i])
				}
			}
			if err := verify(good[:i]); !errors.Is(err, ErrFormat) {
				t.Fatalf("entry %d: cut at byte %d: got %v, want %v", index, i, err, ErrFormat)
			}
		}
		if err := verify(append(bytes.Clone(good), ' ')); !errors.Is(err, ErrFormat) {
			t.Errorf("byte added: got %v, want %v", err, ErrFormat)
		}
	}
}

func TestNoReceiptIsMadeForWhatTheRecordDoesNotHave(t *testing.T) {
	c := newCentre()
	tree := grow(t, someEntries(5))
	for _, index := range []uint64{5, math.MaxUint64} {
		if _, err := tree.Receipt(c.sign(tree.Head()), index); !errors.Is(err, ErrRange) {
			t.Errorf("entry %d: got %v, want %v", index, err, ErrRange)
		}
	}
	if _, err := tree.Receipt(c.sign(Head{Size: 6}), 0); !errors.Is(err, ErrRange) {
		t.Errorf("size 6: got %v, want %v", err, ErrRange)
	}
	var fork *ForkError
	if _, err := tree.Receipt(c.sign(Head{Size: 5, Root: [32]byte{1}}), 0); !errors.As(err, &fork) {
		t.Errorf("another head: got %v, want a fork", err)
	}
}

func TestAReceiptBeyondTheLimitsIsNotWritten(t *testing.T) {
	h := newCentre().sign(Head{Size: 3})
	for name, r := range map[string]Receipt{
		"index":        {Header: h, Index: 3},
		"entry":        {Header: h, Entry: make([]byte, MaxEntry+1)},
		"proof":        {Header: h, Proof: make(Proof, MaxProof+1)},
		"no directory": {Header: Header{Head: Head{Size: 3}}},
	} {
		if err := WriteReceipt(io.Discard, r); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want %v", name, err, ErrFormat)
		}
	}
}

func TestAReceiptHasOneForm(t *testing.T) {
	tree := grow(t, someEntries(2))
	good := string(receipt(t, tree, newCentre().sign(tree.Head()), 1))
	for name, change := range map[string][2]string{
		"upper case":     {`"entry":"`, `"Entry":"`},
		"space":          {`"proof":`, `"proof": `},
		"twice":          {`"index":1`, `"index":0,"index":1`},
		"exponent":       {`"index":1`, `"index":1e0`},
		"null entry":     {`"entry":"`, `"entry":null,"x":"`},
		"odd digits":     {`"entry":"`, `"entry":"3`},
		"short hash":     {`"proof":["`, `"proof":["00","`},
		"carriage":       {"}\n", "}\r\n"},
		"wrong number":   {`"directory":1`, `"directory":2`},
		"escaped letter": {`"format":"i`, `"format":"\u0069`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing changed in\n%s", name, good)
		}
		if _, err := ReadReceipt(strings.NewReader(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want %v", name, err, ErrFormat)
		}
	}
}

func TestAnEmptyProofIsAListAllTheSame(t *testing.T) {
	tree := grow(t, someEntries(1))
	good := string(receipt(t, tree, newCentre().sign(tree.Head()), 0))
	if _, err := ReadReceipt(strings.NewReader(good)); err != nil {
		t.Error(err)
	}
	bad := strings.Replace(good, `"proof":[]`, `"proof":null`, 1)
	if _, err := ReadReceipt(strings.NewReader(bad)); bad == good || !errors.Is(err, ErrFormat) {
		t.Errorf("null: got %v, want %v", err, ErrFormat)
	}
}

func FuzzReadReceipt(f *testing.F) {
	c := newCentre()
	tree := grow(f, someEntries(7))
	for index := range tree.Size() {
		f.Add(receipt(f, tree, c.sign(tree.Head()), index))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ReadReceipt(bytes.NewReader(text))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := WriteReceipt(&again, r); err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		if !bytes.Equal(again.Bytes(), text) {
			t.Errorf("accepted and written otherwise:\n%s\n%s", text, again.Bytes())
		}
		if r.Verify(c.authenticate) == nil && !bytes.Equal(r.Entry, tree.entries[r.Index]) {
			t.Errorf("proven: entry %d is %q", r.Index, r.Entry)
		}
	})
}
