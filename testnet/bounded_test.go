package testnet

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"interlock/protocol/wire"
)

// burden is what a process carries once nothing is left that nobody needs.
type burden struct {
	heap       int64 // bytes
	goroutines int
}

func weigh() burden {
	runtime.GC()
	runtime.GC() // what the first one finalised
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return burden{int64(m.HeapAlloc), runtime.NumGoroutine()}
}

// clings opens as many subscriptions as a peer may have open. A peer that reads takes
// every frame; none of them is ever acknowledged.
func (o *outsider) clings(t *testing.T, to *Agency, reads bool) {
	t.Helper()
	for range wire.ProtocolFeed.Peer {
		s, err := o.Open(t.Context(), to.Peer(), wire.ProtocolFeed)
		if err == nil {
			err = s.Send(&wire.Subscribe{Author: to.ID})
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Reset(wire.CodeNone) })
		if reads {
			go func() {
				for s.Receive(&wire.Batch{}) == nil {
				}
			}()
		}
	}
}

// TestPeersThatDoNotTakeWhatTheyAskForCostLittle: while 20,000 entries are written,
// one peer never reads and another never acknowledges, on as many subscriptions as
// they may have. Kept for each of those eight, the entries alone would be 120 MB.
func TestPeersThatDoNotTakeWhatTheyAskForCostLittle(t *testing.T) {
	const (
		identifiers = 1000
		written     = 20_000
		heap        = 32 << 20
		goroutines  = 100
	)
	net := Start(t, Plan{Agencies: Members("denver-pd", "golden-pd", "boulder-so", "aurora-pd")})
	denver, golden := net.Agency("denver-pd"), net.Agency("golden-pd")
	d := opens(t, denver, "D-1")
	var text strings.Builder
	for n := range identifiers {
		fmt.Fprintf(&text, "name.%d@example.org\n", n)
	}
	pastes(t, denver, d, text.String())
	settleAndCheck(t, net)
	ids := identifiersIn(denver.found(text.String()))
	writes := func(entries int) {
		t.Helper()
		for n := 0; n < entries; n += len(ids) {
			to := watched
			if n/len(ids)%2 == 1 {
				to = shared
			}
			if err := denver.Node().Desk().Handle(t.Context(), okafor, d, ids, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	arrives := func() {
		t.Helper()
		want := feedsOf(t, denver, denver.ID)[""]
		err := net.await(ctx, "the other member to have everything", func() (bool, error) {
			return feedsOf(t, golden, denver.ID)[""] == want, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	outside(t, net.Agency("boulder-so")).clings(t, denver, false)
	outside(t, net.Agency("aurora-pd")).clings(t, denver, true)
	writes(10 * identifiers) // the stores have filled what they fill
	arrives()
	before := weigh()
	writes(written)
	arrives()
	after := weigh()
	t.Logf("%d entries written: %d KiB and %d goroutines more than %d KiB and %d", written, (after.heap-before.heap)>>10, after.goroutines-before.goroutines, before.heap>>10, before.goroutines)
	if grown := after.heap - before.heap; grown > heap {
		t.Errorf("the heap has grown by %d KiB, want at most %d", grown>>10, heap>>10)
	}
	if more := after.goroutines - before.goroutines; more > goroutines {
		t.Errorf("%d goroutines more, want at most %d", more, goroutines)
	}
}
