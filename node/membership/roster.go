// Package membership is what a node knows of its network: the registry servers
// it has pinned, the newest directory they have signed, and from both, who may
// speak with it. It applies for admission and follows the directory.
package membership

import (
	"errors"
	"fmt"
	"sync/atomic"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Errors of Check.
var (
	ErrStale  = errors.New("directory older than the one held")
	ErrForked = errors.New("two signed directories of one version differ")
	ErrKeys   = errors.New("directory with another token key than the network's")
)

// firstEpoch is the epoch of the token key that the network file pins.
const firstEpoch = 1

// held is one directory with the bytes that were signed.
type held struct {
	directory *directory.Directory
	signed    *wire.SignedDirectory
}

// Roster holds the newest directory. It may be used from any goroutine.
type Roster struct {
	network directory.Network
	now     atomic.Pointer[held]
}

// NewRoster knows only the network's pinned servers.
func NewRoster(n directory.Network) *Roster { return &Roster{network: n} }

// Directory is the newest one, or nil before the first.
func (r *Roster) Directory() *directory.Directory {
	if h := r.now.Load(); h != nil {
		return h.directory
	}
	return nil
}

// Network is what was pinned.
func (r *Roster) Network() directory.Network { return r.network }

// Check verifies a signed directory against the pinned servers and the one
// held. It returns nil without an error for the one that is held already.
func (r *Roster) Check(signed *wire.SignedDirectory) (*directory.Directory, error) {
	d, err := r.network.Trust().Verify(signed)
	if err != nil {
		return nil, err
	}
	// A majority of the servers may be fewer than the threshold: they decide who
	// is a member, and not which key the tokens are made with.
	if d.Epoch != firstEpoch || d.Keys.Public != r.network.PublicKey || d.Keys.Threshold != r.network.Threshold {
		return nil, ErrKeys
	}
	have := r.now.Load()
	switch {
	case have == nil || d.Version > have.directory.Version:
		return d, nil
	case d.Version < have.directory.Version:
		return nil, fmt.Errorf("%w: version %d, held %d", ErrStale, d.Version, have.directory.Version)
	case string(signed.Directory) != string(have.signed.Directory):
		return nil, fmt.Errorf("%w: version %d", ErrForked, d.Version)
	}
	return nil, nil
}

// Set makes a checked directory the current one.
func (r *Roster) Set(d *directory.Directory, signed *wire.SignedDirectory) {
	r.now.Store(&held{directory: d, signed: signed})
}

// Role says what a peer is to this node: an active member, a registry server,
// or nobody.
func (r *Roster) Role(p wire.Peer) wire.Role {
	for _, s := range r.network.Servers {
		if s.Key == p {
			return wire.RegistryServer
		}
	}
	if d := r.Directory(); d != nil {
		if a, ok := d.AgencyOf(p); ok && a.Status == directory.Active {
			return wire.Member
		}
	}
	return wire.Nobody
}
