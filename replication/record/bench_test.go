package record

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
)

// million is the size of record that the benchmarks speak of: some thirty years
// of a busy centre, at a hundred entries a day.
const million = 1_000_000

func smallEntries(n int) [][]byte {
	list := make([][]byte, 0, n)
	for i := range n {
		e := make([]byte, 200)
		binary.BigEndian.PutUint64(e, uint64(i))
		list = append(list, e)
	}
	return list
}

func BenchmarkRestoreAMillion(b *testing.B) {
	entries := smallEntries(million)
	for b.Loop() {
		if _, err := Restore(entries); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOfAMillion(b *testing.B) {
	tree, err := Restore(smallEntries(million))
	if err != nil {
		b.Fatal(err)
	}
	entry := make([]byte, 200)
	b.Run("Plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tree.Plan(entry); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Append", func(b *testing.B) {
		b.ReportAllocs()
		grown := tree.Clone()
		for b.Loop() {
			if err := grown.Append(entry); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Clone", func(b *testing.B) {
		for b.Loop() {
			if tree.Clone().Size() != million {
				b.Fatal("not a clone")
			}
		}
	})
	b.Run("ProveInclusion", func(b *testing.B) {
		for b.Loop() {
			if _, err := tree.ProveInclusion(654_321, million); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("VerifyInclusion", func(b *testing.B) {
		p, err := tree.ProveInclusion(654_321, million)
		if err != nil {
			b.Fatal(err)
		}
		head, entry := tree.Head(), tree.entries[654_321]
		for b.Loop() {
			if err := VerifyInclusion(head, 654_321, entry, p); err != nil {
				b.Fatal(err)
			}
		}
	})
	c := newCentre()
	h := c.sign(tree.Head())
	text := export(b, tree, h)
	b.Run("WriteExport", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if err := WriteExport(io.Discard, h, tree); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ReadExport", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, err := ReadExport(bytes.NewReader(text), Audit{Authenticate: c.authenticate}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
