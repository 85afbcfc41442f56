package testnet

import (
	"sync"

	"interlock/protocol/wire"
)

// faults is which paths are cut, in both directions.
type faults struct {
	mu  sync.Mutex
	cut map[[2]wire.Peer]bool // owned by mu
}

func pathOf(a, b wire.Peer) [2]wire.Peer {
	if string(a[:]) > string(b[:]) {
		a, b = b, a
	}
	return [2]wire.Peer{a, b}
}

// from is the link.Options.Cut of one host.
func (f *faults) from(self wire.Peer) func(wire.Peer) bool {
	return func(other wire.Peer) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.cut[pathOf(self, other)]
	}
}

func (f *faults) set(a, b wire.Peer, cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut == nil {
		f.cut = map[[2]wire.Peer]bool{}
	}
	f.cut[pathOf(a, b)] = cut
}

// Partition cuts the path between two parties of the network, agencies or
// servers, at once; what was in flight is lost.
func (n *Net) Partition(a, b Party) { n.path(a, b, true) }

// Heal restores the path between two parties.
func (n *Net) Heal(a, b Party) { n.path(a, b, false) }

func (n *Net) path(a, b Party, cut bool) {
	n.faults.set(a.Peer(), b.Peer(), cut)
	a.review()
	b.review()
}

// Party is an agency or a registry server.
type Party interface {
	Peer() wire.Peer
	review() // closes the connections that are cut
}
