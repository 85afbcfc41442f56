package cluster

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// Three servers on one machine take commands, each synced to three logs. Every
// benchmark runs us and bare raft on its own TCP transport in turns, with the
// same log store and configuration, and reports the medians of both and of
// their ratio.

// unhurried keeps its leader when the disk of a busy machine stalls.
var unhurried = Timing{Heartbeat: 2 * time.Second, Election: 2 * time.Second, Lease: 2 * time.Second, Commit: DefaultTiming().Commit}

// modes are one command after another, and many at a time.
var modes = []struct {
	name          string
	turn, workers int // commands in one turn, proposers
}{{"serial", 40, 1}, {"pipelined", 768, 256}}

// BenchmarkRaft is the transport alone: raft over links against raft over TCP.
// The state machine does nothing and the commands are 400 bytes. One goroutine
// hands raft all the commands of a turn, and then waits for the last.
func BenchmarkRaft(b *testing.B) {
	links := raftOverLinks(b)
	tcp := raftOverTCP(b, func() raft.FSM { return idle{} })
	command := make([]byte, 400)
	apply := func(r *raft.Raft, n int) {
		futures := make([]raft.ApplyFuture, n)
		for i := range futures {
			futures[i] = r.Apply(command, 0)
		}
		for _, f := range futures {
			if err := f.Error(); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, mode := range modes {
		b.Run(mode.name, func(b *testing.B) {
			step := mode.turn
			if mode.workers == 1 {
				step = 1
			}
			turn := func(r *raft.Raft) func() {
				return func() {
					for range mode.turn / step {
						apply(r, step)
					}
				}
			}
			inTurns(b, mode.turn, func() {}, turn(links), turn(tcp))
		})
	}
}

// BenchmarkPropose is the whole way of a registry command: Propose at the
// leader, which verifies the command before it is logged, against raft.Apply
// over TCP. The state machine of both is the registry's.
func BenchmarkPropose(b *testing.B) {
	n := newTestnetAt(b, 3, unhurried)
	ours := n.clusters[n.leader()]
	tcp := raftOverTCP(b, func() raft.FSM {
		state, err := registry.New(n.genesis)
		if err != nil {
			b.Fatal(err)
		}
		return newMachine(state, func() {})
	})
	propose := func(c *wire.Command) {
		if _, err := ours.Propose(b.Context(), c); err != nil {
			b.Error(err)
		}
	}
	apply := func(c *wire.Command) {
		data, err := wire.Marshal(c)
		if err != nil {
			b.Error(err)
			return
		}
		f := tcp.Apply(data, 0)
		if err := f.Error(); err != nil || f.Response() != nil {
			b.Errorf("apply: %v, %v", f.Response(), err)
		}
	}
	n.mirror = apply // who is new is invited, and applies first, in both
	for _, mode := range modes {
		b.Run(mode.name, func(b *testing.B) {
			var commands []*wire.Command
			agencies := newApplicants(b, n, mode.name, mode.workers)
			inTurns(b, mode.turn,
				func() { commands = agencies.again(mode.turn) },
				func() { share(commands, mode.workers, propose) },
				func() { share(commands, mode.workers, apply) })
		})
	}
}

// inTurns lets both do a turn of n commands in each round, first one and then
// the other first.
func inTurns(b *testing.B, n int, prepare, ours, reference func()) {
	var rates [2][]float64
	var ratios []float64
	for round := 0; b.Loop(); round++ {
		prepare()
		for k := range 2 {
			which := (round + k) % 2
			started := time.Now()
			[2]func(){ours, reference}[which]()
			rates[which] = append(rates[which], float64(n)/time.Since(started).Seconds())
		}
		ratios = append(ratios, rates[0][round]/rates[1][round])
	}
	b.ReportMetric(median(rates[0]), "ours-commands/s")
	b.ReportMetric(median(rates[1]), "reference-commands/s")
	b.ReportMetric(median(ratios), "times-faster")
	b.ReportMetric(0, "ns/op") // of a round, which says nothing
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// share has workers do the commands, worker i those numbered i and so on in
// steps of all the workers.
func share(commands []*wire.Command, workers int, do func(*wire.Command)) {
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for k := i; k < len(commands); k += workers {
				do(commands[k])
			}
		})
	}
	all.Wait()
}

// applicants are agencies that apply again and again: a newer application
// replaces the one that waits, so that every one is a change.
type applicants struct {
	b    *testing.B
	n    *testnet
	name string
	keys []ed25519.PrivateKey
	time uint64
}

func newApplicants(b *testing.B, n *testnet, name string, agencies int) *applicants {
	a := &applicants{b: b, n: n, name: name}
	for k := range agencies {
		a.keys = append(a.keys, newKey(b))
		n.propose(n.running(), a.next(k, n.invite(name)))
	}
	return a
}

// again returns that many applications, of the agencies in turn.
func (a *applicants) again(applications int) (list []*wire.Command) {
	for i := range applications {
		list = append(list, a.next(i%len(a.keys), nil))
	}
	return list
}

// next is the next application of agency k, which the first time is invited.
func (a *applicants) next(k int, invitation ed25519.PrivateKey) *wire.Command {
	a.time++
	return a.n.signed(a.keys[k], invitation, fmt.Sprintf("%s-%d", a.name, k), "", a.time)
}
