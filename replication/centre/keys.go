package centre

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// ServerCard is what others need to know of a server: it is made with the
// server's keys on the server's machine, and goes into the founding document, or
// into a motion that adds the server. It holds no secret.
type ServerCard struct {
	Name      string   `toml:"name"`
	Key       string   `toml:"key"`       // Ed25519, hexadecimal
	Recipient string   `toml:"recipient"` // age
	Addresses []string `toml:"addresses"` // multiaddrs where others dial it
}

// OperatorCard is what others need to know of an operator. It holds no secret.
type OperatorCard struct {
	Name  string   `toml:"name"`
	Key   string   `toml:"key"`   // Ed25519, hexadecimal
	Roles []string `toml:"roles"` // admission, operations, audit
}

// Message is the server as messages carry it, without a number.
func (c ServerCard) Message() (*wire.Server, error) {
	key, err := directory.ParseKey("key", c.Key)
	if err != nil {
		return nil, err
	}
	m := &wire.Server{Name: c.Name, Key: key[:], Addresses: c.Addresses, Recipient: c.Recipient}
	for _, a := range c.Addresses {
		if err := link.ParseAddress(a); err != nil {
			return nil, fmt.Errorf("addresses: %w", err)
		}
	}
	_, err = directory.ServerOf(m)
	return m, err
}

// Message is the operator as messages carry it.
func (c OperatorCard) Message() (*wire.Operator, error) {
	key, err := directory.ParseKey("key", c.Key)
	if err != nil {
		return nil, err
	}
	roles, err := registry.ParseRoles(c.Roles)
	if err != nil {
		return nil, err
	}
	return &wire.Operator{Name: c.Name, Key: key[:], Roles: uint32(roles)}, nil
}

// ReadCard reads a card of either kind from a file.
func ReadCard[C ServerCard | OperatorCard](path string) (c C, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read card: %w", err)
	}
	if err := settings.Decode(b, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// NewServer makes a server's folder with its keys, its configuration and its
// card. It can run when the founding document is put beside them.
func NewServer(dir string, s FoundingServer) (ServerCard, error) {
	c := Config{Listen: s.Listen, Unlock: unlockFile, dir: dir}
	if err := s.check(); err != nil {
		return ServerCard{}, err
	}
	if err := newFolder(dir); err != nil {
		return ServerCard{}, err
	}
	keys, err := newKeys(c.path(identityFile), c.path(unlockFile))
	if err != nil {
		return ServerCard{}, err
	}
	defer keys.Destroy()
	b, err := c.Encode()
	if err != nil {
		return ServerCard{}, err
	}
	if err := writeFile(c.path(configFile), b, 0o600); err != nil {
		return ServerCard{}, err
	}
	addresses := s.Addresses
	if len(addresses) == 0 {
		addresses = s.Listen
	}
	card := ServerCard{
		Name: s.Name, Key: wire.PeerOf(keys.Signing).Hex(), Recipient: keys.Age.Recipient().String(), Addresses: addresses,
	}
	if _, err := card.Message(); err != nil {
		return card, fmt.Errorf("server %s: %w", s.Name, err)
	}
	return card, writeCard(c.path(cardFile), card)
}

// NewOperator makes an operator's keys, sealed under a lock, and the card.
func NewOperator(dir, name string, roles registry.Role, lock vault.Lock) (OperatorCard, error) {
	if _, err := directory.ParseAgencyID(name); err != nil {
		return OperatorCard{}, fmt.Errorf("operator %q: want 2 to 32 lower-case letters, digits and inner hyphens", name)
	}
	keys, err := vault.GenerateKeys(rand.Reader)
	if err != nil {
		return OperatorCard{}, err
	}
	defer keys.Destroy()
	if err := keys.Save(filepath.Join(dir, name+operatorExt), lock); err != nil {
		return OperatorCard{}, err
	}
	card := OperatorCard{Name: name, Key: wire.PeerOf(keys.Signing).Hex(), Roles: roles.Names()}
	return card, writeCard(filepath.Join(dir, name+cardExt), card)
}

func writeCard(path string, card any) error {
	b, err := settings.Encode(card)
	if err != nil {
		return err
	}
	return writeFile(path, b, 0o644)
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
