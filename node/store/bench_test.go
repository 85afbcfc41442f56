package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/feed"
)

// onDisk opens a store as a node does.
func onDisk(b *testing.B, cache int64) *Store {
	return open(b, Options{Dir: filepath.Join(b.TempDir(), "store"), Key: [32]byte{1}, Cache: cache, Log: slog.New(slog.DiscardHandler)})
}

func randomTag(r *rand.ChaCha8) (t token.Tag) {
	binary.LittleEndian.PutUint64(t[:], r.Uint64())
	binary.LittleEndian.PutUint64(t[8:], r.Uint64())
	return t
}

// expectations are tags that are others for another seed.
func expectations(seed byte, n int) []Expectation {
	r := rand.NewChaCha8([32]byte{seed})
	list := make([]Expectation, n)
	for i := range list {
		list[i] = Expectation{randomTag(r), casefile.IdentifierID(i + 1)}
	}
	return list
}

// bare is Pebble as it is, with the cache and the filters of a store.
func bare(b *testing.B, list []Expectation) *pebble.DB {
	b.Helper()
	o := &pebble.Options{CacheSize: 64 << 20, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{slog.New(slog.DiscardHandler)}}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := pebble.Open(filepath.Join(b.TempDir(), "bare"), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b Expectation) int { return slices.Compare(a.Tag[:], b.Tag[:]) })
	batch := db.NewBatch()
	for i, x := range sorted {
		if err := batch.Set(x.Tag[:], number(uint64(x.ID)), nil); err != nil {
			b.Fatal(err)
		}
		if i%100_000 == 99_999 || i == len(sorted)-1 {
			if err := batch.Commit(pebble.NoSync); err != nil {
				b.Fatal(err)
			}
			batch = db.NewBatch()
		}
	}
	if err := db.Compact(b.Context(), []byte{0}, bytes.Repeat([]byte{0xff}, 17), true); err != nil {
		b.Fatal(err)
	}
	return db
}

const (
	probedTags  = 10_000_000
	probedBatch = 1_000
	inTurn      = 50
)

// BenchmarkProbes asks for batches of tags among ten million expected of one
// member: of which none, one in a hundred, and all are there. The reference is a
// Get for each of Pebble as it is.
func BenchmarkProbes(b *testing.B) {
	held := expectations(1, probedTags)
	s, started := onDisk(b, 0), time.Now()
	if err := s.IngestExpected(denver, 1, held, func(*Tx) error { return nil }); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d tags taken in %v", len(held), time.Since(started))
	db := bare(b, held)
	absent := expectations(2, probedTags/10)
	for _, c := range []struct {
		name string
		hits int
	}{{"misses", 0}, {"few", probedBatch / 100}, {"hits", probedBatch}} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, uint64(c.hits)))
			for range inTurn {
				tags := mixed(r, held, absent, c.hits)
				probeStore(b, s, tags, c.hits)
				probeBare(b, db, tags, c.hits)
			}
			var ours, theirs, faster []float64
			for b.Loop() {
				var mine, other time.Duration
				for range inTurn {
					tags := mixed(r, held, absent, c.hits)
					mine += probeStore(b, s, tags, c.hits)
					other += probeBare(b, db, tags, c.hits)
				}
				const asked = inTurn * probedBatch
				ours, theirs = append(ours, asked/mine.Seconds()), append(theirs, asked/other.Seconds())
				faster = append(faster, other.Seconds()/mine.Seconds())
			}
			b.ReportMetric(median(ours), "ours-probes/s")
			b.ReportMetric(median(theirs), "reference-probes/s")
			b.ReportMetric(median(faster), "times-faster")
		})
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

func mixed(r *rand.Rand, held, absent []Expectation, hits int) []token.Tag {
	tags := make([]token.Tag, probedBatch)
	for i, place := range r.Perm(probedBatch) {
		from := held
		if i >= hits {
			from = absent
		}
		tags[place] = from[r.IntN(len(from))].Tag
	}
	return tags
}

func probeStore(b *testing.B, s *Store, tags []token.Tag, want int) time.Duration {
	started, found := time.Now(), 0
	err := s.View(func(tx *Tx) error {
		list, err := tx.ExpectedAmong(denver, 1, tags)
		for _, ids := range list {
			found += len(ids)
		}
		return err
	})
	spent := time.Since(started)
	if err != nil || found != want {
		b.Fatalf("%d found, want %d: %v", found, want, err)
	}
	return spent
}

func probeBare(b *testing.B, db *pebble.DB, tags []token.Tag, want int) time.Duration {
	started, found := time.Now(), 0
	for i := range tags {
		_, closer, err := db.Get(tags[i][:])
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			b.Fatal(err)
		}
		found++
		if err := closer.Close(); err != nil {
			b.Fatal(err)
		}
	}
	if spent := time.Since(started); found == want {
		return spent
	}
	b.Fatalf("%d found, want %d", found, want)
	return 0
}

// BenchmarkEntries takes a million entries of another member, as they arrive: in
// transactions of eight batches.
func BenchmarkEntries(b *testing.B) {
	const entries, atOnce = 1_000_000, 8 * 1024
	of := feed.ID{Author: denver}
	for b.Loop() {
		b.StopTimer()
		s, r := onDisk(b, 0), rand.NewChaCha8([32]byte{3})
		list := make([]feed.Entry, entries)
		for i := range list {
			list[i] = feed.Entry{Number: uint64(i + 1), Kind: feed.Announce, Epoch: 1, Tag: randomTag(r)}
			r.Read(list[i].Pointer[:])
		}
		b.StartTimer()
		for at := 0; at < entries; at += atOnce {
			update(b, s, func(tx *Tx) error { return tx.PutEntries(of, list[at:min(at+atOnce, entries)]) })
		}
		b.ReportMetric(entries/b.Elapsed().Seconds(), "entries/s")
		if err := s.db.Compact(b.Context(), []byte{0}, []byte{0xff}, true); err != nil {
			b.Fatal(err)
		}
		m := s.db.Metrics()
		b.ReportMetric(float64(m.Total().TablesSize)/entries, "bytes/entry")
		b.ReportMetric(float64(m.Total().TablesSize)/entries/float64(feed.EntrySize), "of-the-wire")
	}
}
