package testnet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"interlock/node"
	"interlock/node/casefile"
	"interlock/node/intake"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// metBefore is how many identifiers boulder has of which denver saves one after
// another.
const metBefore = 2_000

// BenchmarkSavedToAlert is how long after an officer at denver saves an identifier
// that boulder has too, boulder's officers are told, on the stream that their pages
// read: the token from two of three registry servers, denver's transaction on the
// disk, the entry over the link, boulder's on its disk.
//
// The reference is measured in turns with that: two round trips of a small message
// on an open stream between the two, and two appends to a file on the same disk,
// each synced, one after another.
func BenchmarkSavedToAlert(b *testing.B) {
	net := Start(b, Plan{Agencies: Members("denver-pd", "boulder-so")})
	denver, boulder := net.Agency("denver-pd"), net.Agency("boulder-so")
	ready, told := saving(b, denver, boulder)
	trip := echoing(b, denver.Node(), boulder.Node())
	sync := syncing(b)
	var ours, reference []time.Duration
	for n := range warmUp {
		ready(n)()
		<-told
	}
	for n := warmUp; b.Loop(); n++ {
		save := ready(n)
		began := time.Now()
		save()
		<-told
		ours = append(ours, time.Since(began))
		began = time.Now()
		trip()
		trip()
		sync()
		sync()
		reference = append(reference, time.Since(began))
	}
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(percentile(ours, p).Nanoseconds()), fmt.Sprintf("p%d-ours-ns/alert", p))
		b.ReportMetric(float64(percentile(reference, p).Nanoseconds()), fmt.Sprintf("p%d-reference-ns/alert", p))
	}
}

// warmUp is how many saves are not counted.
const warmUp = 20

// saving has boulder hold many identifiers, and returns what makes the saving of
// the nth of them into a case of its own at denver ready, and what tells that boulder's officer was alerted.
func saving(b *testing.B, denver, boulder *Agency) (ready func(n int) (save func()), told <-chan struct{}) {
	b.Helper()
	var all []string
	for n := range metBefore {
		all = append(all, fmt.Sprintf("met.%d@example.org", n))
	}
	theirs, err := boulder.Opens(okafor, "B-1", "")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := boulder.Uploads(b.Context(), okafor, theirs.ID, "all.txt", strings.Join(all, "\n")); err != nil {
		b.Fatal(err)
	}
	if err := boulder.net.Settle(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	b.Cleanup(cancel)
	lines, alerted := boulder.Node().Desk().Watch(ctx, okafor), make(chan struct{}, 1)
	go func() {
		for range lines {
			alerted <- struct{}{}
		}
	}()
	return func(n int) func() {
		d := denver.Node().Desk()
		ours, err := denver.Opens(okafor, fmt.Sprintf("D-%d", n), "")
		if err != nil {
			b.Fatal(err)
		}
		draft, err := d.Draft(okafor, ours.ID, intake.Text("pasted text", all[n], "US"), "")
		if err != nil {
			b.Fatal(err)
		}
		return func() {
			if _, err := d.Save(b.Context(), okafor, ours.ID, draft, nil, casefile.Sharing{}); err != nil {
				b.Fatal(err)
			}
		}
	}, alerted
}

// echoing returns a round trip from one node to another on an open stream.
func echoing(b *testing.B, from, to *node.Node) (trip func()) {
	b.Helper()
	echo := wire.Protocol{ID: "/interlock/bench/echo/1", From: wire.Member, Frame: 64 * wire.KiB, Idle: time.Minute, Peer: 1}
	to.Host().Handle(echo, func(_ context.Context, s *link.Stream) error {
		for {
			var m wire.Ack
			if err := s.Receive(&m); err != nil {
				return err
			}
			if err := s.Send(&m); err != nil {
				return err
			}
		}
	})
	s, err := from.Host().Open(b.Context(), to.Host().Peer(), echo)
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		m := wire.Ack{Number: 1}
		if err := s.Send(&m); err != nil {
			b.Fatal(err)
		}
		if err := s.Receive(&m); err != nil {
			b.Fatal(err)
		}
	}
}

// syncing returns an append to a file that is on the disk when it returns.
func syncing(b *testing.B) (sync func()) {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "appended"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := f.Close(); err != nil {
			b.Error(err)
		}
	})
	record := make([]byte, 1024)
	return func() {
		if _, err := f.Write(record); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

func percentile(of []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}
