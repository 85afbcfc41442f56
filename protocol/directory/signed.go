package directory

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// Errors of Verify.
var (
	ErrNotEndorsed  = errors.New("directory not endorsed by a majority of the pinned servers")
	ErrOtherNetwork = errors.New("directory of another network")
)

// Trust is what a node pins at enrolment: which network, and whose
// endorsements count.
type Trust struct {
	Genesis GenesisHash
	Servers []wire.Peer // by index, the first is server 1
}

// Trust returns what a holder of d trusts for the versions after it.
func (d *Directory) Trust() Trust {
	t := Trust{Genesis: d.Genesis}
	for _, s := range d.Servers {
		t.Servers = append(t.Servers, s.Key)
	}
	return t
}

// Endorse is one server's signature over an encoded directory.
func Endorse(key ed25519.PrivateKey, encoded []byte) []byte {
	return vault.Sign(key, vault.ContextDirectory, encoded)
}

// Endorsed reports whether server index of t signed encoded.
func (t Trust) Endorsed(e *wire.Endorsement, encoded []byte) bool {
	if e.GetServer() < 1 || int(e.GetServer()) > len(t.Servers) {
		return false
	}
	return vault.Verify(t.Servers[e.Server-1].Key(), vault.ContextDirectory, encoded, e.Signature)
}

// Verify returns the directory in signed if a majority of t's servers endorsed
// it. Whether its version follows the one held is the caller's to decide.
func (t Trust) Verify(signed *wire.SignedDirectory) (*Directory, error) {
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
	if valid < Majority(len(t.Servers)) {
		return nil, fmt.Errorf("%w: %d of %d", ErrNotEndorsed, valid, len(t.Servers))
	}
	d, err := Decode(signed.Directory)
	if err != nil {
		return nil, err
	}
	if d.Genesis != t.Genesis {
		return nil, ErrOtherNetwork
	}
	return d, nil
}
