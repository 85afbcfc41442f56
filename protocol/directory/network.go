package directory

import (
	"encoding/hex"
	"fmt"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
)

// Network is what an agency pins before it knows anything else: which network
// it is, the servers of its registry, the token key, and a commitment to the
// federation secret. The operators hand it out as a file.
type Network struct {
	Name       string
	Genesis    GenesisHash
	PublicKey  oprf.PublicKey
	Threshold  int
	Federation token.Commitment
	Servers    []NetworkServer // by index, from 1
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
	Name       string              `toml:"name"`
	Genesis    string              `toml:"genesis"`
	PublicKey  string              `toml:"public_key"`
	Threshold  int                 `toml:"threshold"`
	Federation string              `toml:"federation"`
	Server     []networkServerFile `toml:"server"`
}

type networkServerFile struct {
	Index     uint16   `toml:"index"`
	Name      string   `toml:"name"`
	Key       string   `toml:"key"`
	Addresses []string `toml:"addresses"`
}

// Trust is whose endorsements count in this network.
func (n Network) Trust() Trust {
	t := Trust{Genesis: n.Genesis}
	for _, s := range n.Servers {
		t.Servers = append(t.Servers, s.Key)
	}
	return t
}

// Encode returns the network file.
func (n Network) Encode() ([]byte, error) {
	f := networkFile{
		Name: n.Name, Genesis: hex.EncodeToString(n.Genesis[:]), PublicKey: hex.EncodeToString(n.PublicKey[:]),
		Threshold: n.Threshold, Federation: hex.EncodeToString(n.Federation[:]),
	}
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
	n := Network{Name: f.Name}
	if n.Name == "" || !textFits(n.Name) {
		return Network{}, fmt.Errorf("name: want 1 to %d bytes", MaxText)
	}
	n.Threshold = f.Threshold
	for _, k := range []struct {
		name, text string
		into       *[32]byte
	}{
		{"genesis", f.Genesis, (*[32]byte)(&n.Genesis)},
		{"public_key", f.PublicKey, (*[32]byte)(&n.PublicKey)},
		{"federation", f.Federation, (*[32]byte)(&n.Federation)},
	} {
		v, err := hex32(k.name, k.text)
		if err != nil {
			return Network{}, err
		}
		*k.into = v
	}
	if len(f.Server) == 0 || len(f.Server) > MaxServers {
		return Network{}, fmt.Errorf("server: %d of them, want 1 to %d", len(f.Server), MaxServers)
	}
	if n.Threshold < 1 || n.Threshold > len(f.Server) {
		return Network{}, fmt.Errorf("threshold: %d of %d servers", n.Threshold, len(f.Server))
	}
	seen := map[wire.Peer]bool{}
	for i, s := range f.Server {
		key, err := hex32(fmt.Sprintf("server %d: key", i+1), s.Key)
		if err != nil {
			return Network{}, err
		}
		if int(s.Index) != i+1 || !textFits(s.Name) || len(s.Addresses) == 0 || !addressesFit(s.Addresses) || seen[key] {
			return Network{}, fmt.Errorf("server %d: index, name, addresses or key cannot be used", i+1)
		}
		seen[key] = true
		n.Servers = append(n.Servers, NetworkServer{Index: oprf.Index(s.Index), Name: s.Name, Key: key, Addresses: s.Addresses})
	}
	return n, nil
}

// hex32 reads 32 bytes in lower-case hexadecimal.
func hex32(name, s string) (out [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(out) || hex.EncodeToString(b) != s {
		return out, fmt.Errorf("%s: want 64 lower-case hexadecimal digits", name)
	}
	return [32]byte(b), nil
}
