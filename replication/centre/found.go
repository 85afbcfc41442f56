package centre

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// Founding is what a network is founded with.
type Founding struct {
	Name      string
	Dir       string // made by Found; must not be there, or be empty
	Servers   []FoundingServer
	Threshold int      // how many servers a token takes
	Operators []string // names, at least two; also the names of their key files
}

// FoundingServer is one server to be.
type FoundingServer struct {
	Name      string
	Listen    []string // multiaddrs to listen on
	Addresses []string // where others dial it; Listen, if empty
}

// The files of the founding folder, beside the servers' folders.
const (
	networkFile  = "network.toml"
	operatorsDir = "operators"
	operatorExt  = ".age" // an operator's keys
	operatorKey  = ".key" // and the key file that opens them
)

// Found makes a network: a folder for each server, to be moved to its
// machine; a key pair for each operator, to be handed over; and the public
// network file, which agencies pin.
//
// Found deals the shares of the token key, and makes every other key too. So
// whoever runs it, and the machine it runs on, must be trusted at that moment:
// they could keep the key, and with it test guesses against the members' tags.
// Nothing is kept that is not sealed to the server it is for, and what was
// dealt is erased from memory. Run it on a machine without a network, move
// the folders, and erase them there.
func Found(f Founding) (network directory.Network, err error) {
	if err := f.check(); err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	// Everything appears at once or not at all.
	work, err := os.MkdirTemp(filepath.Dir(filepath.Clean(f.Dir)), ".founding-*")
	if err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	defer func() {
		if rm := os.RemoveAll(work); rm != nil {
			err = errors.Join(err, fmt.Errorf("found network: %w", rm))
		}
	}()
	if network, err = f.write(work); err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	if err := os.Rename(work, f.Dir); err != nil {
		return network, fmt.Errorf("found network: %w", err)
	}
	return network, syncDir(filepath.Dir(filepath.Clean(f.Dir)))
}

func (f Founding) check() error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("folder %s is not empty; a network is founded into a new one", f.Dir)
	}
	for i, s := range f.Servers {
		for _, a := range append(append([]string{}, s.Listen...), s.Addresses...) {
			if err := link.ParseAddress(a); err != nil {
				return fmt.Errorf("server %d: %w", i+1, err)
			}
		}
		if len(s.Listen) == 0 {
			return fmt.Errorf("server %d: no address to listen on", i+1)
		}
	}
	for _, name := range f.Operators {
		if _, err := directory.ParseAgencyID(name); err != nil {
			return fmt.Errorf("operator %q: want 2 to 32 lower-case letters, digits and inner hyphens", name)
		}
	}
	return nil
}

// write founds the network into dir.
func (f Founding) write(dir string) (network directory.Network, err error) {
	keys, shares, err := oprf.Deal(rand.Reader, f.Threshold, len(f.Servers))
	if err != nil {
		return network, err
	}
	var federation token.Secret
	defer func() {
		clear(federation[:])
		for _, s := range shares {
			s.Destroy()
		}
	}()
	g := &wire.Genesis{Name: f.Name, Threshold: uint32(f.Threshold), PublicKey: keys.Public[:], Nonce: make([]byte, 32)}
	if _, err := rand.Read(federation[:]); err != nil {
		return network, err
	}
	if _, err := rand.Read(g.Nonce); err != nil {
		return network, err
	}
	for i := range f.Servers {
		m, err := f.writeServer(dir, i, shares[i], federation)
		if err != nil {
			return network, fmt.Errorf("server %d: %w", i+1, err)
		}
		g.Servers = append(g.Servers, m)
	}
	for _, name := range f.Operators {
		m, err := writeOperator(filepath.Join(dir, operatorsDir), name)
		if err != nil {
			return network, fmt.Errorf("operator %s: %w", name, err)
		}
		g.Operators = append(g.Operators, m)
	}
	return f.writePublic(dir, g, federation.Commit())
}

// serverDir is the folder of one server, by its position.
func serverDir(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("server-%d", i+1)) }

// writeServer makes a server's folder, all but the founding document.
func (f Founding) writeServer(dir string, i int, share *oprf.Share, federation token.Secret) (*wire.Server, error) {
	s := f.Servers[i]
	c := Config{Server: uint16(i + 1), Listen: s.Listen, Unlock: unlockFile, dir: serverDir(dir, i)}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	keys, err := newKeys(c.path(identityFile), c.path(unlockFile))
	if err != nil {
		return nil, err
	}
	defer keys.Destroy()
	secret, err := share.MarshalBinary()
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	if err := writeSealedTo(keys.Age.Recipient(), c.path(shareFile), secret); err != nil {
		return nil, err
	}
	if err := writeSealedTo(keys.Age.Recipient(), c.path(federationFile), federation[:]); err != nil {
		return nil, err
	}
	b, err := c.Encode()
	if err != nil {
		return nil, err
	}
	addresses := s.Addresses
	if len(addresses) == 0 {
		addresses = s.Listen
	}
	key, public := wire.PeerOf(keys.Signing), share.Public()
	return &wire.Server{
		Index: uint32(i + 1), Name: s.Name, Key: key[:], Addresses: addresses,
		Recipient: keys.Age.Recipient().String(), PublicShare: public.Key[:],
	}, writeFile(c.path(configFile), b, 0o600)
}

func writeOperator(dir, name string) (*wire.Operator, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name)
	keys, err := newKeys(path+operatorExt, path+operatorKey)
	if err != nil {
		return nil, err
	}
	defer keys.Destroy()
	key := wire.PeerOf(keys.Signing)
	return &wire.Operator{Name: name, Key: key[:]}, nil
}

// writePublic checks the founding document, as every server will, and writes
// it and the network file.
func (f Founding) writePublic(dir string, g *wire.Genesis, commitment token.Commitment) (network directory.Network, err error) {
	foundation, err := registry.CheckGenesis(g)
	if err != nil {
		return network, err
	}
	document, err := wire.Marshal(g)
	if err != nil {
		return network, err
	}
	network = directory.Network{
		Name: f.Name, Genesis: foundation.Hash, PublicKey: oprf.PublicKey(g.PublicKey), Threshold: f.Threshold, Federation: commitment,
	}
	for i, s := range foundation.Servers {
		network.Servers = append(network.Servers, directory.NetworkServer{Index: s.Index, Name: s.Name, Key: s.Key, Addresses: s.Addresses})
		if err := writeFile(filepath.Join(serverDir(dir, i), genesisFile), document, 0o600); err != nil {
			return network, err
		}
	}
	b, err := network.Encode()
	if err != nil {
		return network, err
	}
	// What agencies could not read must not be handed out.
	if _, err := directory.ParseNetwork(b); err != nil {
		return network, fmt.Errorf("%s: %w", networkFile, err)
	}
	return network, writeFile(filepath.Join(dir, networkFile), b, 0o644)
}

// newKeys makes keys and the key file that opens them.
func newKeys(path, unlock string) (*vault.Keys, error) {
	keys, err := vault.GenerateKeys(rand.Reader)
	if err != nil {
		return nil, err
	}
	lock, err := vault.NewKeyFile(unlock)
	if err == nil {
		err = keys.Save(path, lock)
	}
	if err != nil {
		keys.Destroy()
		return nil, err
	}
	return keys, nil
}

func writeSealedTo(r vault.Recipient, path string, secret []byte) error {
	sealed, err := r.Seal(secret)
	if err != nil {
		return err
	}
	return writeFile(path, sealed, 0o600)
}
