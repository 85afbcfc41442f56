package diskcrypt

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// both runs the same work on a bare and on an encrypted store, in turns, and reports the time of
// each for one step and their ratio.
func both(b *testing.B, prepare, work func(db *pebble.DB)) {
	var dbs [2]*pebble.DB
	for i, fs := range []vfs.FS{vfs.Default, New(vfs.Default, countingKey())} {
		// The cache is small, so that reads reach the file system.
		db, err := pebble.Open(filepath.Join(b.TempDir(), fmt.Sprint(i)), &pebble.Options{
			FS: fs, Logger: silent{b}, FormatMajorVersion: pebble.FormatNewest, CacheSize: 1 << 20, MemTableSize: 4 << 20,
		})
		if err != nil {
			b.Fatal(err)
		}
		prepare(db)
		dbs[i] = db
	}
	var spent [2]time.Duration
	for b.Loop() {
		for i, db := range dbs {
			start := time.Now()
			work(db)
			spent[i] += time.Since(start)
		}
	}
	for _, db := range dbs {
		closing(b, db)
	}
	b.ReportMetric(float64(spent[0].Nanoseconds())/float64(b.N), "bare-ns/op")
	b.ReportMetric(float64(spent[1].Nanoseconds())/float64(b.N), "encrypted-ns/op")
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "ratio")
}

func benchKey(n int) []byte { return binary.BigEndian.AppendUint64([]byte("key-"), uint64(n)) }

func nothing(*pebble.DB) {}

// BenchmarkSyncWrite is one record of 200 bytes, on the disk before it returns.
func BenchmarkSyncWrite(b *testing.B) {
	n, value := 0, make([]byte, 200)
	both(b, nothing, func(db *pebble.DB) {
		n++
		if err := db.Set(benchKey(n), value, pebble.Sync); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkSyncBatch is a batch of 1,000 records of 200 bytes, on the disk before it returns.
func BenchmarkSyncBatch(b *testing.B) {
	n, value := 0, make([]byte, 200)
	both(b, nothing, func(db *pebble.DB) {
		batch := db.NewBatch()
		for range 1000 {
			n++
			if err := batch.Set(benchKey(n), value, nil); err != nil {
				b.Fatal(err)
			}
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			b.Fatal(err)
		}
	})
}

const benchRecords = 200_000

func fill(b *testing.B) func(db *pebble.DB) {
	return func(db *pebble.DB) {
		rng := rand.New(rand.NewPCG(1, 1))
		value := make([]byte, 200)
		for i := range benchRecords {
			for j := 0; j < len(value); j += 8 {
				binary.NativeEndian.PutUint64(value[j:], rng.Uint64())
			}
			if err := db.Set(benchKey(i), value, pebble.NoSync); err != nil {
				b.Fatal(err)
			}
		}
		if err := db.Compact(b.Context(), []byte("a"), []byte("z"), false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGet reads one of 200,000 records at random, past the block cache.
func BenchmarkGet(b *testing.B) {
	both(b, fill(b), func(db *pebble.DB) {
		_, closer, err := db.Get(benchKey(rand.IntN(benchRecords)))
		if err != nil {
			b.Fatal(err)
		}
		closing(b, closer)
	})
}

// BenchmarkScan reads 200,000 records in order.
func BenchmarkScan(b *testing.B) {
	both(b, fill(b), func(db *pebble.DB) {
		it, err := db.NewIter(nil)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for it.First(); it.Valid(); it.Next() {
			n++
		}
		closing(b, it)
		if n != benchRecords {
			b.Fatalf("%d records, want %d", n, benchRecords)
		}
	})
}

// BenchmarkDecrypt is what the encryption alone costs, by the size of a read.
func BenchmarkDecrypt(b *testing.B) {
	for _, size := range []int{4 << 10, 32 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			k, err := deriveFileKey(countingKey(), nonce{})
			if err != nil {
				b.Fatal(err)
			}
			f, p := &file{block: k.block}, make([]byte, size)
			for i := range p {
				p[i] = 1
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := f.decrypt(p, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
