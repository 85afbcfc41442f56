package tokens

import (
	"crypto/rand"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"interlock/crypto/oprf"
	"interlock/protocol/identifier"
)

// BenchmarkOverLinks is a queue with plenty to do before three registry servers,
// of which two are needed: real links, and all roles in this process. The
// reference is what the processors allow: the same batches blinded, evaluated,
// checked and combined by crypto/oprf alone, as many side by side as there are
// processors, with nothing sent or waited for.
func BenchmarkOverLinks(b *testing.B) {
	const batches = 12
	ids := identifiers(b, 2*batches*batchSize) // more than a cache remembers
	servers, c, _ := registry(b, 2, 3)
	q, err := NewQueue(c)
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	var ours, alone time.Duration
	var ratios []float64
	for i := 0; b.Loop(); i++ {
		some := ids[i%2*batches*batchSize:][:batches*batchSize]
		began := time.Now()
		if _, _, err := q.Tokens(b.Context(), some, Import); err != nil {
			b.Fatal(err)
		}
		over := time.Since(began)
		bare := withoutLinks(b, c, servers, some)
		ours, alone, ratios = ours+over, alone+bare, append(ratios, float64(bare)/float64(over))
	}
	slices.Sort(ratios)
	n := float64(b.N * batches * batchSize)
	b.ReportMetric(n/ours.Seconds(), "links-identifiers/s")
	b.ReportMetric(n/alone.Seconds(), "oprf-identifiers/s")
	b.ReportMetric(ratios[len(ratios)/2], "times-faster")
}

// withoutLinks is how long the curve alone takes.
func withoutLinks(b *testing.B, c *Client, servers []*server, ids []identifier.Identifier) time.Duration {
	k, err := c.current()
	if err != nil {
		b.Fatal(err)
	}
	client, err := oprf.NewClient(k.Keys)
	if err != nil {
		b.Fatal(err)
	}
	inputs := make([][]byte, len(ids))
	for i, id := range ids {
		inputs[i] = id.Input()
	}
	quorum := []oprf.Index{servers[0].share.Index(), servers[1].share.Index()}
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for at := next.Add(batchSize); at <= int64(len(inputs)); at = next.Add(batchSize) {
				if err := evaluateAlone(client, servers, quorum, inputs[at-batchSize:at]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

func evaluateAlone(client *oprf.Client, servers []*server, quorum []oprf.Index, inputs [][]byte) error {
	r, err := client.Blind(rand.Reader, inputs)
	if err != nil {
		return err
	}
	defer r.Destroy()
	blinded := r.Blinded()
	var answers []oprf.Answer
	for _, i := range quorum {
		a, err := servers[i-1].share.Evaluate(rand.Reader, len(quorum), quorum, blinded)
		if err != nil {
			return err
		}
		answers = append(answers, a)
	}
	_, err = r.Finalize(quorum, answers)
	return err
}
