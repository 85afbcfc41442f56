package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"interlock/crypto/vault"
	"interlock/node/membership"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
)

// Init makes a node's folder: node.toml, and identity.age with new keys sealed
// under lock. It refuses a folder that has either.
func Init(dir string, c Config, lock vault.Lock) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the node's folder: %w", err)
	}
	b, err := settings.Encode(c)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "node.toml"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(fmt.Errorf("write configuration: %w", err), f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	keys, err := vault.GenerateKeys(rand.Reader)
	if err != nil {
		return err
	}
	defer keys.Destroy()
	return keys.Save(filepath.Join(dir, identityFile), lock)
}

// Applied is the answer to an application.
type Applied struct {
	Status      directory.Status
	Refusal     string
	Fingerprint string // of the agency's keys, to compare with the operators over the telephone
}

// Enrol applies for admission to the network in the configuration. Applying
// again, also with changed data, replaces an application that is pending.
func Enrol(ctx context.Context, c Config, unlock vault.Lock, log *slog.Logger) (Applied, error) {
	keys, err := vault.LoadKeys(c.path(identityFile), unlock)
	if err != nil {
		return Applied{}, fmt.Errorf("open %s: %w", identityFile, err)
	}
	defer keys.Destroy()
	network, err := loadNetwork(c)
	if err != nil {
		return Applied{}, err
	}
	host, err := link.New(link.Options{Key: keys.Signing, Roles: membership.NewRoster(network).Role, Log: log})
	if err != nil {
		return Applied{}, err
	}
	for _, s := range network.Servers {
		err = errors.Join(err, host.SetAddresses(s.Key, s.Addresses))
	}
	if err != nil {
		return Applied{}, errors.Join(err, host.Close())
	}
	a := c.agency()
	a.Key, a.Recipient = wire.PeerOf(keys.Signing), keys.Age.Recipient()
	if err := a.CheckText(); err != nil {
		return Applied{}, errors.Join(err, host.Close())
	}
	signed, err := directory.SignApplication(keys.Signing, network.Genesis, a, uint64(time.Now().Unix()))
	if err != nil {
		return Applied{}, errors.Join(err, host.Close())
	}
	st, err := membership.Ask(ctx, host, network, signed, keys.Age)
	out := Applied{Status: st.Status, Refusal: st.Refusal, Fingerprint: vault.Fingerprint(a.Key.Key(), a.Recipient)}
	return out, errors.Join(err, host.Close())
}
