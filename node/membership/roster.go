// Package membership is what a node knows of its network: the registry servers
// it has pinned, the newest directory that follows from them by the chain of
// signatures, and from both, who may speak with it. It applies for admission and
// follows the directory.
package membership

import (
	"slices"
	"sync/atomic"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Roster holds the newest directory. It may be used from any goroutine; one at
// a time sets it.
type Roster struct {
	network directory.Network
	now     atomic.Pointer[directory.Chain]
}

// NewRoster knows only the network's pinned servers.
func NewRoster(n directory.Network) *Roster {
	r := &Roster{network: n}
	r.Set(directory.NewChain(n))
	return r
}

// Directory is the newest one, or nil before the first.
func (r *Roster) Directory() *directory.Directory { return r.now.Load().Directory() }

// Chain is the newest directory with what it was verified by.
func (r *Roster) Chain() directory.Chain { return *r.now.Load() }

// Signed is the newest directory as it was signed, nil before the first.
func (r *Roster) Signed() *wire.SignedDirectory { return r.now.Load().Signed() }

// Network is what was pinned.
func (r *Roster) Network() directory.Network { return r.network }

// Servers are the registry's servers now: those of the newest directory, or the
// pinned ones before the first.
func (r *Roster) Servers() []directory.NetworkServer {
	if d := r.Directory(); d != nil {
		return d.Network(r.network.Name).Servers
	}
	return r.network.Servers
}

// Take verifies a signed directory by the chain. It returns the chain after it,
// for Set, and false for one that is held already.
func (r *Roster) Take(signed *wire.SignedDirectory) (directory.Chain, bool, error) {
	return r.now.Load().Take(signed)
}

// Set makes a chain the current one.
func (r *Roster) Set(c directory.Chain) { r.now.Store(&c) }

// Role says what a peer is to this node: an active member, a registry server,
// or nobody.
func (r *Roster) Role(p wire.Peer) wire.Role {
	d := r.Directory()
	if d == nil {
		if slices.ContainsFunc(r.network.Servers, func(s directory.NetworkServer) bool { return s.Key == p }) {
			return wire.RegistryServer
		}
		return wire.Nobody
	}
	if _, ok := d.ServerOf(p); ok {
		return wire.RegistryServer
	}
	if a, ok := d.AgencyOf(p); ok && a.Status == directory.Active {
		return wire.Member
	}
	return wire.Nobody
}
