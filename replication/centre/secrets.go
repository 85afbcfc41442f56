package centre

import (
	"errors"
	"fmt"
	"os"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// ErrWrongShare says that a share does not belong to this server in this
// network.
var ErrWrongShare = errors.New("the share is not this server's in this network")

// secretLimit bounds what a sealed share or secret may open to.
const secretLimit = 1 << 10

// secrets is everything that a server opens when it starts.
type secrets struct {
	keys       *vault.Keys
	genesis    *wire.Genesis
	foundation *registry.Foundation
	share      *oprf.Share
	federation token.Secret
}

// open reads a server's folder and checks that all of it belongs together.
func (c Config) open(lock vault.Lock) (s *secrets, err error) {
	s = &secrets{}
	defer func() {
		if err != nil {
			s.destroy()
		}
	}()
	if s.genesis, err = readGenesis(c.path(genesisFile)); err != nil {
		return s, err
	}
	if s.foundation, err = registry.CheckGenesis(s.genesis); err != nil {
		return s, fmt.Errorf("%s: %w", genesisFile, err)
	}
	if int(c.Server) > len(s.foundation.Servers) {
		return s, fmt.Errorf("server: %d in %s, which has %d servers", c.Server, configFile, len(s.foundation.Servers))
	}
	if s.keys, err = vault.LoadKeys(c.path(identityFile), lock); err != nil {
		return s, err
	}
	self := s.foundation.Servers[c.Server-1]
	if wire.PeerOf(s.keys.Signing) != self.Key || s.keys.Age.Recipient() != self.Recipient {
		return s, fmt.Errorf("%s: these are not the keys of server %d", identityFile, c.Server)
	}
	if s.share, err = s.openShare(c.path(shareFile), self.Share); err != nil {
		return s, fmt.Errorf("%s: %w", shareFile, err)
	}
	secret, err := s.openSealed(c.path(federationFile))
	defer clear(secret)
	if err != nil {
		return s, fmt.Errorf("%s: %w", federationFile, err)
	}
	if len(secret) != len(s.federation) {
		return s, fmt.Errorf("%s: %d bytes, want %d", federationFile, len(secret), len(s.federation))
	}
	copy(s.federation[:], secret)
	return s, nil
}

func (s *secrets) openSealed(path string) ([]byte, error) {
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return s.keys.Age.Open(sealed, secretLimit)
}

// openShare opens the share and compares it with its public key in the
// founding document.
func (s *secrets) openShare(path string, want oprf.PublicShare) (*oprf.Share, error) {
	b, err := s.openSealed(path)
	defer clear(b)
	if err != nil {
		return nil, err
	}
	share, err := oprf.ParseShare(b)
	if err != nil {
		return nil, err
	}
	if share.Public() != want {
		share.Destroy()
		return nil, ErrWrongShare
	}
	return share, nil
}

// destroy erases what was opened.
func (s *secrets) destroy() {
	if s.share != nil {
		s.share.Destroy()
	}
	if s.keys != nil {
		s.keys.Destroy()
	}
	clear(s.federation[:])
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
