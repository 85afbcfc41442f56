package testnet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/directory"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// reader is anybody who takes directories.
type reader interface {
	taken() uint64 // the version in force; 0 before the first
}

func (a *Agency) taken() uint64 {
	if n := a.Node(); n != nil && n.Directory() != nil {
		return n.Directory().Version
	}
	return 0
}

// journey is when one version of the directory was where.
type journey struct {
	committed time.Time // decided: the first server's state has it
	endorsed  time.Time // a majority of the servers has signed it
	arrived   []time.Time
}

func (j journey) first() time.Time { return j.pick(time.Time.After) }
func (j journey) last() time.Time  { return j.pick(time.Time.Before) }

func (j journey) pick(other func(time.Time, time.Time) bool) (t time.Time) {
	for i, at := range j.arrived {
		if i == 0 || other(t, at) {
			t = at
		}
	}
	return t
}

// version is that of the newest directory that any server has decided.
func (n *Net) version() (newest uint64) {
	for _, s := range n.servers {
		s.running().View(func(state *registry.State) { newest = max(newest, state.Version()) })
	}
	return newest
}

// travel has somebody decide what makes the next version of the directory, and
// returns once every reader has taken it, with when it was where. Servers say
// by themselves when their state changes; readers are looked at each
// millisecond.
func (n *Net) travel(ctx context.Context, to []reader, decide func() error) (journey, error) {
	next := n.version() + 1
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	committed, endorsed := make(chan time.Time, len(n.servers)), make(chan time.Time, len(n.servers))
	for _, s := range n.servers {
		server, signed := s.running(), ""
		server.View(func(state *registry.State) { signed = string(state.Published().GetDirectory()) })
		go func() {
			when(ctx, server, committed, func(state *registry.State) bool { return state.Version() >= next })
			when(ctx, server, endorsed, func(state *registry.State) bool { return string(state.Published().GetDirectory()) != signed })
		}()
	}
	decided := make(chan error, 1)
	go func() { decided <- decide() }()
	j := journey{arrived: make([]time.Time, len(to))}
	err := n.arrive(ctx, to, next, j.arrived, decided)
	if err != nil {
		return j, err
	}
	j.committed, j.endorsed = <-committed, <-endorsed
	return j, nil
}

// when says on at when the state of a server was first as is wanted.
func when(ctx context.Context, server *centre.Server, at chan<- time.Time, wanted func(*registry.State) bool) {
	for ctx.Err() == nil {
		changed, is := server.Changed(), false
		if server.View(func(state *registry.State) { is = wanted(state) }); is {
			at <- time.Now()
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// arrive returns when everybody has the version, and nobody is still deciding.
func (n *Net) arrive(ctx context.Context, to []reader, version uint64, arrived []time.Time, decided <-chan error) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for missing := len(to); missing > 0 || decided != nil; {
		select {
		case err := <-decided:
			if err != nil {
				return err
			}
			decided = nil
		case <-ctx.Done():
			return fmt.Errorf("version %d of the directory has not reached %d of %d: %w", version, missing, len(to), context.Cause(ctx))
		case now := <-tick.C:
			for i, r := range to {
				if arrived[i].IsZero() && r.taken() >= version {
					arrived[i], missing = now, missing-1
				}
			}
		}
	}
	return nil
}

// size is how many bytes the published directory has, with its signatures.
func (n *Net) size() (bytes int) {
	n.servers[0].running().View(func(state *registry.State) { bytes = proto.Size(state.Published()) })
	return bytes
}

// awaitPublished returns once every server shows the newest directory.
func (n *Net) awaitPublished(t testing.TB) {
	t.Helper()
	err := n.await(t.Context(), "the newest directory to be published", func() (all bool, err error) {
		all = true
		for _, s := range n.servers {
			s.running().View(func(state *registry.State) {
				d, err := n.pinned(t).Trust().Verify(state.Published())
				all = all && err == nil && d.Version == state.Version()
			})
		}
		return all, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// pinned is what the network file says.
func (n *Net) pinned(t testing.TB) directory.Network {
	t.Helper()
	b, err := os.ReadFile(n.network)
	if err != nil {
		t.Fatal(err)
	}
	network, err := directory.ParseNetwork(b)
	if err != nil {
		t.Fatal(err)
	}
	return network
}

// operator is one of the operators, at work until the test ends.
func (n *Net) operator(t testing.TB, i int) *centre.Operator {
	t.Helper()
	keys := filepath.Join(filepath.Dir(n.network), "operators", operators[i]+".age")
	o, err := centre.LoadOperator(n.network, keys, "", discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}
