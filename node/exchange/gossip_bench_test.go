package exchange

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// ring is members with the links and the gossip of a large network, each with its
// own host, and nothing else of a node.
type ring struct {
	agencies  []directory.Agency
	directory *directory.Directory
	keys      []ed25519.PrivateKey
	hosts     []*link.Host
	topics    []*link.Topic
	heard     chan struct{} // one of each member that has heard of a head
	number    uint64
}

const toldInTurn = 20

// BenchmarkAHeadIsTold is what it costs each node that one member of a network of
// 10, 30, 100 and 300 tells the head of its feed, until all have heard: everybody
// verifies its signature. Links are real, to as many as nodes of a large network
// have. CPU is the process's, B are bytes that a node received on its links; memory
// is that of a node with its links.
func BenchmarkAHeadIsTold(b *testing.B) {
	for _, nodes := range []int{10, 30, 100, 300} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			before := inUse()
			r := newRing(b, nodes)
			memory := inUse() - before
			for r.tell(b) < nodes-1 {
			}
			var spent time.Duration
			received, heard := r.received(), 0
			for b.Loop() {
				began := processorTime(b)
				for range toldInTurn {
					heard += r.tell(b)
				}
				spent += processorTime(b) - began
			}
			told := float64(b.N * toldInTurn * nodes)
			b.ReportMetric(float64(heard)/float64(b.N*toldInTurn*(nodes-1)), "of-all")
			b.ReportMetric(float64(spent.Nanoseconds())/told, "ns/head")
			b.ReportMetric(float64(r.received()-received)/told, "B/head")
			b.ReportMetric(float64(memory)/float64(nodes), "B/node")
		})
	}
}

func newRing(b *testing.B, nodes int) *ring {
	b.Helper()
	r := &ring{heard: make(chan struct{}, 2*nodes)}
	for i := range nodes {
		seed := make([]byte, ed25519.SeedSize)
		binary.BigEndian.PutUint32(seed, uint32(i)+1)
		key := ed25519.NewKeyFromSeed(seed)
		id := directory.AgencyID(fmt.Sprintf("member-%04d", i))
		r.keys, r.hosts = append(r.keys, key), append(r.hosts, newHost(b, key))
		r.agencies = append(r.agencies, directory.Agency{ID: id, Key: wire.PeerOf(key), Status: directory.Active})
	}
	r.directory = &directory.Directory{Version: 1, Agencies: r.agencies}
	for i, h := range r.hosts {
		t, err := h.Join("bench/heads", link.Gossip{Check: r.check(i), Deliver: func(wire.Peer, []byte) { r.heard <- struct{}{} }, MaxSize: 512})
		if err != nil {
			b.Fatal(err)
		}
		r.topics = append(r.topics, t)
	}
	for i := range r.hosts {
		r.linkUp(b, i)
	}
	return r
}

// check is what a node does with a head.
func (r *ring) check(i int) func(wire.Peer, []byte) link.Verdict {
	self, l := r.agencies[i].ID, slog.New(slog.DiscardHandler)
	in := func() *directory.Directory { return r.directory }
	followers := NewFollowers(newShelf(self, in), r.hosts[i], Pause{time.Second, time.Second}, nil, l, time.Now)
	return NewSpread(SpreadOptions{Self: self, Followers: followers, Directory: in, Log: l}).Check
}

// linkUp links a member with those that it follows in a large network.
func (r *ring) linkUp(b *testing.B, i int) {
	b.Helper()
	for _, a := range Neighbours(r.agencies[i].ID, r.agencies, 0) {
		at := r.hosts[slices.IndexFunc(r.agencies, func(other directory.Agency) bool { return other.ID == a.ID })]
		if err := r.hosts[i].SetAddresses(a.Key, at.Addresses()); err != nil {
			b.Fatal(err)
		}
		s, err := r.hosts[i].Open(b.Context(), a.Key, wire.ProtocolFeed)
		if err == nil {
			s.Reset(wire.CodeNone)
		}
	}
}

// lost is when a head that has not come is not waited for: gossip may lose it.
const lost = time.Second

// tell has a member tell its head, and returns how many have heard.
func (r *ring) tell(b *testing.B) (heard int) {
	b.Helper()
	r.number++
	from := int(r.number % uint64(len(r.hosts)))
	id := feed.ID{Author: r.agencies[from].ID}
	head := feed.Sign(id, r.keys[from], feed.Position{Generation: 1, Number: r.number})
	m, err := wire.Marshal(head.Message())
	if err != nil {
		b.Fatal(err)
	}
	if err := r.topics[from].Publish(m); err != nil {
		b.Fatal(err)
	}
	late := time.NewTimer(lost)
	defer late.Stop()
	for heard < len(r.hosts)-1 {
		select {
		case <-r.heard:
			heard++
		case <-late.C:
			return heard
		}
	}
	return heard
}

// received is the bytes of gossip that all have received.
func (r *ring) received() (n uint64) {
	for _, h := range r.hosts {
		for _, t := range h.Traffic() {
			n += t.ReceivedBytes
		}
	}
	return n
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
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
