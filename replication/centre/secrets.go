package centre

import (
	"fmt"
	"os"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// secretLimit bounds what a sealed file may open to.
const secretLimit = 8 << 10

// secrets is what a server opens when it starts, besides its shares.
type secrets struct {
	keys       *vault.Keys
	genesis    *wire.Genesis
	foundation *registry.Foundation
}

// open reads a server's folder and checks that all of it belongs together.
func (c Config) open(lock vault.Lock) (s *secrets, err error) {
	s = &secrets{}
	if s.genesis, err = readGenesis(c.path(genesisFile)); err != nil {
		return s, err
	}
	if s.foundation, err = registry.CheckGenesis(s.genesis); err != nil {
		return s, fmt.Errorf("%s: %w", genesisFile, err)
	}
	s.keys, err = vault.LoadKeys(c.path(identityFile), lock)
	return s, err
}

// destroy erases what was opened.
func (s *secrets) destroy() {
	if s.keys != nil {
		s.keys.Destroy()
	}
}

func readGenesis(path string) (*wire.Genesis, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read founding document: %w", err)
	}
	g := &wire.Genesis{}
	if err := wire.Unmarshal(b, g); err != nil {
		return nil, fmt.Errorf("%s: %w", genesisFile, err)
	}
	return g, nil
}
