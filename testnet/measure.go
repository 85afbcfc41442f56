package testnet

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"interlock/protocol/wire"
)

// Measured is what a federation in one process was seen to need.
type Measured struct {
	Nodes, Entries int           // entries of all feeds together
	Took           time.Duration // from the first save until every node had every entry and alert
	CPU            time.Duration // of the whole process meanwhile, the registry's servers included
	Sent, Received float64       // bytes by one node for one entry that arrives at one node, on average
	Heap           uint64        // bytes in use by the whole process at the end
	Everywhere     time.Duration // from one save until the last node has the entry; median
	Alerted        time.Duration // from one save until the alert at the other holder; median
	Checked        error         // of Check at the end
}

// Arrivals is how often an entry arrived at a node.
func (m Measured) Arrivals() int { return m.Entries * (m.Nodes - 1) }

func (m Measured) String() string {
	var b strings.Builder
	n := float64(m.Arrivals())
	fmt.Fprintf(&b, "%d nodes and a registry in one process; %d entries, %d arrivals\n", m.Nodes, m.Entries, m.Arrivals())
	fmt.Fprintf(&b, "entries saved and spread      %10.0f /s\n", float64(m.Entries)/m.Took.Seconds())
	fmt.Fprintf(&b, "arrivals                      %10.0f /s\n", n/m.Took.Seconds())
	fmt.Fprintf(&b, "processor for one arrival     %10.1f µs (saving, tokens and the registry included)\n", float64(m.CPU.Microseconds())/n)
	fmt.Fprintf(&b, "sent for one arrival          %10.1f bytes\n", m.Sent)
	fmt.Fprintf(&b, "received for one arrival      %10.1f bytes\n", m.Received)
	fmt.Fprintf(&b, "memory for one node           %10.1f MiB\n", float64(m.Heap)/float64(m.Nodes)/wire.MiB)
	fmt.Fprintf(&b, "from a save to the last node  %10.1f ms\n", float64(m.Everywhere.Microseconds())/1000)
	fmt.Fprintf(&b, "from a save to the alert      %10.1f ms\n", float64(m.Alerted.Microseconds())/1000)
	fmt.Fprintf(&b, "every invariant holds         %10v\n", m.Checked == nil)
	return b.String()
}

// oneByOne is how many single saves are timed.
const oneByOne = 15

// Measure builds the federation of a plan, has each agency enter so many identifiers,
// and then some one by one, each held by two. One identifier in twenty is held by
// its neighbour too.
func Measure(ctx context.Context, p Plan, identifiers int) (m Measured, err error) {
	n, err := New(ctx, p)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	all := n.Agencies()
	m.Nodes, m.Entries = len(all), len(all)*identifiers
	for _, a := range all {
		if _, err := a.Opens(chaosOfficer, "measured", ""); err != nil {
			return m, err
		}
	}
	if err := n.measureMany(ctx, &m, identifiers); err != nil {
		return m, err
	}
	if err := n.measureOne(ctx, &m); err != nil {
		return m, err
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	m.Heap = memory.HeapInuse + memory.StackInuse
	if err := n.Settle(ctx); err != nil {
		return m, err
	}
	m.Checked = n.Check()
	return m, m.Checked
}

// measureMany has every agency enter its identifiers at the same time.
func (n *Net) measureMany(ctx context.Context, m *Measured, identifiers int) error {
	all := n.Agencies()
	before, began := processor(), time.Now()
	sent, received := n.traffic()
	failed := make(chan error, len(all))
	for at, a := range all {
		go func() {
			_, err := a.Pastes(ctx, chaosOfficer, 1, measuredText(at, len(all), identifiers))
			failed <- err
		}()
	}
	for range all {
		if err := <-failed; err != nil {
			return err
		}
	}
	if err := n.Settle(ctx); err != nil {
		return err
	}
	m.Took, m.CPU = time.Since(began), processor()-before
	sentNow, receivedNow := n.traffic()
	arrivals := float64(m.Arrivals())
	m.Sent, m.Received = float64(sentNow-sent)/arrivals, float64(receivedNow-received)/arrivals
	return nil
}

// measuredText is what one agency enters.
func measuredText(at, of, identifiers int) string {
	var b strings.Builder
	for n := range identifiers {
		owner := at
		if n%20 == 0 {
			owner = at / 2 * 2 % of // shared with the neighbour
		}
		fmt.Fprintf(&b, "m%d.%d@example.org\n", owner, n)
	}
	return b.String()
}

// measureOne times single saves of the first agency.
func (n *Net) measureOne(ctx context.Context, m *Measured) error {
	all := n.Agencies()
	first, last := all[0], all[len(all)-1]
	var everywhere, alerted []time.Duration
	for i := range oneByOne {
		text := fmt.Sprintf("single.%d@example.org", i)
		c, err := last.Opens(chaosOfficer, fmt.Sprintf("single-%d", i), "")
		if err != nil {
			return err
		}
		list, err := last.Alerts()
		if err != nil {
			return err
		}
		if _, err := last.Pastes(ctx, chaosOfficer, c.ID, text); err != nil {
			return err
		}
		if err := n.Settle(ctx); err != nil {
			return err
		}
		began := time.Now()
		if _, err := first.Pastes(ctx, chaosOfficer, 1, text); err != nil {
			return err
		}
		if err := last.AwaitsAlerts(ctx, len(list)+1); err != nil {
			return err
		}
		alerted = append(alerted, time.Since(began))
		if err := n.Settle(ctx); err != nil {
			return err
		}
		everywhere = append(everywhere, time.Since(began))
	}
	m.Everywhere, m.Alerted = middle(everywhere), middle(alerted)
	return nil
}

func middle(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// processor is how much of it this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// traffic is what all nodes have sent to and received from other members.
func (n *Net) traffic() (sent, received uint64) {
	for _, a := range n.Agencies() {
		for _, t := range a.Node().Host().Traffic() {
			if slices.ContainsFunc(n.Agencies(), func(other *Agency) bool { return other.peer == t.Peer }) {
				sent, received = sent+t.SentBytes, received+t.ReceivedBytes
			}
		}
	}
	return sent, received
}
