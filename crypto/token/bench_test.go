package token

import (
	"fmt"
	"testing"

	"lukechampine.com/blake3"
)

func manyAuthors(n int) []Author {
	out := make([]Author, n)
	for i := range out {
		out[i] = Author(fmt.Sprintf("agency-%03d", i))
	}
	return out
}

func BenchmarkDerive(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Derive([Size]byte{1}, Secret{2}, 3)
	}
}

// BenchmarkTag is one key's tags for 300 authors; the metric is one tag.
func BenchmarkTag(b *testing.B) {
	k, authors := Derive([Size]byte{1}, Secret{2}, 3), manyAuthors(300)
	b.ReportAllocs()
	for b.Loop() {
		for _, a := range authors {
			k.Tag(a)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(authors)), "ns/tag")
}

// BenchmarkTagBLAKE3 is what was not chosen: the same input under keyed BLAKE3.
func BenchmarkTagBLAKE3(b *testing.B) {
	authors := manyAuthors(300)
	mac, scratch := blake3.New(32, make([]byte, 32)), make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		for _, a := range authors {
			in := appendScope(scratch[:0], labelTag, a, 3)
			mac.Reset()
			if _, err := mac.Write(in); err != nil {
				b.Fatal(err)
			}
			scratch = mac.Sum(in[:0])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(authors)), "ns/tag")
}

// BenchmarkOneTag is a key made for one tag, as when a single member is asked about.
func BenchmarkOneTag(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Derive([Size]byte{1}, Secret{2}, 3).Tag("denver")
	}
}

// BenchmarkOneTagBLAKE3 is the same under keyed BLAKE3 with a hasher of its own, without even
// deriving the key.
func BenchmarkOneTagBLAKE3(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mac := blake3.New(32, make([]byte, 32))
		if _, err := mac.Write(appendScope(nil, labelTag, "denver", 3)); err != nil {
			b.Fatal(err)
		}
		mac.Sum(nil)
	}
}

func BenchmarkSeal(b *testing.B) {
	k := Derive([Size]byte{1}, Secret{2}, 3)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Seal(nil, "denver", 1, Pointer{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	k := Derive([Size]byte{1}, Secret{2}, 3)
	s, err := k.Seal(nil, "denver", 1, Pointer{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open("denver", 1, s); err != nil {
			b.Fatal(err)
		}
	}
}
