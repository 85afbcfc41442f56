package directory

import (
	"errors"
	"fmt"

	"interlock/protocol/wire"
)

// Errors of a Chain.
var (
	ErrStale  = errors.New("directory older than the one held")
	ErrForked = errors.New("two signed directories of one version differ")
)

// Chain is what one who has pinned a network knows of it: the newest directory,
// and whose endorsements count for the next. It takes directories in the order
// of their versions, each endorsed by servers that the one before it names. It
// is a value: who holds one is not changed by what another takes.
type Chain struct {
	trust, before Trust // for the next directory, and for the one held
	held          *Directory
	signed        *wire.SignedDirectory
}

// NewChain trusts the servers that a network pins.
func NewChain(n Network) Chain { return FromTrust(n.Trust()) }

// FromTrust trusts these servers for the first directory.
func FromTrust(t Trust) Chain { return Chain{trust: t} }

// Resume returns the chain of somebody who took a directory before and has kept
// it where nobody else writes.
func Resume(signed *wire.SignedDirectory, genesis GenesisHash) (Chain, error) {
	d, err := Decode(signed.GetDirectory())
	if err != nil {
		return Chain{}, err
	}
	if d.Genesis != genesis {
		return Chain{}, ErrOtherNetwork
	}
	return Chain{trust: d.Trust(), before: d.Trust(), held: d, signed: signed}, nil
}

// Directory is the newest one, nil before the first.
func (c Chain) Directory() *Directory { return c.held }

// Signed is the newest directory as it was signed.
func (c Chain) Signed() *wire.SignedDirectory { return c.signed }

// Take returns the chain after a directory. One that is held already leaves it as
// it is, whoever sends it. Errors: ErrStale, ErrForked, those of Trust.Verify.
func (c Chain) Take(signed *wire.SignedDirectory) (next Chain, taken bool, err error) {
	if c.held != nil && string(signed.GetDirectory()) == string(c.signed.Directory) {
		return c, false, nil
	}
	d, err := c.trust.verify(signed, c.held)
	if errors.Is(err, ErrNotEndorsed) && c.held != nil {
		// A second directory of the version held is endorsed by those who were
		// trusted for the first.
		if other, was := c.before.verify(signed, c.held); was == nil && other.Version <= c.held.Version {
			d, err = other, nil
		}
	}
	switch {
	case err != nil:
		return c, false, err
	case c.held == nil || d.Version > c.held.Version:
		return Chain{trust: d.Trust(), before: c.trust, held: d, signed: signed}, true, nil
	case d.Version < c.held.Version:
		return c, false, fmt.Errorf("%w: version %d, held %d", ErrStale, d.Version, c.held.Version)
	}
	return c, false, fmt.Errorf("%w: version %d", ErrForked, d.Version)
}
