package probes

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// BenchmarkProbes asks for batches of 1,000 tags among ten million: of which
// none, one in a hundred, and all are held.
func BenchmarkProbes(b *testing.B) {
	const size, inTurn = 10_000_000, 20
	held, absent := sorted(randomTags(1, size)), randomTags(2, size/10)
	looks := map[string]probe{}
	for _, x := range indexes() {
		looks[x.name] = x.open(b, held)
	}
	for _, c := range []struct {
		name string
		hits int
	}{{"misses", 0}, {"few", batch / 100}, {"hits", batch}} {
		b.Run(c.name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(uint64(c.hits), 1))
			rates := map[string][]float64{}
			for b.Loop() {
				turn := make([]asked, inTurn)
				for i := range turn {
					turn[i] = ask(random, held, absent, c.hits)
				}
				for name, look := range looks {
					rates[name] = append(rates[name], rate(b, look, turn))
				}
			}
			for name, list := range rates {
				slices.Sort(list)
				b.ReportMetric(list[len(list)/2], name+"-probes/s")
			}
		})
	}
}

// rate returns how many tags were looked up in a second.
func rate(b *testing.B, look probe, turn []asked) float64 {
	found := make([]uint64, batch)
	var spent time.Duration
	for _, a := range turn {
		started := time.Now()
		look(b, a.tags, found)
		spent += time.Since(started)
		if !slices.Equal(found, a.want) {
			b.Fatal("something else was found than is held")
		}
	}
	return float64(len(turn)*batch) / spent.Seconds()
}
