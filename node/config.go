package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/protocol/link"
	"interlock/protocol/settings"
)

// Config is a node's configuration file, node.toml in its folder. Paths in it
// are relative to that folder.
type Config struct {
	// Agency is the agency's id in the network: 2 to 32 lower-case letters,
	// digits and inner hyphens.
	Agency string `toml:"agency"`
	// Name, Jurisdiction (ISO 3166-2) and Contact are what other agencies see
	// of it; Contact is the desk to call.
	Name         string `toml:"name"`
	Jurisdiction string `toml:"jurisdiction"`
	Contact      string `toml:"contact"`
	// Region is the country (ISO 3166-1, two letters) in which a telephone
	// number without a country code is read.
	Region string `toml:"region"`
	// Listen are the multiaddrs of this node; Addresses those at which other
	// members reach it, the same if empty.
	Listen    []string `toml:"listen"`
	Addresses []string `toml:"addresses"`
	// Network is the file that the invitation's pins were written to, and Unlock the
	// key file that opens identity.age; without it a passphrase is asked for.
	Network string `toml:"network"`
	Unlock  string `toml:"unlock,omitempty"`
	// Metrics is a loopback address and port at which this machine may read the node's
	// numbers, for example 127.0.0.1:9465; nowhere if left out.
	Metrics string `toml:"metrics,omitempty"`
	// Cache is how much of the store is kept in memory, MiB; 64 if left out. A node that
	// holds the tags of many members is faster with the filters over them in it: two
	// bytes for each entry of others, and for each identifier of its own and member.
	Cache int `toml:"cache,omitempty"`
	// Relay carries links between members that cannot dial each other; Relays are
	// members that do so for this node, as multiaddrs that end in /p2p and a peer ID:
	// for a node that others cannot dial.
	Relay  bool     `toml:"relay,omitempty"`
	Relays []string `toml:"relays,omitempty"`
	Web    Web      `toml:"web"`

	dir string
}

// Web is where the officers' pages are served.
type Web struct {
	// Listen is host:port; Certificate and Key (PEM files) serve TLS there.
	// Without them the pages are served in the clear, which is allowed on a
	// loopback address only, for a TLS proxy in front.
	Listen      string `toml:"listen"`
	Certificate string `toml:"certificate,omitempty"`
	Key         string `toml:"key,omitempty"`
	// Origin is what officers type: https://interlock.denver.example
	Origin string `toml:"origin"`
}

// LoadConfig reads dir/node.toml. An unknown key, and a value that cannot be
// used, is an error that names it.
func LoadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, configFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	c := Config{dir: dir}
	if err := settings.Decode(b, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// maxCache is the largest cache of the store, MiB.
const maxCache = 1 << 20

func (c Config) check() error {
	if _, err := directory.ParseAgencyID(c.Agency); err != nil {
		return fmt.Errorf("agency: %w", err)
	}
	if _, err := identifier.ParseRegion(c.Region); err != nil {
		return fmt.Errorf("region: want a country in two letters, for example US: %w", err)
	}
	if len(c.Listen) == 0 {
		return errors.New("listen: want at least one multiaddr, for example /ip4/0.0.0.0/tcp/4101")
	}
	for _, key := range []struct {
		name string
		list []string
	}{{"listen", c.Listen}, {"addresses", c.Addresses}} {
		for _, a := range key.list {
			if err := link.ParseAddress(a); err != nil {
				return fmt.Errorf("%s: %q is not a multiaddr such as /ip4/192.0.2.7/tcp/4101", key.name, a)
			}
		}
	}
	if len(c.Addresses) == 0 && slices.ContainsFunc(c.Listen, isAny) {
		return errors.New("addresses: this node listens on every address of its machine; say at which of them other members reach it, for example /dns4/interlock.denver.example/tcp/4101")
	}
	if c.Cache < 0 || c.Cache > maxCache {
		return fmt.Errorf("cache: want up to %d MiB", maxCache)
	}
	if c.Metrics != "" {
		if at, err := netip.ParseAddrPort(c.Metrics); err != nil || !at.Addr().IsLoopback() {
			return fmt.Errorf("metrics: %q: want a loopback address and a port, for example 127.0.0.1:9465", c.Metrics)
		}
	}
	if c.Network == "" {
		return errors.New("network: want the path of the network file that was made from the invitation")
	}
	return c.Web.check()
}

// isAny reports whether a multiaddr stands for every address of the machine.
func isAny(address string) bool {
	return strings.HasPrefix(address, "/ip4/0.0.0.0/") || strings.HasPrefix(address, "/ip6/::/")
}

func (w Web) check() error {
	host, _, err := net.SplitHostPort(w.Listen)
	if err != nil {
		return fmt.Errorf("web.listen: %q is not host:port, for example 127.0.0.1:8443", w.Listen)
	}
	u, err := url.Parse(w.Origin)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" {
		return fmt.Errorf("web.origin: %q is not what officers type, for example https://interlock.denver.example", w.Origin)
	}
	if (w.Certificate == "") != (w.Key == "") {
		return errors.New("web.certificate and web.key: want both or neither")
	}
	if ip, err := netip.ParseAddr(host); w.Certificate == "" && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return errors.New("web.listen: pages without web.certificate may be served on a loopback address only, behind a TLS proxy")
	}
	return nil
}

func (c Config) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

// agency is what this node says of itself, without its keys.
func (c Config) agency() directory.Agency {
	a := directory.Agency{
		ID: directory.AgencyID(c.Agency), Name: c.Name, Jurisdiction: c.Jurisdiction, Contact: c.Contact, Addresses: c.Addresses,
	}
	if len(a.Addresses) == 0 {
		a.Addresses = c.Listen
	}
	return a
}
