package directory

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"math"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// Errors of Verify.
var (
	ErrNotEndorsed  = errors.New("directory not endorsed by enough of the trusted servers")
	ErrOtherNetwork = errors.New("directory of another network")
)

// Trust is whose endorsements count: what a node pins at enrolment, and what it
// takes from each directory for those after it.
type Trust struct {
	Genesis GenesisHash
	Servers map[oprf.Index]wire.Peer
	Quorum  int // servers that must have endorsed
}

// Trust returns what a holder of d trusts for the versions after it.
func (d *Directory) Trust() Trust {
	t := Trust{Genesis: d.Genesis, Servers: make(map[oprf.Index]wire.Peer, len(d.Servers)), Quorum: d.Quorum()}
	for _, s := range d.Servers {
		t.Servers[s.Index] = s.Key
	}
	return t
}

// Equal reports whether the same endorsements count.
func (t Trust) Equal(u Trust) bool {
	return t.Genesis == u.Genesis && t.Quorum == u.Quorum && maps.Equal(t.Servers, u.Servers)
}

// Endorse is one server's signature over an encoded directory.
func Endorse(key ed25519.PrivateKey, encoded []byte) []byte {
	return vault.Sign(key, vault.ContextDirectory, encoded)
}

// Endorsed reports whether the server that e names signed encoded.
func (t Trust) Endorsed(e *wire.Endorsement, encoded []byte) bool {
	key, ok := t.Servers[oprf.Index(e.GetServer())]
	return ok && e.GetServer() <= math.MaxUint16 && vault.Verify(key.Key(), vault.ContextDirectory, encoded, e.Signature)
}

// Verify returns the directory in signed if enough of t's servers endorsed it.
// Whether its version follows the one held is the caller's to decide.
func (t Trust) Verify(signed *wire.SignedDirectory) (*Directory, error) { return t.verify(signed, nil) }

// verify is Verify for somebody who holds an earlier directory.
func (t Trust) verify(signed *wire.SignedDirectory, held *Directory) (*Directory, error) {
	if len(signed.GetEndorsements()) > MaxServers {
		return nil, fmt.Errorf("%w: %d endorsements", ErrMalformed, len(signed.Endorsements))
	}
	last, valid := uint32(0), 0
	for _, e := range signed.GetEndorsements() {
		if e.Server <= last {
			return nil, fmt.Errorf("%w: endorsements out of order", ErrMalformed)
		}
		last = e.Server
		if t.Endorsed(e, signed.Directory) {
			valid++
		}
	}
	if t.Quorum < 1 || valid < t.Quorum {
		return nil, fmt.Errorf("%w: %d of %d, want %d", ErrNotEndorsed, valid, len(t.Servers), t.Quorum)
	}
	d, err := decode(signed.Directory, held)
	if err != nil {
		return nil, err
	}
	if d.Genesis != t.Genesis {
		return nil, ErrOtherNetwork
	}
	return d, nil
}
