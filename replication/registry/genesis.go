package registry

import (
	"crypto/sha256"
	"fmt"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Approvals is how many different operators must sign what takes four eyes.
const Approvals = 2

// nonceSize makes two networks founded with the same words differ.
const nonceSize = 32

// Foundation is a founding document that was checked. It never changes. It
// holds no token key: the servers make the first among themselves.
type Foundation struct {
	Hash      directory.GenesisHash
	Name      string
	Threshold int                // of the first token key
	Founders  []directory.Server // the first servers, by index
	Operators []Operator         // the first operators

	document *wire.Genesis
}

// GenesisHash names the network that g founds.
func GenesisHash(g *wire.Genesis) (directory.GenesisHash, error) {
	b, err := wire.Marshal(g)
	if err != nil {
		return directory.GenesisHash{}, fmt.Errorf("encode genesis: %w", err)
	}
	return sha256.Sum256(b), nil
}

// CheckGenesis parses a founding document: servers numbered from 1 of which
// threshold can make a token, operators enough for every role that takes two,
// every key in one role.
func CheckGenesis(g *wire.Genesis) (*Foundation, error) {
	f := &Foundation{Name: g.GetName(), document: g, Threshold: int(g.GetThreshold())}
	if f.Name == "" || !oneLine(f.Name) || len(g.GetNonce()) != nonceSize {
		return nil, fmt.Errorf("genesis: the name must have 1 to %d bytes on one line, the nonce %d", directory.MaxText, nonceSize)
	}
	var err error
	if f.Hash, err = GenesisHash(g); err != nil {
		return nil, err
	}
	if f.Founders, err = directory.ServersOf(g.Servers); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if n := len(f.Founders); f.Threshold < 1 || f.Threshold > n {
		return nil, fmt.Errorf("genesis: threshold %d of %d servers", f.Threshold, n)
	}
	keys := make(map[wire.Peer]bool)
	for i, s := range f.Founders {
		if s.Index != oprf.Index(i+1) {
			return nil, fmt.Errorf("genesis: server %d is numbered %d", i+1, s.Index)
		}
		if len(s.Addresses) == 0 {
			return nil, fmt.Errorf("genesis: server %d has no addresses", i+1)
		}
		keys[s.Key] = true
	}
	for _, m := range g.Operators {
		o, err := operatorOf(m)
		if err != nil {
			return nil, fmt.Errorf("genesis: %w", err)
		}
		if keys[o.Key] || named(f.Operators, o.Name) {
			return nil, fmt.Errorf("genesis: operator %q: the name or the key is taken", o.Name)
		}
		keys[o.Key] = true
		f.Operators = append(f.Operators, o)
	}
	if err := enough(f.Operators); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return f, nil
}

// Document is the founding document itself; the caller must not change it.
func (f *Foundation) Document() *wire.Genesis { return f.document }

// Trust is whose endorsements count for the first directory.
func (f *Foundation) Trust() directory.Trust {
	t := directory.Trust{
		Genesis: f.Hash, Servers: make(map[oprf.Index]wire.Peer, len(f.Founders)),
		Quorum: max(directory.Majority(len(f.Founders)), f.Threshold),
	}
	for _, s := range f.Founders {
		t.Servers[s.Index] = s.Key
	}
	return t
}

// oneLine reports whether s can stand in one line of a terminal.
func oneLine(s string) bool {
	if len(s) > directory.MaxText {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return false
		}
	}
	return true
}
