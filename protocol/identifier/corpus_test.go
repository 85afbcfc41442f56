package identifier

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a text of the corpus, testdata/corpus/NAME.REGION.txt, with what is in it, checked line by line, in the
// .want beside it: one "line kind value" a line.
type sample struct {
	name, text string
	region     Region
	want       []string
}

func corpus(t testing.TB) []sample {
	t.Helper()
	paths, err := filepath.Glob("testdata/corpus/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var samples []sample
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(path, ".txt") + ".want")
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		region := Region(strings.TrimPrefix(filepath.Ext(name), "."))
		samples = append(samples, sample{name, string(text), region, strings.Split(strings.TrimSpace(string(want)), "\n")})
	}
	return samples
}

func TestTheCorpusIsReadWithoutAMissOrAFalseFind(t *testing.T) {
	right, found, labelled := 0, 0, 0
	for _, s := range corpus(t) {
		t.Run(s.name, func(t *testing.T) {
			var got []string
			for _, f := range Extract(s.text, s.region) {
				got = append(got, fmt.Sprintf("%d %s %s", f.Line, f.Identifier.Kind(), f.Identifier.Value()))
			}
			if diff := cmp.Diff(s.want, got); diff != "" {
				t.Errorf("what was found differs from what is there (-there +found):\n%s", diff)
			}
			right += common(s.want, got)
			found += len(got)
			labelled += len(s.want)
		})
	}
	if right == 0 || right != found || right != labelled {
		t.Errorf("precision %.3f, recall %.3f; want 1 and 1", float64(right)/float64(found), float64(right)/float64(labelled))
	}
	t.Logf("%d identifiers, precision %.3f, recall %.3f", labelled, float64(right)/float64(found), float64(right)/float64(labelled))
}

// common counts the elements that a and b share, each as often as in both.
func common(a, b []string) int {
	left := make(map[string]int)
	for _, s := range a {
		left[s]++
	}
	n := 0
	for _, s := range b {
		if left[s] > 0 {
			left[s]--
			n++
		}
	}
	return n
}

func BenchmarkExtract(b *testing.B) {
	for _, s := range corpus(b) {
		text := strings.Repeat(s.text, 200<<10/len(s.text)+1)
		b.Run(s.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				Extract(text, s.region)
			}
		})
	}
	prose := strings.Repeat("The officer attended the address and spoke to the mother, who said that he had left on Monday.\n", 2000)
	b.Run("prose", func(b *testing.B) {
		b.SetBytes(int64(len(prose)))
		b.ReportAllocs()
		for b.Loop() {
			Extract(prose, "US")
		}
	})
	one := string(bytes.Repeat([]byte("a.b-1@("), 64<<10))
	b.Run("hostile line", func(b *testing.B) {
		b.SetBytes(int64(len(one)))
		b.ReportAllocs()
		for b.Loop() {
			Extract(one, "DE")
		}
	})
}
