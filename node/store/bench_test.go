package store

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// onDisk opens a store as a node does.
func onDisk(b *testing.B) *Store {
	return open(b, Options{Dir: filepath.Join(b.TempDir(), "store"), Key: [32]byte{1}, Log: slog.New(slog.DiscardHandler)})
}

func randomTag(r *rand.ChaCha8) (t token.Tag) {
	binary.LittleEndian.PutUint64(t[:], r.Uint64())
	binary.LittleEndian.PutUint64(t[8:], r.Uint64())
	return t
}

// foreign are entries as another member announces them.
func foreign(r *rand.ChaCha8, n int) []feed.Entry {
	list := make([]feed.Entry, n)
	for i := range list {
		list[i] = feed.Entry{Number: uint64(i + 1), Kind: feed.Announce, Epoch: 1, Tag: randomTag(r)}
		binary.LittleEndian.PutUint64(list[i].Pointer[:], r.Uint64())
		for at := 8; at+8 <= len(list[i].Pointer); at += 8 {
			binary.LittleEndian.PutUint64(list[i].Pointer[at:], r.Uint64())
		}
	}
	return list
}

// BenchmarkEntries takes a million entries of another member in transactions of
// eight batches, each on the disk. The sizes are what they fill once they have
// settled, filters and all, and what they were on the wire.
func BenchmarkEntries(b *testing.B) {
	const entries, atOnce = 1_000_000, 8 * 1024
	list := foreign(rand.NewChaCha8([32]byte{3}), entries)
	var sizes []float64
	var spent time.Duration
	for b.Loop() {
		s, started := onDisk(b), time.Now()
		for at := 0; at < entries; at += atOnce {
			update(b, s, func(tx *Tx) error { return tx.PutEntries(everyone, list[at:min(at+atOnce, entries)]) })
		}
		spent += time.Since(started)
		if err := s.db.Compact(b.Context(), []byte{0}, []byte{0xff}, true); err != nil {
			b.Fatal(err)
		}
		sizes = append(sizes, float64(s.db.Metrics().Total().TablesSize)/entries)
	}
	slices.Sort(sizes)
	b.ReportMetric(sizes[len(sizes)/2], "ours-bytes")
	b.ReportMetric(float64(feed.EntrySize), "reference-bytes")
	b.ReportMetric(float64(b.N)*entries/spent.Seconds(), "entries/s")
}

// BenchmarkOwnIdentifier is what one more identifier of ours costs, of 64 that are
// added in one transaction: the tag that each member would give it is derived,
// looked for among the ten thousand that the member has announced, and expected
// from now on. The reference derives the tags too, and gets each from the same
// database.
func BenchmarkOwnIdentifier(b *testing.B) {
	for _, members := range []int{10, 100, 300} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			s, r := onDisk(b), rand.NewChaCha8([32]byte{5})
			authors := make([]directory.AgencyID, members)
			for i := range authors {
				authors[i] = directory.AgencyID(fmt.Sprintf("agency-%03d", i))
				update(b, s, func(tx *Tx) error {
					return tx.PutEntries(feed.ID{Author: authors[i]}, foreign(r, 10_000))
				})
			}
			settle(b, s)
			var ours, reference, faster []float64
			for b.Loop() {
				started := time.Now()
				addOwn(b, s, derived(r, authors))
				mine := time.Since(started).Seconds() / addedAtOnce
				started = time.Now()
				getEach(b, s, derived(r, authors))
				other := time.Since(started).Seconds() / addedAtOnce
				ours, reference, faster = append(ours, mine*1e6), append(reference, other*1e6), append(faster, other/mine)
			}
			b.ReportMetric(median(ours), "ours-µs")
			b.ReportMetric(median(reference), "reference-µs")
			b.ReportMetric(median(faster), "times-faster")
		})
	}
}

const addedAtOnce = 64

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// derived are the tags that each author would give new identifiers.
func derived(r *rand.ChaCha8, authors []directory.AgencyID) []Sought {
	list := make([]Sought, 0, addedAtOnce*len(authors))
	for range addedAtOnce {
		var of [token.Size]byte
		binary.LittleEndian.PutUint64(of[:], r.Uint64())
		k := token.Derive(of, token.Secret{}, 1)
		for _, a := range authors {
			list = append(list, Sought{Author: a, Epoch: 1, Tag: k.Tag(a.Author())})
		}
	}
	return list
}

func addOwn(b *testing.B, s *Store, list []Sought) {
	update(b, s, func(tx *Tx) error {
		found, err := tx.TaggedOf(list)
		if err != nil || len(found) != len(list) {
			return err
		}
		for i, at := range list {
			if err := tx.Expect(at.Author, 1, at.Tag, casefile.IdentifierID(i+1)); err != nil {
				return err
			}
		}
		return nil
	})
}

func getEach(b *testing.B, s *Store, list []Sought) {
	view(b, s, func(tx *Tx) error {
		for _, at := range list {
			n, _ := tx.authorOf(at.Author)
			k := keyOfTag(tableTagged, n, 1, at.Tag)
			if found, err := tx.has(k[:]); err != nil || found {
				return fmt.Errorf("tag of %s found %t: %w", at.Author, found, err)
			}
		}
		return nil
	})
}
