package psi

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"
)

// The benchmarks measure the processor time of this whole process, in the
// program and in the system, upkeep of the store and of memory included. Run
// them with -cpu 1.

// sample is how many elements the reference is run on: as many hashes to the
// group, and twice as many exponentiations. costOf says that its work is in
// proportion to them.
const sample = 1024

// BenchmarkOneNewIdentifier is one identifier that is new at one agency and held
// by another, which has 2^16; against an intersection of 1 with 2^16, run again.
func BenchmarkOneNewIdentifier(b *testing.B) {
	// After so many turns new ones are not held, and that takes a little less.
	const held, inTurn, turnsHeld = 1 << 16, 64, 8
	fresh := func(turn int) [][]byte { return identifiers(fmt.Sprintf("new-%d", turn), inTurn) }
	var both [][]byte
	for turn := range turnsHeld {
		both = append(both, fresh(turn)...)
	}
	denver, boulder := meet(b, both, held)
	var turns turns
	for turn := 0; b.Loop(); turn++ {
		want := turn < turnsHeld
		ours := cpu(b, func() {
			for _, identifier := range fresh(turn) {
				batch, met := denver.enter(b, boulder.id, identifier)
				if met != want || boulder.take(b, denver, batch) != want {
					b.Fatalf("turn %d: %s is met, or not, against what was planted", turn, identifier)
				}
			}
		})
		turns.add(ours/inTurn, reference(b, 1+held))
	}
	turns.report(b, "identifier")
}

// BenchmarkAllAgencies is several agencies that each hold 2^14 identifiers and
// match them all; against an intersection of every two. Ours is run on 2^10 for
// each agency, one whole batch: costOfMatch says that the rest is as much again
// for each batch.
func BenchmarkAllAgencies(b *testing.B) {
	const held, measured, shared = 1 << 14, 1 << 10, 1 << 4
	for _, members := range []int{3, 10} {
		b.Run(fmt.Sprintf("M=%d", members), func(b *testing.B) {
			r, both := newRegistry(b), identifiers("all", shared)
			sets := make([][][]byte, members)
			for i := range sets {
				sets[i] = joined(uint64(i), both, identifiers(fmt.Sprintf("agency-%d", i), measured-shared))
			}
			pairs := members * (members - 1) / 2
			var turns turns
			for b.Loop() {
				ours := cpu(b, func() {
					found, _ := match(b, r, sets)
					for p, shares := range found {
						if len(shares) != shared {
							b.Fatalf("agency %d finds %d in the feed of %d, want %d", p.holder, len(shares), p.author, shared)
						}
					}
				})
				turns.add(ours*held/measured, reference(b, pairs*2*held))
			}
			turns.report(b, "run")
		})
	}
}

// reference is what intersections of n elements take, both sides together.
func reference(b *testing.B, n int) time.Duration {
	alice, bob := identifiers("alice", sample/2), identifiers("bob", sample/2)
	spent := cpu(b, func() {
		if shared, _, _ := intersect(b, alice, bob); len(shared) != 0 {
			b.Fatal("the intersection found what is not there")
		}
	})
	return time.Duration(float64(spent) * float64(n) / sample)
}

// cpu returns the processor time that this process spends in f.
func cpu(b *testing.B, f func()) time.Duration {
	b.Helper()
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	f()
	return spent() - before
}

// turns are what ours and the reference took, one after the other.
type turns struct{ ours, reference, ratios []float64 }

func (t *turns) add(ours, reference time.Duration) {
	t.ours = append(t.ours, float64(ours))
	t.reference = append(t.reference, float64(reference))
	t.ratios = append(t.ratios, float64(reference)/float64(ours))
}

func (t *turns) report(b *testing.B, per string) {
	b.ReportMetric(median(t.ours), "ours-ns/"+per)
	b.ReportMetric(median(t.reference), "reference-ns/"+per)
	b.ReportMetric(median(t.ratios), "times-faster")
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
