package oprf

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// The benchmarks run this package and circl in turn, so that both meet the same
// machine, and report for each identifier the processor time of both, the median
// of the turns, and the median of how many times less this package takes. Run them
// with -cpu 1 (alone, not in a list), since circl uses one processor; with more,
// "elapsed" shows what they give.

// sizes are the thresholds and numbers of servers that are measured.
var sizes = []struct{ threshold, servers int }{{2, 3}, {3, 5}}

// BenchmarkClient compares with a threshold client that is composed from circl.
func BenchmarkClient(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%dof%d", size.threshold, size.servers), func(b *testing.B) {
			keys, shares := deal(b, size.threshold, size.servers)
			quorum := quorums(size.threshold, size.servers)[0]
			in, theirs := identifiers(MaxBatch), newComposed(b, keys)
			request, blinded, err := theirs.blind(in)
			if err != nil {
				b.Fatal(err)
			}
			answers := make([]composedAnswer, len(quorum))
			for i, server := range quorum {
				if answers[i], err = newCirclServer(b, shares[server-1]).evaluate(blinded); err != nil {
					b.Fatal(err)
				}
			}
			compareClients(b, keys, shares, quorum, func() error {
				if _, _, err := theirs.blind(in); err != nil {
					return err
				}
				_, err := theirs.finalize(request, in, quorum, answers)
				return err
			})
		})
	}
}

// BenchmarkClientAgainstOneServer compares with circl's own client, which has one
// server that holds the whole key.
func BenchmarkClientAgainstOneServer(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%dof%d", size.threshold, size.servers), func(b *testing.B) {
			keys, shares := deal(b, size.threshold, size.servers)
			_, whole := deal(b, 1, 1)
			in, theirs := identifiers(MaxBatch), newSingle(b, whole[0])
			request, blinded, err := theirs.blind(in)
			if err != nil {
				b.Fatal(err)
			}
			answer, err := newCirclServer(b, whole[0]).evaluate(blinded)
			if err != nil {
				b.Fatal(err)
			}
			compareClients(b, keys, shares, quorums(size.threshold, size.servers)[0], func() error {
				if _, _, err := theirs.blind(in); err != nil {
					return err
				}
				_, err := theirs.finalize(request, answer)
				return err
			})
		})
	}
}

// compareClients measures our client and another on a batch each.
func compareClients(b *testing.B, keys KeySet, shares []*Share, quorum []Index, theirs func() error) {
	client, in := newClient(b, keys), identifiers(MaxBatch)
	t := turns{b: b, each: len(in)}
	for b.Loop() {
		var r *Request
		t.ours(func() (err error) {
			r, err = client.Blind(rand.Reader, in)
			return err
		})
		answers := answersOf(b, shares, quorum, r.Blinded())
		t.ours(func() error {
			_, err := r.Finalize(quorum, answers)
			return err
		})
		t.circl(theirs)
		t.end()
	}
	t.report()
}

func BenchmarkServer(b *testing.B) {
	keys, shares := deal(b, 3, 5)
	quorum := quorums(3, 5)[0]
	blinded := blind(b, newClient(b, keys), identifiers(MaxBatch)).Blinded()
	wire := make([][]byte, len(blinded))
	for i := range blinded {
		wire[i] = blinded[i][:]
	}
	theirs := newCirclServer(b, shares[0])
	t := turns{b: b, each: len(blinded)}
	for b.Loop() {
		t.ours(func() error {
			_, err := shares[0].Evaluate(rand.Reader, 3, quorum, blinded)
			return err
		})
		t.circl(func() error {
			_, err := theirs.evaluate(wire)
			return err
		})
		t.end()
	}
	t.report()
}

// BenchmarkOne is what an officer who types one identifier waits for, less the network.
func BenchmarkOne(b *testing.B) {
	keys, shares := deal(b, 2, 3)
	client, quorum, in := newClient(b, keys), []Index{1, 2}, identifiers(1)
	for b.Loop() {
		evaluate(b, client, shares, quorum, in)
	}
}

// turns is what each turn of a benchmark took.
type turns struct {
	b    *testing.B
	each int // identifiers in a turn

	now  struct{ ours, elapsed, circl time.Duration } // of the turn under way
	list struct{ ours, elapsed, circl, ratio []float64 }
}

// ours adds what f takes to our side of the turn.
func (t *turns) ours(f func() error) {
	cpu, elapsed := t.time(f)
	t.now.ours += cpu
	t.now.elapsed += elapsed
}

func (t *turns) circl(f func() error) {
	cpu, _ := t.time(f)
	t.now.circl += cpu
}

// time returns what f takes: the processor time of this process, and what a clock
// shows. The garbage of the other side is collected before.
func (t *turns) time(f func() error) (cpu, elapsed time.Duration) {
	runtime.GC()
	before, started := t.spent(), time.Now()
	if err := f(); err != nil {
		t.b.Fatal(err)
	}
	return t.spent() - before, time.Since(started)
}

func (t *turns) spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (t *turns) end() {
	each := float64(t.each)
	t.list.ours = append(t.list.ours, float64(t.now.ours)/each)
	t.list.elapsed = append(t.list.elapsed, float64(t.now.elapsed)/each)
	t.list.circl = append(t.list.circl, float64(t.now.circl)/each)
	t.list.ratio = append(t.list.ratio, float64(t.now.circl)/float64(t.now.ours))
	t.now.ours, t.now.elapsed, t.now.circl = 0, 0, 0
}

func (t *turns) report() {
	for unit, list := range map[string][]float64{
		"ours-ns/identifier":    t.list.ours,
		"elapsed-ns/identifier": t.list.elapsed,
		"circl-ns/identifier":   t.list.circl,
		"times-faster":          t.list.ratio,
	} {
		slices.Sort(list)
		t.b.ReportMetric(list[len(list)/2], unit)
	}
	t.b.ReportMetric(float64(runtime.GOMAXPROCS(0)), "processors")
}

func identifiers(n int) [][]byte {
	in := make([][]byte, n)
	for i := range in {
		in[i] = fmt.Appendf(nil, "email:person.%d@example.org", i)
	}
	return in
}
