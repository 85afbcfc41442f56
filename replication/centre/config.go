package centre

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"interlock/crypto/vault"
	"interlock/protocol/link"
	"interlock/protocol/settings"
)

// Config is a registry server's configuration file, registry.toml in its
// folder. Paths in it are relative to that folder, where everything else of
// the server lies too.
type Config struct {
	// Listen are the multiaddrs to listen on.
	Listen []string `toml:"listen" comment:"Where to listen: multiaddrs like /ip4/0.0.0.0/tcp/4001 and /ip4/0.0.0.0/udp/4001/quic-v1."`
	// Unlock is the key file that opens identity.age. It may lie elsewhere, on
	// a removable medium for example.
	Unlock string `toml:"unlock" comment:"The key file that opens identity.age; it may lie elsewhere."`
	// Metrics is where this machine may read how the server does, as in
	// 127.0.0.1:9464; empty for nowhere. It is a loopback address: what is
	// served there asks nobody who he is.
	Metrics string `toml:"metrics,omitempty" comment:"Where this machine may read metrics and health, for example 127.0.0.1:9464; nowhere if left out. From elsewhere: through a proxy or an SSH tunnel."`

	dir string
}

// The files of a server's folder.
const (
	configFile    = "registry.toml"
	genesisFile   = "genesis.pb"   // the founding document, the same on every server
	identityFile  = "identity.age" // this server's keys, sealed under the key file
	unlockFile    = "unlock.key"   // the key file, unless it is kept elsewhere
	sharesDir     = "shares"       // its shares of the token keys, each sealed to its identity
	cardFile      = "server.toml"  // what others need to know of this server
	directoryFile = "directory.pb" // the newest directory that was published
	raftDir       = "raft"         // what package cluster keeps
)

// Load reads a configuration file. An unknown key, and a value that cannot be
// used, is an error that names it and says what it should be.
func Load(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	c := Config{dir: filepath.Dir(path)}
	if err := settings.Decode(b, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c Config) check() error {
	if len(c.Listen) == 0 {
		return errors.New("listen: want at least one multiaddr, for example /ip4/0.0.0.0/tcp/4001")
	}
	for _, a := range c.Listen {
		if err := link.ParseAddress(a); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	if c.Unlock == "" {
		return fmt.Errorf("unlock: want the key file that opens %s, for example %s", identityFile, unlockFile)
	}
	return c.checkMetrics()
}

func (c Config) checkMetrics() error {
	if c.Metrics == "" {
		return nil
	}
	a, err := netip.ParseAddrPort(c.Metrics)
	if err != nil || !a.Addr().IsLoopback() {
		return fmt.Errorf("metrics: %q: want a loopback address and a port, for example 127.0.0.1:9464; let a proxy or an SSH tunnel lead there", c.Metrics)
	}
	return nil
}

// Encode returns the file.
func (c Config) Encode() ([]byte, error) { return settings.Encode(c) }

// path is a file in the server's folder.
func (c Config) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

// Lock opens the key file that the configuration names.
func (c Config) Lock() (vault.Lock, error) { return vault.KeyFile(c.path(c.Unlock)) }
