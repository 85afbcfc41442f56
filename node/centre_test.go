package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/exchange"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/protocol/invitation"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// centre is a registry of one server as nodes see it: real links, a real token
// key, a signed directory. It admits whoever the test says.
type centre struct {
	t      *testing.T
	key    ed25519.PrivateKey
	host   *link.Host
	server directory.Server

	mu           sync.Mutex // owns what follows
	dir          directory.Directory
	signed       *wire.SignedDirectory
	changed      chan struct{}
	shares       map[token.Epoch]*oprf.Share
	secrets      map[token.Epoch]token.Secret
	withheld     bool // of secrets
	deaf         bool // to evidence
	applications map[wire.Peer]*wire.Application
	evidence     []*wire.Evidence
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	id, err := vault.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	c := &centre{
		t: t, key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)), changed: make(chan struct{}),
		shares: map[token.Epoch]*oprf.Share{}, secrets: map[token.Epoch]token.Secret{}, applications: map[wire.Peer]*wire.Application{},
	}
	if c.host, err = link.New(link.Options{Key: c.key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Roles: c.role, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.host.Close(); err != nil {
			t.Error(err)
		}
	})
	c.server = directory.Server{Index: 1, Name: "one", Key: c.host.Peer(), Addresses: c.host.Addresses(), Recipient: id.Recipient()}
	c.dir = directory.Directory{Genesis: directory.GenesisHash{5}, Servers: []directory.Server{c.server}, Policy: directory.FirstPolicy()}
	c.host.Handle(wire.ProtocolAdmission, c.admission)
	c.host.Handle(wire.ProtocolDirectory, c.follow)
	c.host.Handle(wire.ProtocolEvaluate, c.evaluate)
	c.host.Handle(wire.ProtocolEvidence, c.convict)
	c.newEpoch(1)
	return c
}

func (c *centre) role(p wire.Peer) wire.Role {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.dir.AgencyOf(p); ok && a.Status == directory.Active {
		return wire.Member
	}
	return wire.Applicant
}

// change makes and signs the next version.
func (c *centre) change(do func(*directory.Directory)) {
	c.t.Helper()
	c.mu.Lock()
	c.dir.Agencies, c.dir.Epochs = slices.Clone(c.dir.Agencies), slices.Clone(c.dir.Epochs)
	do(&c.dir)
	c.dir.Version++
	b, err := c.dir.Encode()
	if err != nil {
		c.t.Fatal(err)
	}
	c.signed = &wire.SignedDirectory{Directory: b, Endorsements: []*wire.Endorsement{{Server: 1, Signature: directory.Endorse(c.key, b)}}}
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	c.host.Review()
}

// newEpoch brings a new token key into force.
func (c *centre) newEpoch(e token.Epoch) {
	c.t.Helper()
	keys, shares, err := oprf.Deal(rand.Reader, 1, 1)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.shares[e], c.secrets[e] = shares[0], token.Secret{byte(e), 1}
	commitment := c.secrets[e].Commit()
	c.mu.Unlock()
	c.change(func(d *directory.Directory) {
		for i := range d.Epochs {
			d.Epochs[i].Retiring = true
		}
		d.Epochs = append(d.Epochs, directory.KeyEpoch{Epoch: e, Generation: 1, Keys: keys, Federation: commitment})
	})
}

// retire ends the oldest epoch.
func (c *centre) retire() {
	c.t.Helper()
	c.change(func(d *directory.Directory) { d.Epochs = d.Epochs[1:] })
}

func (c *centre) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// approves makes an agency what it last applied for.
func (c *centre) approves(id directory.AgencyID) {
	c.t.Helper()
	var approved directory.Agency
	c.mu.Lock()
	for key, m := range c.applications {
		if m.Id != string(id) {
			continue
		}
		a, _, err := directory.CheckApplication(m, c.dir.Genesis)
		if err != nil {
			c.t.Errorf("application of %s: %v", id, err)
		}
		if was, ok := c.dir.Agency(id); ok && was.Key != a.Key && (string(m.Replaces) != string(was.Key[:]) || len(m.Replaced)+len(m.Invited) == 0) {
			c.t.Errorf("application of %s does not replace the key that it has, with leave", id)
		}
		approved = a
		delete(c.applications, key)
	}
	c.mu.Unlock()
	if approved.ID != id {
		c.t.Fatalf("%s has not applied", id)
	}
	approved.Status = directory.Active
	c.change(func(d *directory.Directory) {
		d.Agencies = slices.DeleteFunc(d.Agencies, func(a directory.Agency) bool { return a.ID == id })
		d.Agencies = append(d.Agencies, approved)
		slices.SortFunc(d.Agencies, func(a, b directory.Agency) int { return strings.Compare(string(a.ID), string(b.ID)) })
	})
}

func (c *centre) admission(_ context.Context, s *link.Stream) error {
	var request wire.AdmissionRequest
	if err := s.Receive(&request); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if request.Application != nil {
		c.applications[s.Peer()] = request.Application
	}
	a, member := c.dir.AgencyOf(s.Peer())
	resp := &wire.AdmissionResponse{Status: uint32(a.Status)}
	if _, waits := c.applications[s.Peer()]; waits && !member {
		resp.Status = uint32(directory.Pending)
	}
	if a.Status == directory.Active {
		resp.Directory = c.signed
		for e, secret := range c.secrets {
			if c.withheld && e > 1 {
				continue
			}
			sealed, err := a.Recipient.Seal(secret[:])
			if err != nil {
				return err
			}
			resp.Secrets = append(resp.Secrets, &wire.EpochSecret{Epoch: uint32(e), Sealed: sealed})
		}
	}
	return s.Send(resp)
}

func (c *centre) follow(ctx context.Context, s *link.Stream) error {
	var word wire.FollowDirectory
	if err := s.Receive(&word); err != nil {
		return err
	}
	var last *wire.SignedDirectory
	for have := word.Version; ; {
		c.mu.Lock()
		signed, version, changed := c.signed, c.dir.Version, c.changed
		c.mu.Unlock()
		update := &wire.DirectoryUpdate{}
		if version > have || last != nil && last != signed {
			update.Signed, have = signed, version
		}
		last = signed
		if err := s.Send(update); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

func (c *centre) evaluate(_ context.Context, s *link.Stream) error {
	var req wire.EvaluateRequest
	if err := s.Receive(&req); err != nil {
		return err
	}
	c.mu.Lock()
	current, _ := c.dir.Current()
	share := c.shares[token.Epoch(req.Epoch)]
	c.mu.Unlock()
	if token.Epoch(req.Epoch) != current.Epoch || req.Generation != current.Generation {
		return wire.Refuse(wire.CodeUnavailable, fmt.Errorf("epoch %d", req.Epoch))
	}
	blinded := make([]oprf.Element, len(req.Blinded)/oprf.ElementSize)
	for i := range blinded {
		copy(blinded[i][:], req.Blinded[i*oprf.ElementSize:])
	}
	a, err := share.Evaluate(rand.Reader, 1, []oprf.Index{1}, blinded)
	if err != nil {
		return wire.Refuse(wire.CodeMalformed, err)
	}
	resp := &wire.EvaluateResponse{Proof: a.Proof[:]}
	for _, e := range a.Evaluated {
		resp.Evaluated = append(resp.Evaluated, e[:]...)
	}
	return s.Send(resp)
}

func (c *centre) convict(_ context.Context, s *link.Stream) error {
	var e wire.Evidence
	if err := s.Receive(&e); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deaf {
		return wire.Refuse(wire.CodeUnavailable, nil)
	}
	c.evidence = append(c.evidence, &e)
	return s.Send(&wire.EvidenceResponse{})
}

// office is one agency with its folder, and its node while it runs.
type office struct {
	t      *testing.T
	id     directory.AgencyID
	dir    string
	config Config
	lock   vault.Lock
	node   *Node
}

// enrols makes an agency's folder and applies.
func (c *centre) enrols(id directory.AgencyID) *office {
	c.t.Helper()
	o := c.invites(id)
	if got, err := Enrol(c.t.Context(), o.config, o.lock, slog.New(slog.DiscardHandler)); err != nil || got.Status != directory.Pending {
		c.t.Fatalf("%s applies: %+v, %v", id, got, err)
	}
	return o
}

// invites makes an agency's folder with an invitation.
func (c *centre) invites(id directory.AgencyID) *office {
	c.t.Helper()
	dir := filepath.Join(c.t.TempDir(), string(id))
	var ports []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			c.t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().String()[len("127.0.0.1:"):])
	}
	network := c.dir.Network("test")
	v, err := invitation.New(nil, network, directory.Day(time.Now())+1)
	if err != nil {
		c.t.Fatal(err)
	}
	lock, err := vault.NewKeyFile(filepath.Join(c.t.TempDir(), "unlock.key"))
	if err != nil {
		c.t.Fatal(err)
	}
	config := Config{
		Agency: string(id), Name: string(id), Jurisdiction: "US-CO", Contact: "desk", Region: "US", Network: "network.toml",
		Listen: []string{"/ip4/127.0.0.1/tcp/" + ports[0]}, Web: Web{Listen: "127.0.0.1:" + ports[1], Origin: "http://127.0.0.1:" + ports[1]},
	}
	if err := Init(dir, config, lock, v); err != nil {
		c.t.Fatal(err)
	}
	o := &office{t: c.t, id: id, dir: dir, lock: lock}
	o.load()
	c.t.Cleanup(func() { o.stops() })
	return o
}

func (o *office) load() {
	o.t.Helper()
	var err error
	if o.config, err = LoadConfig(o.dir); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) starts() {
	o.t.Helper()
	var err error
	o.node, err = Start(Options{
		Config: o.config, Unlock: o.lock, Log: slog.New(slog.NewTextHandler(prefixed{o.t.Output(), string(o.id)}, nil)),
		Pauses: Pauses{Registry: 20 * time.Millisecond, Feed: exchange.Pause{First: 5 * time.Millisecond, Last: 20 * time.Millisecond}, Receipts: 20 * time.Millisecond,
			Spread: exchange.Spreading{Tell: 10 * time.Millisecond, Compare: 500 * time.Millisecond, Again: 10 * time.Millisecond}},
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) stops() {
	o.t.Helper()
	if o.node == nil {
		return
	}
	if err := o.node.Close(); err != nil {
		o.t.Errorf("%s stops: %v", o.id, err)
	}
	o.node = nil
}

// prefixed says whose log a line is.
type prefixed struct {
	io.Writer
	id string
}

func (p prefixed) Write(b []byte) (int, error) {
	_, err := p.Writer.Write(append([]byte(p.id+" "), b...))
	return len(b), err
}

// saves enters an address into the agency's one case.
func (o *office) saves(address string) desk.Saved {
	o.t.Helper()
	i, err := identifier.Parse(identifier.Email, address, "US")
	if err != nil {
		o.t.Fatal(err)
	}
	err = o.node.store.Update(func(tx *store.Tx) error {
		if _, err := tx.Case(1); err == nil {
			return nil
		}
		_, err := tx.AddCase(casefile.Case{Number: "1", Pointer: token.CasePointer{o.id[0], 1}})
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	found := []casefile.Found{{Identifier: i, Sightings: []casefile.Sighting{{Line: 1}}}}
	saved, err := o.node.flow.Enter(o.t.Context(), 1, found, func(*store.Tx, desk.Saved) error { return nil })
	if err != nil {
		o.t.Fatalf("%s saves: %v", o.id, err)
	}
	return saved
}

// meets are the addresses in the agency's alerts, which must be of one case at most.
func (o *office) meets() []string {
	o.t.Helper()
	d := &desktop{agency: o.node.agency, store: o.node.store}
	list := d.meetings(o.t)
	if len(list) == 0 {
		return nil
	}
	if len(list) > 1 {
		o.t.Errorf("%s has alerts %v, want one: all are of one pair of cases", o.id, list)
	}
	return list[0].Values
}

// await returns once ready holds.
func await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !ready() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("awaited in vain: %s", what)
		}
	}
}

func (o *office) awaitsMeeting(addresses ...string) {
	o.t.Helper()
	await(o.t, fmt.Sprintf("%s's alert on %v", o.id, addresses), func() bool { return slices.Equal(o.meets(), addresses) })
}
