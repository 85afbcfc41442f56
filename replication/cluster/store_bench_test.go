package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func benchEntries(first, n int) []*raft.Log {
	list := make([]*raft.Log, n)
	for i := range list {
		list[i] = &raft.Log{Index: uint64(first + i), Term: 1, Data: make([]byte, 400), AppendedAt: time.Unix(1, 0)}
	}
	return list
}

// BenchmarkLogStore appends entries of 400 bytes to each log store in turns,
// each append on the disk before the next: one at a time, and 64 at a time as
// raft does when many commands are waiting.
func BenchmarkLogStore(b *testing.B) {
	for name, size := range map[string]int{"single": 1, "batched": 64} {
		b.Run(name, func(b *testing.B) {
			stores, spent := map[string]logStore{}, map[string]time.Duration{}
			for name, open := range logStores(b) {
				s, err := open(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				stores[name] = s
				defer func() {
					if err := s.Close(); err != nil {
						b.Error(err)
					}
				}()
			}
			next := 1
			for b.Loop() {
				for name, s := range stores {
					started := time.Now()
					for k := range 50 {
						if err := s.StoreLogs(benchEntries(next+k*size, size)); err != nil {
							b.Fatal(err)
						}
					}
					spent[name] += time.Since(started)
				}
				next += 50 * size
			}
			for name, d := range spent {
				b.ReportMetric(float64(next-1)/d.Seconds(), name+"-entries/s")
			}
		})
	}
}

// BenchmarkLogStoreOpen opens a log of 100,000 entries and reads the last, as a
// server does when it starts.
func BenchmarkLogStoreOpen(b *testing.B) {
	dirs, spent := map[string]string{}, map[string]time.Duration{}
	for name, open := range logStores(b) {
		dirs[name] = b.TempDir()
		s, err := open(dirs[name])
		if err != nil {
			b.Fatal(err)
		}
		for i := range 100 {
			if err := s.StoreLogs(benchEntries(1+1000*i, 1000)); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for name, open := range logStores(b) {
			started := time.Now()
			s, err := open(dirs[name])
			if err != nil {
				b.Fatal(err)
			}
			last, err := s.LastIndex()
			if err != nil || last != 100_000 {
				b.Fatalf("last entry: got %d, %v, want 100000", last, err)
			}
			spent[name] += time.Since(started)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	for name, d := range spent {
		b.ReportMetric(float64(d.Milliseconds())/float64(b.N), name+"-ms/open")
	}
}
