package membership

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
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
	id, err := vault.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	c := &centre{
		network: directory.Network{Name: "n", Quorum: 2},
		base:    directory.Directory{Policy: directory.FirstPolicy()},
	}
	for i := range 3 {
		at := []string{"/ip4/127.0.0.1/tcp/1"}
		index, name, peer := oprf.Index(i+1), fmt.Sprint(i), wire.PeerOf(key(byte(i+1)))
		c.base.Servers = append(c.base.Servers, directory.Server{Index: index, Name: name, Key: peer, Addresses: at, Recipient: id.Recipient()})
		c.network.Servers = append(c.network.Servers, directory.NetworkServer{Index: index, Name: name, Key: peer, Addresses: at})
	}
	for i, id2 := range []directory.AgencyID{"boulder-so", "denver-pd"} {
		c.base.Agencies = append(c.base.Agencies, directory.Agency{
			ID: id2, Name: "n", Jurisdiction: "j", Key: wire.PeerOf(key(byte(10 + i))), Recipient: id.Recipient(),
			Addresses: []string{"/ip4/127.0.0.1/tcp/2"}, Status: directory.Active,
		})
	}
	return c
}

// version is the network's directory at a version, with one thing changed, as
// two of its servers sign it.
func (c *centre) version(t *testing.T, n uint64, change func(*directory.Directory), by ...byte) *wire.SignedDirectory {
	t.Helper()
	d := c.base
	d.Version = n
	d.Agencies, d.Servers = slices.Clone(d.Agencies), slices.Clone(d.Servers)
	if change != nil {
		change(&d)
	}
	b, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(by) == 0 {
		by = []byte{1, 2}
	}
	s := &wire.SignedDirectory{Directory: b}
	for _, i := range by {
		s.Endorsements = append(s.Endorsements, &wire.Endorsement{Server: uint32(i), Signature: directory.Endorse(key(i), b)})
	}
	return s
}

func (c *centre) take(t *testing.T, r *Roster, s *wire.SignedDirectory) {
	t.Helper()
	chain, taken, err := r.Take(s)
	if err != nil || !taken {
		t.Fatalf("Take = %t, %v", taken, err)
	}
	r.Set(chain)
}

func TestAnOldOrForkedDirectoryIsRefused(t *testing.T) {
	c := newCentre(t)
	r := NewRoster(c.network)
	c.take(t, r, c.version(t, 3, nil))
	if _, _, err := r.Take(c.version(t, 2, nil)); !errors.Is(err, directory.ErrStale) {
		t.Errorf("an older version: %v, want %v", err, directory.ErrStale)
	}
	fork := c.version(t, 3, func(d *directory.Directory) { d.Agencies = d.Agencies[:1] })
	if _, _, err := r.Take(fork); !errors.Is(err, directory.ErrForked) {
		t.Errorf("another of the same version: %v, want %v", err, directory.ErrForked)
	}
	if _, taken, err := r.Take(c.version(t, 3, nil)); taken || err != nil {
		t.Errorf("the same again: taken %t, %v; want nothing", taken, err)
	}
	c.take(t, r, c.version(t, 4, nil))
	if got := r.Directory().Version; got != 4 {
		t.Errorf("version %d, want 4", got)
	}
}

// TestTheServersOfADirectoryAreAskedFromThenOn: a server that the directory
// adds has a role, is followed, and endorses what comes next; one that left
// has neither role nor voice.
func TestTheServersOfADirectoryAreAskedFromThenOn(t *testing.T) {
	c := newCentre(t)
	r := NewRoster(c.network)
	moved := func(d *directory.Directory) {
		fourth := d.Servers[0]
		fourth.Index, fourth.Key = 4, wire.PeerOf(key(4))
		d.Servers = append(d.Servers[1:], fourth)
	}
	c.take(t, r, c.version(t, 1, moved))
	if got := r.Role(wire.PeerOf(key(4))); got != wire.RegistryServer {
		t.Errorf("the new server's role is %d, want that of a registry server", got)
	}
	if got := r.Role(wire.PeerOf(key(1))); got != wire.Nobody {
		t.Errorf("the role of the server that left is %d, want none", got)
	}
	if got := r.Servers(); len(got) != 3 || got[2].Index != 4 {
		t.Errorf("servers asked: %v, want 2, 3 and 4", got)
	}
	if _, _, err := r.Take(c.version(t, 2, moved, 1, 2)); !errors.Is(err, directory.ErrNotEndorsed) {
		t.Errorf("endorsed by one that left: %v, want %v", err, directory.ErrNotEndorsed)
	}
	c.take(t, r, c.version(t, 2, moved, 2, 4))
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
