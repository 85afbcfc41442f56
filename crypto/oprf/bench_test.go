package oprf

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// The benchmarks run this package and circl in turn, so that both meet the same
// machine, and report nanoseconds for each identifier and how many times faster
// this package is. circl uses one processor: run with -cpu 1 (alone, not in a
// list) to compare one with one.

func BenchmarkClient(b *testing.B) {
	for _, size := range []struct{ threshold, servers int }{{2, 3}, {3, 5}} {
		b.Run(fmt.Sprintf("%dof%d", size.threshold, size.servers), func(b *testing.B) {
			keys, shares := deal(b, size.threshold, size.servers)
			quorum := quorums(size.threshold, size.servers)[0]
			in := identifiers(MaxBatch)
			client, theirs := newClient(b, keys), newComposed(b, keys)
			var ours, circl time.Duration
			for b.Loop() {
				ours += clientOnce(b, client, shares, quorum, in)
				circl += composedOnce(b, theirs, shares, quorum, in)
			}
			report(b, ours, circl, len(in))
		})
	}
}

// clientOnce returns the time that the client spends on one batch.
func clientOnce(b *testing.B, client *Client, shares []*Share, quorum []Index, in [][]byte) time.Duration {
	started := time.Now()
	r := blind(b, client, in)
	blinded := r.Blinded()
	spent := time.Since(started)
	answers := answersOf(b, shares, quorum, blinded)
	started = time.Now()
	if _, err := r.Finalize(quorum, answers); err != nil {
		b.Fatal(err)
	}
	return spent + time.Since(started)
}

func composedOnce(b *testing.B, client *composed, shares []*Share, quorum []Index, in [][]byte) time.Duration {
	started := time.Now()
	r, blinded, err := client.blind(in)
	if err != nil {
		b.Fatal(err)
	}
	spent := time.Since(started)
	answers := make([]composedAnswer, len(quorum))
	for i, server := range quorum {
		if answers[i], err = newCirclServer(b, shares[server-1]).evaluate(blinded); err != nil {
			b.Fatal(err)
		}
	}
	started = time.Now()
	if _, err := client.finalize(r, in, quorum, answers); err != nil {
		b.Fatal(err)
	}
	return spent + time.Since(started)
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
	var ours, circl time.Duration
	for b.Loop() {
		started := time.Now()
		if _, err := shares[0].Evaluate(rand.Reader, 3, quorum, blinded); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(started)
		started = time.Now()
		if _, err := theirs.evaluate(wire); err != nil {
			b.Fatal(err)
		}
		circl += time.Since(started)
	}
	report(b, ours, circl, len(blinded))
}

// BenchmarkOne is what an officer who types one identifier waits for, less the network.
func BenchmarkOne(b *testing.B) {
	keys, shares := deal(b, 2, 3)
	client, quorum, in := newClient(b, keys), []Index{1, 2}, identifiers(1)
	for b.Loop() {
		evaluate(b, client, shares, quorum, in)
	}
}

func report(b *testing.B, ours, circl time.Duration, identifiers int) {
	n := float64(b.N * identifiers)
	b.ReportMetric(float64(ours.Nanoseconds())/n, "ns/identifier")
	b.ReportMetric(float64(circl.Nanoseconds())/n, "circl-ns/identifier")
	b.ReportMetric(float64(circl)/float64(ours), "times-faster")
	b.ReportMetric(float64(runtime.GOMAXPROCS(0)), "processors")
}

func identifiers(n int) [][]byte {
	in := make([][]byte, n)
	for i := range in {
		in[i] = fmt.Appendf(nil, "email:person.%d@example.org", i)
	}
	return in
}
