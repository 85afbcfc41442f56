// Package testnet is a federation on one machine: the registry's servers and
// several agencies, each real, with its own keys, folder and links on
// loopback. Tests drive it, break it and check it; `interlock demo` shows it.
//
// Everything in it is the product: it founds a registry, enrols agencies,
// approves them as two operators would, and starts nodes. What it adds is
// faults (a cut between two of them, a stop, a restart) and Check, which
// compares what every node knows with what the agencies hold.
package testnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"interlock/node"
	"interlock/node/exchange"
	"interlock/replication/centre"
)

// Plan says what federation to build.
type Plan struct {
	Dir       string // everybody's folders go below it
	Servers   int    // of the registry; 3 if not given
	Threshold int    // of the tokens; 2 if not given
	Agencies  []Member
	Log       *slog.Logger      // nil for none
	Say       func(line string) // told what happens, in plain lines; nil for nobody
	Pages     bool              // serve the officers' pages too
	Patience  time.Duration     // with a registry server that is silent in a key ceremony; 20 s if not given
	Crowd     bool              // of many members, who must not drown one another in handshakes
	Direct    int               // node.Options.Direct of every agency
	Quiet     bool              // nodes do nothing from time to time by themselves, except to say that they are there

	// Front, where set, says at which multiaddrs others dial an agency that listens
	// on a port of 127.0.0.1.
	Front func(id string, port int) ([]string, error)
}

// Member is an agency of the plan.
type Member struct {
	ID           string
	Name         string
	Jurisdiction string
	Contact      string
	Region       string
}

// Members makes plain members of ids, for tests that need no more.
func Members(ids ...string) []Member {
	list := make([]Member, len(ids))
	for i, id := range ids {
		list[i] = Member{ID: id, Name: id, Jurisdiction: "US-CO", Contact: "desk of " + id, Region: "US"}
	}
	return list
}

// Net is a running federation.
type Net struct {
	plan    Plan
	faults  faults
	ports   Ports
	network string // the network file

	mu       sync.Mutex
	servers  []*Server // by index
	agencies []*Agency // in the plan's order
}

// pauses are those of the plan's nodes.
func (p Plan) pauses() node.Pauses {
	pauses := p.restless()
	if p.Quiet {
		pauses.Spread.Compare = 24 * time.Hour
	}
	return pauses
}

// restless are the pauses of a network that is all on one machine. In a crowd each
// member seeks every other, and does so more patiently.
func (p Plan) restless() node.Pauses {
	if p.Crowd {
		return node.Pauses{Registry: 500 * time.Millisecond, Feed: exchange.Pause{First: 250 * time.Millisecond, Last: 4 * time.Second}, Receipts: 10 * time.Second, Spread: exchange.Spreading{Tell: time.Second, Compare: 10 * time.Second, Again: 250 * time.Millisecond}}
	}
	return node.Pauses{Registry: 50 * time.Millisecond, Feed: exchange.Pause{First: 10 * time.Millisecond, Last: 200 * time.Millisecond}, Receipts: 100 * time.Millisecond, Spread: exchange.Spreading{Tell: 20 * time.Millisecond, Compare: time.Second, Again: 20 * time.Millisecond}}
}

// listen is where a node of the plan listens: a crowd over TCP alone, for where
// there is QUIC too, both are tried.
func (p Plan) listen(port int) []string {
	tcp := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)
	if p.Crowd {
		return []string{tcp}
	}
	return []string{tcp, fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", port)}
}

// operators are the two who approve every agency.
var operators = []string{"first-operator", "second-operator"}

// New builds the federation: every agency is a member and linked with every
// other when it returns.
func New(ctx context.Context, p Plan) (*Net, error) {
	if p.Servers == 0 {
		p.Servers, p.Threshold = 3, 2
	}
	if p.Patience == 0 {
		p.Patience = 20 * time.Second
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	if p.Say == nil {
		p.Say = func(string) {}
	}
	n := &Net{plan: p, network: filepath.Join(p.Dir, "registry", "network.toml")}
	if err := n.build(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Net) build(ctx context.Context) error {
	if err := n.found(); err != nil {
		return err
	}
	n.plan.Say(fmt.Sprintf("%d registry servers are running; tokens need %d of them", n.plan.Servers, n.plan.Threshold))
	// All are members before the first node runs: every admission is a directory
	// that every running node verifies.
	for _, m := range n.plan.Agencies {
		if _, err := n.admit(ctx, m); err != nil {
			return err
		}
	}
	running := map[string]bool{}
	for _, a := range n.Agencies() {
		if err := a.Start(); err != nil {
			return err
		}
		running[a.ID] = true
		// One after another: where all seek all at once, on a slow machine, most
		// handshakes end by their time limits, and are made again.
		err := n.await(ctx, a.ID+" to follow those before it", func() (bool, error) { return a.follows(running), nil })
		if err != nil {
			return err
		}
	}
	return n.AwaitLinked(ctx)
}

// Add enrols another agency, approves it, and starts its node.
func (n *Net) Add(ctx context.Context, m Member) (*Agency, error) {
	a, err := n.admit(ctx, m)
	if err != nil {
		return nil, err
	}
	return a, a.Start()
}

// admit enrols an agency and approves it.
func (n *Net) admit(ctx context.Context, m Member) (*Agency, error) {
	a, err := n.enrol(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("enrol %s: %w", m.ID, err)
	}
	n.plan.Say(m.Name + " has applied for admission")
	for _, name := range operators {
		if err := n.Decide(ctx, name, centre.Approve, m.ID, ""); err != nil {
			return nil, fmt.Errorf("approve %s: %w", m.ID, err)
		}
	}
	n.plan.Say("two operators have approved " + m.Name)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.agencies = append(n.agencies, a)
	return a, nil
}

// Agency returns the agency with this id; there must be one.
func (n *Net) Agency(id string) *Agency {
	for _, a := range n.Agencies() {
		if a.ID == id {
			return a
		}
	}
	panic("testnet: no agency " + id)
}

// Agencies returns all of them, running or not.
func (n *Net) Agencies() []*Agency {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*Agency{}, n.agencies...)
}

// Servers returns the registry's servers, running or not.
func (n *Net) Servers() []*Server { return n.servers }

// Close stops everything that still runs.
func (n *Net) Close() error {
	var errs []error
	for _, a := range n.Agencies() {
		errs = append(errs, a.Stop())
	}
	for _, s := range n.servers {
		errs = append(errs, s.Stop())
	}
	return errors.Join(errs...)
}

// AwaitLinked returns once every running agency is active and follows every
// other running one.
func (n *Net) AwaitLinked(ctx context.Context) error {
	return n.await(ctx, "all agencies linked", func() (bool, error) {
		running := map[string]bool{}
		for _, a := range n.Agencies() {
			if a.Node() != nil {
				running[a.ID] = true
			}
		}
		for id := range running {
			if !n.Agency(id).follows(running) {
				return false, nil
			}
		}
		return true, nil
	})
}

// awaitEvery is how often a condition is looked at, at most; where a look takes
// longer, half of the time is left to those who are looked at.
const awaitEvery = 5 * time.Millisecond

// await returns once ready holds, or the error of ready or ctx.
func (n *Net) await(ctx context.Context, what string, ready func() (bool, error)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w", what, context.Cause(ctx))
		case <-timer.C:
		}
		began := time.Now()
		ok, err := ready()
		if err != nil {
			return fmt.Errorf("await %s: %w", what, err)
		}
		if ok {
			return nil
		}
		timer.Reset(max(awaitEvery, time.Since(began)))
	}
}

func makeDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	return nil
}
