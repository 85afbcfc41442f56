package node

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// townKey is the key of the member with a number.
func townKey(n int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint32(seed, uint32(n)+1)
	return ed25519.NewKeyFromSeed(seed)
}

// crowd is a node with many members whose entries arrive.
type crowd struct {
	*desktop
	members []directory.Agency
	writers []*feed.Writer
	random  *rand.ChaCha8

	cpu       time.Duration
	allocated uint64
	entries   int
}

const arriveInTurn = 100

// BenchmarkOneEntryInACrowd is what one entry costs one node: its signature is
// verified, it is looked up among the node's thousand identifiers, kept, and
// on the disk. The node is whole but for its links; the other members are only
// their feeds. It is one of 10, 30, 100, 300 and 1,000, in turns. CPU is that of
// the process, compactions included; B are what is allocated.
func BenchmarkOneEntryInACrowd(b *testing.B) {
	var crowds []*crowd
	for _, n := range []int{10, 30, 100, 300, 1000} {
		crowds = append(crowds, newCrowd(b, n))
	}
	for b.Loop() {
		for _, c := range crowds {
			c.arrives(b)
		}
	}
	for _, c := range crowds {
		nodes := fmt.Sprint(len(c.members) + 1)
		b.ReportMetric(float64(c.cpu.Nanoseconds())/float64(c.entries), nodes+"-ns/entry")
		b.ReportMetric(float64(c.allocated)/float64(c.entries), nodes+"-B/entry")
	}
}

func newCrowd(b *testing.B, nodes int) *crowd {
	b.Helper()
	c := &crowd{members: townsfolk(nodes - 1), random: rand.NewChaCha8([32]byte{byte(nodes)})}
	c.desktop = onDisk(b, "denver-pd", &registry{}, b.TempDir())
	c.open(b, 1)
	c.join(b)
	c.enterMany(b, people(b, 1_000))
	c.join(b, c.members...)
	for i, m := range c.members {
		id := feed.ID{Author: m.ID}
		c.writers = append(c.writers, feed.NewWriter(id, townKey(i), feed.Start(id, 1)))
	}
	c.derive(b)
	for range 3 {
		c.arrives(b) // into the caches
	}
	c.cpu, c.allocated, c.entries = 0, 0, 0
	return c
}

// arrives has entries of members by chance arrive one by one.
func (c *crowd) arrives(b *testing.B) {
	b.Helper()
	type arrival struct {
		from  directory.Agency
		batch feed.Batch
	}
	list := make([]arrival, arriveInTurn)
	for i := range list {
		n := int(c.random.Uint64() % uint64(len(c.members)))
		w := c.writers[n]
		e := strange(c.random, w.Next())
		if err := w.Append(e); err != nil {
			b.Fatal(err)
		}
		heads := w.Close()
		list[i] = arrival{c.members[n], feed.Batch{Entries: []feed.Entry{e}, Head: heads[len(heads)-1], Last: e.Number}}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := processorTime(b)
	for _, a := range list {
		if err := c.flow.Arrive(a.from, []feed.Batch{a.batch}); err != nil {
			b.Fatal(err)
		}
	}
	c.cpu += processorTime(b) - began
	runtime.ReadMemStats(&after)
	c.allocated += after.TotalAlloc - before.TotalAlloc
	c.entries += len(list)
}

// processorTime is what the process has used of the processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
