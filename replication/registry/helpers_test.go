package registry

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// network is everything that is secret in one network, for tests to sign with.
type network struct {
	genesis   *wire.Genesis
	hash      directory.GenesisHash
	servers   []ed25519.PrivateKey
	operators []ed25519.PrivateKey
	recipient vault.Recipient
}

// seeded returns a key that is the same in every run.
func seeded(kind string, i int) ed25519.PrivateKey {
	var seed [ed25519.SeedSize]byte
	copy(seed[:], fmt.Sprintf("%s %d", kind, i))
	return ed25519.NewKeyFromSeed(seed[:])
}

func newNetwork(t testing.TB, servers, operators int) *network {
	t.Helper()
	id, err := vault.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	keys, _, err := oprf.Deal(rand.Reader, servers/2+1, servers)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{recipient: id.Recipient()}
	n.genesis = &wire.Genesis{
		Name: "Test network", Threshold: uint32(keys.Threshold), PublicKey: keys.Public[:], Nonce: make([]byte, nonceSize),
	}
	for i := range servers {
		n.servers = append(n.servers, seeded("server", i))
		key := wire.PeerOf(n.servers[i])
		n.genesis.Servers = append(n.genesis.Servers, &wire.Server{
			Index: uint32(i + 1), Name: fmt.Sprintf("Server %d", i+1), Key: key[:],
			Addresses: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", 4001+i)}, Recipient: n.recipient.String(),
			PublicShare: keys.Shares[i].Key[:],
		})
	}
	for i := range operators {
		n.operators = append(n.operators, seeded("operator", i))
		key := wire.PeerOf(n.operators[i])
		n.genesis.Operators = append(n.genesis.Operators, &wire.Operator{Name: fmt.Sprintf("operator-%d", i), Key: key[:]})
	}
	if n.hash, err = GenesisHash(n.genesis); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *network) state(t testing.TB) *State {
	t.Helper()
	s, err := New(n.genesis)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// application signs what the agency with this key and id applies for.
func (n *network) application(key ed25519.PrivateKey, id, contact string, unix uint64) *wire.Application {
	m, err := directory.SignApplication(key, n.hash, directory.Agency{
		ID: directory.AgencyID(id), Name: "Agency " + id, Jurisdiction: "US-CO", Contact: contact,
		Key: wire.PeerOf(key), Recipient: n.recipient, Addresses: []string{"/ip4/127.0.0.1/tcp/5001"},
	}, unix)
	if err != nil {
		panic(err)
	}
	return m
}

// decision signs the verb on the application of key as it stands in s.
func (n *network) decision(s *State, operator int, verb Verb, key ed25519.PrivateKey, reason string) *wire.Decision {
	d := &wire.Decision{Verb: uint32(verb), Reason: reason, Genesis: n.hash[:], Application: make([]byte, 32)}
	peer := wire.PeerOf(key)
	if i, ok := s.pendingOf(peer); ok && verb != Suspend {
		a := s.pending[i]
		d.Agency, d.Application, d.Number = string(a.agency.ID), a.hash[:], a.record.Number
	} else if id, ok := s.ids[peer]; ok {
		i, _ := s.find(id)
		a := s.agencies[i]
		d.Agency, d.Application, d.Number = string(id), a.hash[:], a.record.Number
	}
	return n.sign(operator, d)
}

func (n *network) sign(operator int, d *wire.Decision) *wire.Decision {
	signed, err := SignDecision(n.operators[operator], d)
	if err != nil {
		panic(err)
	}
	return signed
}

func (n *network) endorsement(s *State, server int) *wire.EndorseVersion {
	return &wire.EndorseVersion{Version: s.version, Endorsement: &wire.Endorsement{
		Server: uint32(server + 1), Signature: directory.Endorse(n.servers[server], s.encoded),
	}}
}

func applies(m *wire.Application) *wire.Command {
	return &wire.Command{Of: &wire.Command_Application{Application: m}}
}

func decides(m *wire.Decision) *wire.Command {
	return &wire.Command{Of: &wire.Command_Decision{Decision: m}}
}

func endorses(m *wire.EndorseVersion) *wire.Command {
	return &wire.Command{Of: &wire.Command_Endorse{Endorse: m}}
}

// log applies commands one after another, numbering them.
type log struct {
	*State
	t     testing.TB
	index uint64
}

func (n *network) log(t testing.TB) *log { return &log{State: n.state(t), t: t} }

func (l *log) takes(c *wire.Command) {
	l.t.Helper()
	l.index++
	if err := l.Apply(l.index, c); err != nil {
		l.t.Fatalf("command %d: got %v, want it taken", l.index, err)
	}
}

// refuses checks the refusal, and that the state is what it was.
func (l *log) refuses(c *wire.Command, want Refusal) {
	l.t.Helper()
	before := l.snapshot()
	l.index++
	if err := l.Apply(l.index, c); !errors.Is(err, want) {
		l.t.Fatalf("command %d: got %v, want %q", l.index, err, want)
	}
	if string(l.snapshot()) != string(before) {
		l.t.Fatalf("command %d was refused and changed the state", l.index)
	}
}

func (l *log) snapshot() []byte {
	l.t.Helper()
	b, err := l.Snapshot()
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

func (l *log) wantStatus(key ed25519.PrivateKey, want directory.Status) {
	l.t.Helper()
	if got, _ := l.Standing(wire.PeerOf(key)); got != want {
		l.t.Fatalf("standing: got %s, want %s", got, want)
	}
}

// admit brings the agency of key in, by operators 0 and 1.
func (l *log) admit(n *network, key ed25519.PrivateKey, id string, unix uint64) {
	l.t.Helper()
	l.takes(applies(n.application(key, id, "", unix)))
	l.takes(decides(n.decision(l.State, 0, Approve, key, "")))
	l.takes(decides(n.decision(l.State, 1, Approve, key, "")))
	l.wantStatus(key, directory.Active)
}

func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }
