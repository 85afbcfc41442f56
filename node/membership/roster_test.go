package membership

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

func key(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

// centre signs directories of one network.
type centre struct {
	network directory.Network
	base    directory.Directory
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	keys, shares, err := oprf.Deal(rand.Reader, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	id, err := vault.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	c := &centre{network: directory.Network{Name: "n", PublicKey: keys.Public, Threshold: 2}, base: directory.Directory{Epoch: 1, Keys: keys}}
	for i, s := range shares {
		at := []string{"/ip4/127.0.0.1/tcp/1"}
		c.base.Servers = append(c.base.Servers, directory.Server{
			Index: s.Index(), Name: fmt.Sprint(i), Key: wire.PeerOf(key(byte(i + 1))), Addresses: at, Recipient: id.Recipient(), Share: s.Public(),
		})
		c.network.Servers = append(c.network.Servers, directory.NetworkServer{Index: s.Index(), Name: fmt.Sprint(i), Key: wire.PeerOf(key(byte(i + 1))), Addresses: at})
	}
	for i, id2 := range []directory.AgencyID{"boulder-so", "denver-pd"} {
		c.base.Agencies = append(c.base.Agencies, directory.Agency{
			ID: id2, Name: "n", Jurisdiction: "j", Key: wire.PeerOf(key(byte(10 + i))), Recipient: id.Recipient(),
			Addresses: []string{"/ip4/127.0.0.1/tcp/2"}, Status: directory.Active,
		})
	}
	return c
}

// version is the network's directory at a version, with one thing changed.
func (c *centre) version(t *testing.T, n uint64, change func(*directory.Directory)) *wire.SignedDirectory {
	t.Helper()
	d := c.base
	d.Version = n
	d.Agencies = append([]directory.Agency{}, d.Agencies...)
	if change != nil {
		change(&d)
	}
	b, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s := &wire.SignedDirectory{Directory: b}
	for i := byte(1); i <= 2; i++ {
		s.Endorsements = append(s.Endorsements, &wire.Endorsement{Server: uint32(i), Signature: directory.Endorse(key(i), b)})
	}
	return s
}

func (c *centre) take(t *testing.T, r *Roster, s *wire.SignedDirectory) {
	t.Helper()
	d, err := r.Check(s)
	if err != nil || d == nil {
		t.Fatalf("Check = %v, %v", d, err)
	}
	r.Set(d, s)
}

func TestAnOldOrForkedDirectoryIsRefused(t *testing.T) {
	c := newCentre(t)
	r := NewRoster(c.network)
	c.take(t, r, c.version(t, 3, nil))
	if _, err := r.Check(c.version(t, 2, nil)); !errors.Is(err, ErrStale) {
		t.Errorf("an older version: %v, want %v", err, ErrStale)
	}
	fork := c.version(t, 3, func(d *directory.Directory) { d.Agencies = d.Agencies[:1] })
	if _, err := r.Check(fork); !errors.Is(err, ErrForked) {
		t.Errorf("another of the same version: %v, want %v", err, ErrForked)
	}
	if d, err := r.Check(c.version(t, 3, nil)); d != nil || err != nil {
		t.Errorf("the same again: %v, %v; want nothing", d, err)
	}
	c.take(t, r, c.version(t, 4, nil))
	if got := r.Directory().Version; got != 4 {
		t.Errorf("version %d, want 4", got)
	}
}

func TestAMajorityCannotReplaceTheTokenKey(t *testing.T) {
	c, other := newCentre(t), newCentre(t)
	r := NewRoster(c.network)
	for name, change := range map[string]func(*directory.Directory){
		"another key":   func(d *directory.Directory) { d.Keys, d.Servers = other.base.Keys, other.base.Servers },
		"another epoch": func(d *directory.Directory) { d.Epoch = 2 },
	} {
		if _, err := r.Check(c.version(t, 5, change)); !errors.Is(err, ErrKeys) {
			t.Errorf("%s: %v, want %v", name, err, ErrKeys)
		}
	}
}

func TestOnlyActiveMembersAndServersHaveARole(t *testing.T) {
	c := newCentre(t)
	r := NewRoster(c.network)
	boulder, server, stranger := wire.PeerOf(key(10)), wire.PeerOf(key(1)), wire.PeerOf(key(99))
	role := func(p wire.Peer, want wire.Role) {
		t.Helper()
		if got := r.Role(p); got != want {
			t.Errorf("role of %s is %d, want %d", p, got, want)
		}
	}
	role(server, wire.RegistryServer)
	role(boulder, wire.Nobody)
	c.take(t, r, c.version(t, 1, nil))
	role(boulder, wire.Member)
	role(stranger, wire.Nobody)
	c.take(t, r, c.version(t, 2, func(d *directory.Directory) { d.Agencies[0].Status = directory.Suspended }))
	role(boulder, wire.Nobody)
	c.take(t, r, c.version(t, 3, func(d *directory.Directory) { d.Agencies = d.Agencies[1:] }))
	role(boulder, wire.Nobody)
	role(server, wire.RegistryServer)
}
