package centre

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// FoundingServer is one server to be.
type FoundingServer struct {
	Name      string
	Listen    []string // multiaddrs to listen on
	Addresses []string // where others dial it; Listen, if empty
}

func (s FoundingServer) check() error {
	for _, a := range append(append([]string{}, s.Listen...), s.Addresses...) {
		if err := link.ParseAddress(a); err != nil {
			return fmt.Errorf("server %s: %w", s.Name, err)
		}
	}
	if len(s.Listen) == 0 {
		return fmt.Errorf("server %s: no address to listen on", s.Name)
	}
	return nil
}

// The files of a founding, beside the servers' folders.
const (
	networkFile  = "network.toml"
	operatorsDir = "operators"
	operatorExt  = ".age"  // an operator's keys
	operatorKey  = ".key"  // and the key file that opens them
	cardExt      = ".toml" // and what others need to know
)

// Founding is a network to be: whose servers and operators, by their cards, and
// how many servers a token takes.
type Founding struct {
	Name      string
	Threshold int
	Servers   []ServerCard
	Operators []OperatorCard
}

// Found writes the founding document and the network file of it into dir. Both
// are public: the document goes into every server's folder, the network file to
// every operator. There is no token key yet: the servers make it among
// themselves when they first run, and no machine ever holds it.
func Found(dir string, f Founding) (network directory.Network, err error) {
	g := &wire.Genesis{Name: f.Name, Threshold: uint32(f.Threshold), Nonce: make([]byte, 32)}
	if _, err := rand.Read(g.Nonce); err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	for i, card := range f.Servers {
		m, err := card.Message()
		if err != nil {
			return network, fmt.Errorf("found network: server %q: %w", card.Name, err)
		}
		m.Index = uint32(i + 1)
		g.Servers = append(g.Servers, m)
	}
	for _, card := range f.Operators {
		m, err := card.Message()
		if err != nil {
			return network, fmt.Errorf("found network: operator %q: %w", card.Name, err)
		}
		g.Operators = append(g.Operators, m)
	}
	if network, err = writePublic(dir, g); err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	return network, nil
}

// writePublic checks the founding document, as every server will, and writes it
// and the network file.
func writePublic(dir string, g *wire.Genesis) (network directory.Network, err error) {
	foundation, err := registry.CheckGenesis(g)
	if err != nil {
		return network, err
	}
	document, err := wire.Marshal(g)
	if err != nil {
		return network, err
	}
	network = directory.Network{Name: foundation.Name, Genesis: foundation.Hash, Quorum: foundation.Trust().Quorum}
	for _, s := range foundation.Founders {
		network.Servers = append(network.Servers, directory.NetworkServer{Index: s.Index, Name: s.Name, Key: s.Key, Addresses: s.Addresses})
	}
	b, err := network.Encode()
	if err != nil {
		return network, err
	}
	// What operators could not read must not be handed out.
	if _, err := directory.ParseNetwork(b); err != nil {
		return network, fmt.Errorf("%s: %w", networkFile, err)
	}
	if err := writeFile(filepath.Join(dir, genesisFile), document, 0o644); err != nil {
		return network, err
	}
	return network, writeFile(filepath.Join(dir, networkFile), b, 0o644)
}

// Rehearsal is a network whose servers' and operators' keys are all made on one
// machine: for a demonstration, a test, or a centre that moves the folders to
// their machines afterwards.
type Rehearsal struct {
	Name      string
	Dir       string // made by Rehearse; must not be there, or be empty
	Servers   []FoundingServer
	Threshold int
	Operators []string // names, at least two, each with every role
}

// Rehearse makes a folder for each server, keys for each operator, and founds
// the network. The machine it runs on holds every server's identity at that
// moment, though never the token key. Everything appears at once or not at all.
func Rehearse(r Rehearsal) (network directory.Network, err error) {
	if err := emptyFolder(r.Dir); err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(filepath.Clean(r.Dir)), ".founding-*")
	if err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	defer func() {
		if rm := os.RemoveAll(work); rm != nil {
			err = errors.Join(err, fmt.Errorf("found network: %w", rm))
		}
	}()
	if network, err = r.write(work); err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	if err := os.Rename(work, r.Dir); err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	return network, syncDir(filepath.Dir(filepath.Clean(r.Dir)))
}

func (r Rehearsal) write(dir string) (network directory.Network, err error) {
	f := Founding{Name: r.Name, Threshold: r.Threshold}
	for i, s := range r.Servers {
		card, err := NewServer(serverDir(dir, i), s)
		if err != nil {
			return network, err
		}
		f.Servers = append(f.Servers, card)
	}
	operators := filepath.Join(dir, operatorsDir)
	if err := os.MkdirAll(operators, 0o700); err != nil {
		return network, err
	}
	for _, name := range r.Operators {
		lock, err := vault.NewKeyFile(filepath.Join(operators, name+operatorKey))
		if err != nil {
			return network, err
		}
		card, err := NewOperator(operators, name, registry.AllRoles, lock)
		if err != nil {
			return network, err
		}
		f.Operators = append(f.Operators, card)
	}
	if network, err = Found(dir, f); err != nil {
		return network, errors.Unwrap(err)
	}
	document, err := os.ReadFile(filepath.Join(dir, genesisFile))
	if err != nil {
		return network, err
	}
	for i := range r.Servers {
		if err := writeFile(filepath.Join(serverDir(dir, i), genesisFile), document, 0o600); err != nil {
			return network, err
		}
	}
	return network, nil
}

// serverDir is the folder of one server, by its position.
func serverDir(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("server-%d", i+1)) }

// emptyFolder reports an error where something is in a folder.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("folder %s is not empty; a new one is wanted", dir)
	}
	return nil
}

// newFolder makes a folder that is new or empty.
func newFolder(dir string) error {
	if err := emptyFolder(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o700)
}
