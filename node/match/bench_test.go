package match_test

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/match"
	"interlock/node/store"
	"interlock/protocol/feed"
)

// held is how many identifiers of our own an entry is looked up among.
var held = []struct {
	n    int
	name string
}{{10_000, "ten-thousand"}, {100_000, "hundred-thousand"}, {1_000_000, "million"}}

const inTurn = 500

// BenchmarkOneArrivingEntry looks entries up one by one, each in a view of its own,
// as they arrive: among ten thousand, a hundred thousand and a million identifiers
// in turns. Nearly all entries that arrive meet nothing, and so do these.
func BenchmarkOneArrivingEntry(b *testing.B) {
	random := rand.NewChaCha8([32]byte{1})
	stores := make([]*store.Store, len(held))
	for i, h := range held {
		stores[i] = expecting(b, random, h.n)
		lookUp(b, stores[i], random) // into the cache
	}
	spent := make([][]time.Duration, len(held))
	for b.Loop() {
		for i := range held {
			spent[i] = append(spent[i], lookUp(b, stores[i], random))
		}
	}
	for i, h := range held {
		slices.Sort(spent[i])
		b.ReportMetric(float64(spent[i][len(spent[i])/2].Nanoseconds())/inTurn, h.name+"-ns/entry")
	}
}

// expecting is a store with so many tags that are expected of one member.
func expecting(b *testing.B, random *rand.ChaCha8, n int) *store.Store {
	b.Helper()
	s, err := store.Open(store.Options{Dir: filepath.Join(b.TempDir(), "store"), Key: [32]byte{1}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	tags := make([]token.Tag, n)
	for i := range tags {
		tags[i] = randomTag(random)
	}
	// In their order, which leaves them as they lie in the end, with nothing to merge.
	slices.SortFunc(tags, func(a, b token.Tag) int { return bytes.Compare(a[:], b[:]) })
	const atOnce = 10_000
	for first := 0; first < n; first += atOnce {
		err := s.Update(func(tx *store.Tx) error {
			for i, tag := range tags[first:min(first+atOnce, n)] {
				if err := tx.Expect("denver-pd", 1, tag, casefile.IdentifierID(first+i+1)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func lookUp(b *testing.B, s *store.Store, random *rand.ChaCha8) time.Duration {
	b.Helper()
	open := func(id casefile.IdentifierID, _ token.Epoch) (match.Own, error) {
		b.Fatalf("an entry met identifier %d", id)
		return match.Own{}, nil
	}
	entries := make([]feed.Entry, inTurn)
	for i := range entries {
		entries[i] = feed.Entry{Number: uint64(i + 1), Kind: feed.Announce, Epoch: 1, Tag: randomTag(random)}
	}
	began := time.Now()
	for i := range entries {
		err := s.View(func(tx *store.Tx) error {
			return match.Arrived(tx, feed.ID{Author: "denver-pd"}, 1, entries[i:i+1], open, began)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

func randomTag(r *rand.ChaCha8) (t token.Tag) {
	binary.LittleEndian.PutUint64(t[:], r.Uint64())
	binary.LittleEndian.PutUint64(t[8:], r.Uint64())
	return t
}
