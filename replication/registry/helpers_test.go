package registry

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// network is everything that is secret in one network, for tests to sign with.
// Server number i has the key servers[i-1].
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

// newNetwork founds a network whose operators have all roles.
func newNetwork(t testing.TB, servers, operators int) *network {
	t.Helper()
	id, err := vault.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	n := &network{recipient: id.Recipient()}
	n.genesis = &wire.Genesis{Name: "Test network", Threshold: uint32(servers/2 + 1), Nonce: make([]byte, nonceSize)}
	for range servers {
		s := n.newServer()
		s.Index = uint32(len(n.servers))
		n.genesis.Servers = append(n.genesis.Servers, s)
	}
	for range operators {
		n.genesis.Operators = append(n.genesis.Operators, n.newOperator(Admission|Operations|Audit))
	}
	n.rehash(t)
	return n
}

func (n *network) rehash(t testing.TB) {
	t.Helper()
	var err error
	if n.hash, err = GenesisHash(n.genesis); err != nil {
		t.Fatal(err)
	}
}

// newServer makes a key and what it has to be added with.
func (n *network) newServer() *wire.Server {
	i := len(n.servers)
	n.servers = append(n.servers, seeded("server", i))
	key := wire.PeerOf(n.servers[i])
	return &wire.Server{
		Name: fmt.Sprintf("Server %d", i+1), Key: key[:], Recipient: n.recipient.String(),
		Addresses: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", 4001+i)},
	}
}

func (n *network) newOperator(roles Role) *wire.Operator {
	i := len(n.operators)
	n.operators = append(n.operators, seeded("operator", i))
	key := wire.PeerOf(n.operators[i])
	return &wire.Operator{Name: fmt.Sprintf("operator-%d", i), Key: key[:], Roles: uint32(roles)}
}

func (n *network) state(t testing.TB) *State {
	t.Helper()
	s, err := New(n.genesis)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// invitationOf is the private key of the invitation that the holder of key has.
func invitationOf(key ed25519.PrivateKey) ed25519.PrivateKey {
	seed := key.Seed()
	seed[31] ^= 0xff
	return ed25519.NewKeyFromSeed(seed)
}

// agency is what the holder of key says of itself.
func (n *network) agency(key ed25519.PrivateKey, id, contact string) directory.Agency {
	return directory.Agency{
		ID: directory.AgencyID(id), Name: "Agency " + id, Jurisdiction: "US-CO", Contact: contact,
		Key: wire.PeerOf(key), Recipient: n.recipient, Addresses: []string{"/ip4/127.0.0.1/tcp/5001"},
	}
}

// application signs what the agency with this key and id applies for, with its invitation.
func (n *network) application(key ed25519.PrivateKey, id, contact string, unix uint64) *wire.Application {
	return n.signApplication(directory.Signers{Key: key, Invitation: invitationOf(key)}, n.agency(key, id, contact), unix)
}

func (n *network) signApplication(by directory.Signers, a directory.Agency, unix uint64) *wire.Application {
	m, err := directory.SignApplication(by, n.hash, a, unix)
	if err != nil {
		panic(err)
	}
	return m
}

// invitation invites the holder of key.
func (n *network) invitation(operator int, key ed25519.PrivateKey, expires uint64) *wire.Decision {
	peer := wire.PeerOf(invitationOf(key))
	return n.sign(operator, &wire.Decision{
		Verb: uint32(Invite), Genesis: n.hash[:], Application: make([]byte, 32),
		Invitation: &wire.Invitation{Key: peer[:], Expires: expires, Label: "somebody"},
	})
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
		d.Agency, d.Application, d.Number = string(id), a.hash[:], a.number()
	}
	return n.sign(operator, d)
}

// motion signs a motion as the next one.
func (n *network) motion(s *State, operator int, m *wire.Motion) *wire.Decision {
	hash, err := MotionHash(m)
	if err != nil {
		panic(err)
	}
	return n.sign(operator, &wire.Decision{
		Verb: uint32(Move), Reason: "it is needed", Genesis: n.hash[:], Application: hash[:], Motion: m,
		Agency: m.GetAgency().GetAgency(), Number: s.motioned,
	})
}

// onMotion signs the verb on the last motion that waits.
func (n *network) onMotion(s *State, operator int, verb Verb) *wire.Decision {
	p := s.motions[len(s.motions)-1]
	return n.sign(operator, &wire.Decision{
		Verb: uint32(verb), Reason: "as discussed", Genesis: n.hash[:], Application: p.hash[:],
		Agency: p.record.Decision.Agency, Number: p.record.Number,
	})
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

// signed is a statement signed by the server that it names.
func signed[M statement](n *network, m M) M {
	by := int(m.GetServer()) - 1
	if by < 0 || by >= len(n.servers) {
		by = 0
	}
	m, err := SignStatement(n.servers[by], n.hash, m)
	if err != nil {
		panic(err)
	}
	return m
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

func speaks(m *wire.CeremonyMessage) *wire.Command {
	return &wire.Command{Of: &wire.Command_Ceremony{Ceremony: m}}
}

func leases(m *wire.Lease) *wire.Command { return &wire.Command{Of: &wire.Command_Lease{Lease: m}} }

func ticks(m *wire.Tick) *wire.Command { return &wire.Command{Of: &wire.Command_Tick{Tick: m}} }

func proves(m *wire.Evidence) *wire.Command {
	return &wire.Command{Of: &wire.Command_Evidence{Evidence: m}}
}

// log applies commands one after another, numbering them.
type log struct {
	*State
	t     testing.TB
	index uint64
	cast  *cast // the servers in the ceremonies
}

func (n *network) log(t testing.TB) *log { return &log{State: n.state(t), t: t, cast: newCast(n)} }

func (l *log) takes(c *wire.Command) {
	l.t.Helper()
	l.index++
	if err := l.Apply(l.index, c); err != nil {
		l.t.Fatalf("command %d: got %v, want it taken", l.index, err)
	}
}

// repeats checks that the command is taken and changes nothing.
func (l *log) repeats(c *wire.Command) {
	l.t.Helper()
	before := l.snapshot()
	l.takes(c)
	if string(l.snapshot()) != string(before) {
		l.t.Fatalf("command %d repeats another and changed the state", l.index)
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

// restart replaces the state by what its snapshot restores.
func (l *log) restart() {
	l.t.Helper()
	before := l.snapshot()
	restored, err := Restore(before)
	if err != nil {
		l.t.Fatal(err)
	}
	l.State = restored
	if string(l.snapshot()) != string(before) {
		l.t.Fatal("the restored state has another snapshot")
	}
}

func (l *log) wantStatus(key ed25519.PrivateKey, want directory.Status) {
	l.t.Helper()
	if got, _ := l.Standing(wire.PeerOf(key)); got != want {
		l.t.Fatalf("standing: got %s, want %s", got, want)
	}
}

// invite lets the holders of keys apply.
func (l *log) invite(n *network, keys ...ed25519.PrivateKey) {
	l.t.Helper()
	for _, key := range keys {
		l.takes(decides(n.invitation(0, key, l.day+MaxInvitationDays)))
	}
}

// admit brings the agency of key in, by operators 0 and 1.
func (l *log) admit(n *network, key ed25519.PrivateKey, id string, unix uint64) {
	l.t.Helper()
	l.invite(n, key)
	l.takes(applies(n.application(key, id, "", unix)))
	l.approve(n, key)
	l.wantStatus(key, directory.Active)
}

// approve has operators 0 and 1 approve the application of key.
func (l *log) approve(n *network, key ed25519.PrivateKey) {
	l.t.Helper()
	l.takes(decides(n.decision(l.State, 0, Approve, key, "")))
	l.takes(decides(n.decision(l.State, 1, Approve, key, "")))
}

// carries has operators 0 and 1 carry a motion.
func (l *log) carries(n *network, m *wire.Motion) {
	l.t.Helper()
	l.takes(decides(n.motion(l.State, 0, m)))
	l.takes(decides(n.onMotion(l.State, 1, Approve)))
}

// publish has the given servers endorse the version of now.
func (l *log) publish(n *network, servers ...int) {
	l.t.Helper()
	for _, i := range servers {
		l.takes(endorses(n.endorsement(l.State, i-1)))
	}
}

// dawns lets the clocks of all servers reach a day.
func (l *log) dawns(n *network, day uint64) {
	l.t.Helper()
	for _, s := range l.Servers() {
		l.takes(ticks(signed(n, &wire.Tick{Server: uint32(s.Index), Day: day})))
	}
	if l.Day() != day {
		l.t.Fatalf("day: got %d, want %d", l.Day(), day)
	}
}

func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }
