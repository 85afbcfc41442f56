package registry

import (
	"crypto/sha256"
	"fmt"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Approvals is how many different operators must approve an application: the
// four-eyes rule.
const Approvals = 2

// MaxOperators bounds the founding document.
const MaxOperators = 64

// nonceSize makes two networks founded with the same words differ.
const nonceSize = 32

// Operator is somebody at the centre who may decide.
type Operator struct {
	Name string
	Key  wire.Peer
}

// Foundation is a founding document that was checked. It never changes.
type Foundation struct {
	Hash      directory.GenesisHash
	Name      string
	Keys      oprf.KeySet
	Servers   []directory.Server // by index
	Operators []Operator         // as founded

	operators map[wire.Peer]string
	servers   map[wire.Peer]bool
	document  *wire.Genesis
}

// GenesisHash names the network that g founds.
func GenesisHash(g *wire.Genesis) (directory.GenesisHash, error) {
	b, err := wire.Marshal(g)
	if err != nil {
		return directory.GenesisHash{}, fmt.Errorf("encode genesis: %w", err)
	}
	return sha256.Sum256(b), nil
}

// CheckGenesis parses a founding document: servers numbered from 1 whose
// shares belong to one key, at least two operators, every key in one role.
func CheckGenesis(g *wire.Genesis) (*Foundation, error) {
	f := &Foundation{
		Name: g.GetName(), document: g,
		operators: make(map[wire.Peer]string), servers: make(map[wire.Peer]bool),
	}
	if f.Name == "" || !oneLine(f.Name) || len(g.GetNonce()) != nonceSize {
		return nil, fmt.Errorf("genesis: the name must have 1 to %d bytes on one line, the nonce %d", directory.MaxText, nonceSize)
	}
	var err error
	if f.Hash, err = GenesisHash(g); err != nil {
		return nil, err
	}
	if f.Servers, err = directory.ServersOf(g.Servers); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if f.Keys, err = directory.KeySetOf(g.Threshold, g.PublicKey, f.Servers); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	for _, s := range f.Servers {
		if f.servers[s.Key] || !vault.ValidPublicKey(s.Key.Key()) {
			return nil, fmt.Errorf("genesis: the key of server %d is not valid or not its own", s.Index)
		}
		f.servers[s.Key] = true
	}
	if err := f.addOperators(g.Operators); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return f, nil
}

func (f *Foundation) addOperators(list []*wire.Operator) error {
	if len(list) < Approvals || len(list) > MaxOperators {
		return fmt.Errorf("%d operators, want %d to %d: admission takes %d of them", len(list), Approvals, MaxOperators, Approvals)
	}
	names := make(map[string]bool, len(list))
	for _, m := range list {
		key, err := wire.ParsePeer(m.GetKey())
		if err != nil {
			return fmt.Errorf("operator %q: %w", m.GetName(), err)
		}
		if m.Name == "" || !oneLine(m.Name) || names[m.Name] {
			return fmt.Errorf("operator %q: the name is empty, too long or taken", m.Name)
		}
		if f.operators[key] != "" || f.servers[key] || !vault.ValidPublicKey(key.Key()) {
			return fmt.Errorf("operator %q: the key is not valid or not its own", m.Name)
		}
		names[m.Name], f.operators[key] = true, m.Name
		f.Operators = append(f.Operators, Operator{Name: m.Name, Key: key})
	}
	return nil
}

// Document is the founding document itself; the caller must not change it.
func (f *Foundation) Document() *wire.Genesis { return f.document }

// IsServer reports whether key is one of the network's own servers.
func (f *Foundation) IsServer(key wire.Peer) bool { return f.servers[key] }

// IsOperator reports whether key is an operator's.
func (f *Foundation) IsOperator(key wire.Peer) bool { return f.operators[key] != "" }

// OperatorName returns the name of the operator that holds key, or "".
func (f *Foundation) OperatorName(key wire.Peer) string { return f.operators[key] }

// Trust is what endorsements of this network's directories are checked against.
func (f *Foundation) Trust() directory.Trust {
	t := directory.Trust{Genesis: f.Hash}
	for _, s := range f.Servers {
		t.Servers = append(t.Servers, s.Key)
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
