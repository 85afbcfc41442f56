package directory

import (
	"encoding/hex"
	"fmt"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
)

// Network is what an agency pins before it knows anything else: which network
// it is, the servers of its registry, and how many of them must agree. An
// invitation carries it; everything after it follows by the chain of signatures.
type Network struct {
	Name    string
	Genesis GenesisHash
	Quorum  int             // servers that must have signed a directory
	Servers []NetworkServer // by index
}

// NetworkServer is one registry server as the network file names it.
type NetworkServer struct {
	Index     oprf.Index
	Name      string
	Key       wire.Peer
	Addresses []string
}

// networkFile is the file's TOML.
type networkFile struct {
	Name    string              `toml:"name"`
	Genesis string              `toml:"genesis"`
	Quorum  int                 `toml:"quorum"`
	Server  []networkServerFile `toml:"server"`
}

type networkServerFile struct {
	Index     uint16   `toml:"index"`
	Name      string   `toml:"name"`
	Key       string   `toml:"key"`
	Addresses []string `toml:"addresses"`
}

// Trust is whose endorsements count in this network.
func (n Network) Trust() Trust {
	t := Trust{Genesis: n.Genesis, Quorum: n.Quorum, Servers: make(map[oprf.Index]wire.Peer, len(n.Servers))}
	for _, s := range n.Servers {
		t.Servers[s.Index] = s.Key
	}
	return t
}

// Network is what to pin for whoever enrols at this version.
func (d *Directory) Network(name string) Network {
	n := Network{Name: name, Genesis: d.Genesis, Quorum: d.Quorum()}
	for _, s := range d.Servers {
		n.Servers = append(n.Servers, NetworkServer{Index: s.Index, Name: s.Name, Key: s.Key, Addresses: s.Addresses})
	}
	return n
}

// Encode returns the network file.
func (n Network) Encode() ([]byte, error) {
	f := networkFile{Name: n.Name, Genesis: hex.EncodeToString(n.Genesis[:]), Quorum: n.Quorum}
	for _, s := range n.Servers {
		f.Server = append(f.Server, networkServerFile{
			Index: uint16(s.Index), Name: s.Name, Key: hex.EncodeToString(s.Key[:]), Addresses: s.Addresses,
		})
	}
	return settings.Encode(f)
}

// ParseNetwork reads a network file. An unknown key is an error that names it.
func ParseNetwork(b []byte) (Network, error) {
	var f networkFile
	if err := settings.Decode(b, &f); err != nil {
		return Network{}, err
	}
	n := Network{Name: f.Name, Quorum: f.Quorum}
	genesis, err := ParseKey("genesis", f.Genesis)
	if err != nil {
		return Network{}, err
	}
	n.Genesis = genesis
	for i, s := range f.Server {
		key, err := ParseKey(fmt.Sprintf("server %d: key", i+1), s.Key)
		if err != nil {
			return Network{}, err
		}
		n.Servers = append(n.Servers, NetworkServer{Index: oprf.Index(s.Index), Name: s.Name, Key: key, Addresses: s.Addresses})
	}
	return n, n.Check()
}

// Check reports what cannot be used in a network that was read from outside.
func (n Network) Check() error {
	if n.Name == "" || !textFits(n.Name) {
		return fmt.Errorf("name: want 1 to %d bytes", MaxText)
	}
	if len(n.Servers) == 0 || len(n.Servers) > MaxServers {
		return fmt.Errorf("server: %d of them, want 1 to %d", len(n.Servers), MaxServers)
	}
	if n.Quorum < Majority(len(n.Servers)) || n.Quorum > len(n.Servers) {
		return fmt.Errorf("quorum: %d of %d servers, want a majority at least", n.Quorum, len(n.Servers))
	}
	seen, last := map[wire.Peer]bool{}, oprf.Index(0)
	for i, s := range n.Servers {
		if s.Index <= last || s.Name == "" || !textFits(s.Name) || len(s.Addresses) == 0 || !addressesFit(s.Addresses) {
			return fmt.Errorf("server %d: index, name or addresses cannot be used", i+1)
		}
		if seen[s.Key] || !vault.ValidPublicKey(s.Key.Key()) {
			return fmt.Errorf("server %d: key cannot be used, or is another server's", i+1)
		}
		seen[s.Key], last = true, s.Index
	}
	return nil
}

// ParseKey reads 32 bytes in lower-case hexadecimal; name is for the error.
func ParseKey(name, s string) (out [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(out) || hex.EncodeToString(b) != s {
		return out, fmt.Errorf("%s: want 64 lower-case hexadecimal digits", name)
	}
	return [32]byte(b), nil
}
