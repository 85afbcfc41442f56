package testnet

import (
	"sync"

	"interlock/protocol/wire"
)

// faults is which paths are cut, each direction by itself.
type faults struct {
	mu  sync.Mutex
	cut map[[2]wire.Peer]bool // owned by mu; who neither dials nor takes connections, and whom
}

// from is the link.Options.Cut of one host.
func (f *faults) from(self wire.Peer) func(wire.Peer) bool {
	return func(other wire.Peer) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.cut[[2]wire.Peer{self, other}]
	}
}

// set cuts the path as a sees it, or heals it.
func (f *faults) set(a, b wire.Peer, cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut == nil {
		f.cut = map[[2]wire.Peer]bool{}
	}
	f.cut[[2]wire.Peer{a, b}] = cut
}

// Partition cuts the path between two parties of the network, agencies or
// servers, at once; what was in flight is lost.
func (n *Net) Partition(a, b Party) { n.path(a, b, true) }

// Heal restores the path between two parties.
func (n *Net) Heal(a, b Party) { n.path(a, b, false) }

func (n *Net) path(a, b Party, cut bool) {
	n.faults.set(a.Peer(), b.Peer(), cut)
	n.faults.set(b.Peer(), a.Peer(), cut)
	a.review()
	b.review()
}

// Deafen cuts the path as one party sees it alone: it neither dials the other nor
// takes its connections, and the other, which knows nothing of it, goes on trying.
func (n *Net) Deafen(who, to Party) {
	n.faults.set(who.Peer(), to.Peer(), true)
	who.review()
}

// HealAll restores every path.
func (n *Net) HealAll() {
	n.faults.mu.Lock()
	defer n.faults.mu.Unlock()
	clear(n.faults.cut)
}

// Party is an agency or a registry server.
type Party interface {
	Peer() wire.Peer
	review() // closes the connections that are cut
}
