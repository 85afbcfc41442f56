package node

import (
	"testing"
	"time"
)

const ownBeforeJoining = 100_000

// BenchmarkAMemberJoins is a node with many identifiers that derives what they
// would be in the feed of a new member, and is on the disk with that at the end.
func BenchmarkAMemberJoins(b *testing.B) {
	d := onDisk(b, "denver-pd", &registry{}, b.TempDir())
	d.open(b, 1)
	d.join(b)
	d.enterMany(b, people(b, ownBeforeJoining))
	members := townsfolk(1000)
	var rates []float64
	for n := 1; b.Loop(); n++ {
		b.StopTimer()
		d.join(b, members[:n]...)
		b.StartTimer()
		began := time.Now()
		d.derive(b)
		rates = append(rates, ownBeforeJoining/time.Since(began).Seconds())
	}
	b.ReportMetric(median(rates), "identifiers/s")
}
