package dkg

import (
	"fmt"
	"testing"
)

// BenchmarkReplay applies a whole ceremony, as a server does that starts again.
func BenchmarkReplay(b *testing.B) {
	for _, row := range []struct {
		name string
		make func(testing.TB) *ceremony
	}{
		{"generate 2 of 3", func(t testing.TB) *ceremony { c, _ := generated(t, 2, upTo(3)); return c }},
		{"generate 16 of 31", func(t testing.TB) *ceremony { c, _ := generated(t, 16, upTo(31)); return c }},
		{"reshare 2 of 3", func(t testing.TB) *ceremony {
			old, o := generated(t, 2, upTo(3))
			c := convene(t, resharePlan(o, upTo(3), 2, upTo(3)), old.holders())
			c.finish()
			return c
		}},
	} {
		b.Run(row.name, func(b *testing.B) {
			c := row.make(b)
			size := 0
			for _, m := range c.log {
				size += len(m)
			}
			for b.Loop() {
				replay(b, c.plan, c.log)
			}
			b.ReportMetric(float64(size), "logbytes")
		})
	}
}

// BenchmarkDeal and BenchmarkVerdict are what one participant computes.
func BenchmarkDeal(b *testing.B) {
	for _, n := range []int{3, 31} {
		b.Run(fmt.Sprintf("%d servers", n), func(b *testing.B) {
			c := convene(b, generatePlan(n/2+1, upTo(n)), nil)
			for _, s := range upTo(n) {
				c.speak(s)
			}
			for b.Loop() {
				if _, ok, err := c.people[1].Next(c.transcript); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkVerdict(b *testing.B) {
	for _, n := range []int{3, 31} {
		b.Run(fmt.Sprintf("%d servers", n), func(b *testing.B) {
			c := convene(b, generatePlan(n/2+1, upTo(n)), nil)
			for c.transcript.Phase() < Judging {
				for _, s := range upTo(n) {
					c.speak(s)
				}
			}
			for b.Loop() {
				if _, ok, err := c.people[1].Next(c.transcript); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
