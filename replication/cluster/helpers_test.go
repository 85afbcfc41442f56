package cluster

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// quick is for servers on one machine.
var quick = Timing{Heartbeat: 300 * time.Millisecond, Election: 300 * time.Millisecond, Lease: 200 * time.Millisecond, Commit: 5 * time.Millisecond}

// patience is how long a test waits for what must happen; it fails after it.
const patience = 60 * time.Second

// testnet is a cluster of real servers in one process: links over loopback,
// logs on disk.
type testnet struct {
	t         testing.TB
	mirror    func(*wire.Command) // told what propose proposes; nil for nobody
	timing    Timing
	genesis   *wire.Genesis
	hash      directory.GenesisHash
	keys      []ed25519.PrivateKey
	operators []ed25519.PrivateKey
	recipient vault.Recipient
	dirs      []string
	hosts     []*link.Host
	clusters  []*Cluster
	addresses [][]string
	log       *logBuffer
	rejoin    map[int]bool
	hooks     func(i int) hooks // nil for none

	mu     sync.Mutex
	cut    map[[2]wire.Peer]bool        // owned by mu
	speaks map[int]func(wire.Peer) bool // owned by mu: of the servers that run
}

// logBuffer keeps everything that is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newKey(t testing.TB) ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newTestnet(t testing.TB, servers int) *testnet { return newTestnetAt(t, servers, quick) }

func newTestnetAt(t testing.TB, servers int, timing Timing, with ...func(*testnet)) *testnet {
	t.Helper()
	n := &testnet{
		t: t, timing: timing, cut: make(map[[2]wire.Peer]bool), log: &logBuffer{},
		rejoin: make(map[int]bool), speaks: make(map[int]func(wire.Peer) bool),
	}
	for _, f := range with {
		f(n)
	}
	id, err := vault.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	n.recipient = id.Recipient()
	n.genesis = &wire.Genesis{Name: "Test network", Threshold: uint32(servers/2 + 1), Nonce: make([]byte, 32)}
	for i := range servers {
		peer := n.join()
		n.genesis.Servers = append(n.genesis.Servers, &wire.Server{
			Index: uint32(i + 1), Name: fmt.Sprintf("Server %d", i+1), Key: peer[:], Addresses: n.addresses[i],
			Recipient: n.recipient.String(),
		})
	}
	for i := range registry.Approvals {
		n.operators = append(n.operators, newKey(t))
		peer := wire.PeerOf(n.operators[i])
		n.genesis.Operators = append(n.genesis.Operators, &wire.Operator{
			Name: fmt.Sprintf("operator-%d", i), Key: peer[:], Roles: uint32(registry.Admission | registry.Operations),
		})
	}
	if n.hash, err = registry.GenesisHash(n.genesis); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range n.clusters {
			n.stop(i)
		}
	})
	for i := range servers {
		n.start(i)
	}
	return n
}

func (n *testnet) peer(i int) wire.Peer { return wire.PeerOf(n.keys[i]) }

// roles are what package centre makes of a server's state: of server i, or, where
// it does not run yet, of the genesis.
func (n *testnet) roles(i int) func(wire.Peer) wire.Role {
	return func(p wire.Peer) wire.Role {
		n.mu.Lock()
		speaks := n.speaks[i]
		n.mu.Unlock()
		if speaks == nil {
			speaks = n.isFounder
		}
		if speaks(p) {
			return wire.RegistryServer
		}
		return wire.Member // whoever else: more than a stranger gets
	}
}

func (n *testnet) isFounder(p wire.Peer) bool {
	for _, s := range n.genesis.Servers {
		if string(s.Key) == string(p[:]) {
			return true
		}
	}
	return false
}

func (n *testnet) isCut(a, b wire.Peer) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut[[2]wire.Peer{a, b}]
}

// join makes another server, with a folder and an address, that does not run.
func (n *testnet) join() wire.Peer {
	n.t.Helper()
	i := len(n.keys)
	n.keys = append(n.keys, newKey(n.t))
	n.dirs = append(n.dirs, filepath.Join(n.t.TempDir(), "raft"))
	n.hosts, n.clusters, n.addresses = append(n.hosts, nil), append(n.clusters, nil), append(n.addresses, []string{"/ip4/127.0.0.1/tcp/0"})
	n.listen(i)
	return n.peer(i)
}

// listen opens server i's links, on the addresses it had before.
func (n *testnet) listen(i int) {
	n.t.Helper()
	self := n.peer(i)
	h, err := link.New(link.Options{
		Key: n.keys[i], Listen: n.addresses[i], Roles: n.roles(i), Cut: func(p wire.Peer) bool { return n.isCut(self, p) },
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.addresses[i], n.hosts[i] = h.Addresses(), h
}

// start starts server i.
func (n *testnet) start(i int) {
	n.t.Helper()
	if n.hosts[i] == nil {
		n.listen(i)
	}
	c, err := n.open(i)
	if err != nil {
		n.t.Fatal(err)
	}
	n.clusters[i] = c
	n.setSpeaks(i, c.Speaks)
}

func (n *testnet) setSpeaks(i int, speaks func(wire.Peer) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.speaks[i] = speaks
}

func (n *testnet) open(i int, change ...func(*Options)) (*Cluster, error) {
	folder, err := Claim(n.dirs[i])
	if err != nil {
		return nil, err
	}
	n.t.Cleanup(func() {
		if err := folder.Release(); err != nil {
			n.t.Error(err)
		}
	})
	o := Options{
		Folder: folder, Host: n.hosts[i], Genesis: n.genesis, Self: oprf.Index(i + 1), Timing: n.timing,
		Log:    slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Rejoin: n.rejoin[i],
	}
	if n.hooks != nil {
		o.hooks = n.hooks(i)
	}
	for _, f := range change {
		f(&o)
	}
	c, err := Open(o)
	if err != nil {
		err = errors.Join(err, folder.Release())
	}
	return c, err
}

// stop takes server i away as abruptly as one process can: its links first.
func (n *testnet) stop(i int) {
	n.t.Helper()
	if n.hosts[i] != nil {
		if err := n.hosts[i].Close(); err != nil {
			n.t.Error(err)
		}
	}
	if n.clusters[i] != nil {
		if err := n.clusters[i].Close(); err != nil {
			n.t.Error(err)
		}
	}
	n.hosts[i], n.clusters[i] = nil, nil
	n.setSpeaks(i, nil)
}

// partition cuts, or heals, the path between server i and all others.
func (n *testnet) partition(i int, cut bool) {
	n.mu.Lock()
	for j := range n.keys {
		n.cut[[2]wire.Peer{n.peer(i), n.peer(j)}] = cut
		n.cut[[2]wire.Peer{n.peer(j), n.peer(i)}] = cut
	}
	n.mu.Unlock()
	for _, h := range n.hosts {
		if h != nil {
			h.Review()
		}
	}
}

func (n *testnet) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	n.t.Cleanup(cancel)
	return ctx
}

// running is a server that runs.
func (n *testnet) running() int {
	n.t.Helper()
	for i, c := range n.clusters {
		if c != nil && c.Status().Standing == Voting {
			return i
		}
	}
	n.t.Fatal("no server runs")
	return 0
}

// application is a new agency's, which has been invited.
func (n *testnet) application(id string) *wire.Command {
	n.t.Helper()
	return n.signed(newKey(n.t), n.invite(id), id, "", 1)
}

// invite returns the key of an invitation.
func (n *testnet) invite(label string) ed25519.PrivateKey {
	n.t.Helper()
	key := newKey(n.t)
	invited := wire.PeerOf(key)
	n.propose(n.running(), n.decides(0, &wire.Decision{
		Verb: uint32(registry.Invite), Application: make([]byte, 32), Invitation: &wire.Invitation{Key: invited[:], Label: label},
	}))
	return key
}

// signed is an application of the agency with a key; who is new has an invitation.
func (n *testnet) signed(key, invitation ed25519.PrivateKey, id, contact string, unix uint64) *wire.Command {
	n.t.Helper()
	m, err := directory.SignApplication(directory.Signers{Key: key, Invitation: invitation}, n.hash, directory.Agency{
		ID: directory.AgencyID(id), Name: "Secret Name Police", Jurisdiction: "US-CO", Contact: contact, Key: wire.PeerOf(key),
		Recipient: n.recipient, Addresses: []string{"/ip4/127.0.0.1/tcp/5001"},
	}, unix)
	if err != nil {
		n.t.Fatal(err)
	}
	return &wire.Command{Time: unix, Of: &wire.Command_Application{Application: m}}
}

// decides is an operator's decision.
func (n *testnet) decides(operator int, d *wire.Decision) *wire.Command {
	n.t.Helper()
	d.Genesis = n.hash[:]
	signed, err := registry.SignDecision(n.operators[operator], d)
	if err != nil {
		n.t.Fatal(err)
	}
	return &wire.Command{Time: 1, Of: &wire.Command_Decision{Decision: signed}}
}

// publish has servers endorse the directory of now.
func (n *testnet) publish(servers ...int) {
	n.t.Helper()
	for _, i := range servers {
		var version uint64
		var encoded []byte
		if err := n.clusters[i].Read(n.ctx(), func(s *registry.State) { version, encoded, _ = s.Unendorsed(oprf.Index(i + 1)) }); err != nil {
			n.t.Fatal(err)
		}
		n.propose(i, &wire.Command{Time: 1, Of: &wire.Command_Endorse{Endorse: &wire.EndorseVersion{
			Version: version, Endorsement: &wire.Endorsement{Server: uint32(i + 1), Signature: directory.Endorse(n.keys[i], encoded)},
		}}})
	}
}

// carry has two operators carry a change of the servers, asking server at.
func (n *testnet) carry(at int, change *wire.ServerChange) {
	n.t.Helper()
	m := &wire.Motion{Of: &wire.Motion_Server{Server: change}}
	hash, err := registry.MotionHash(m)
	if err != nil {
		n.t.Fatal(err)
	}
	var motioned uint64
	if err := n.clusters[at].Read(n.ctx(), func(s *registry.State) { motioned = s.Status().Motioned }); err != nil {
		n.t.Fatal(err)
	}
	number := n.propose(at, n.decides(0, &wire.Decision{
		Verb: uint32(registry.Move), Application: hash[:], Reason: "needed", Number: motioned, Motion: m,
	}))
	n.propose(at, n.decides(1, &wire.Decision{Verb: uint32(registry.Approve), Application: hash[:], Number: number}))
}

func (n *testnet) propose(at int, c *wire.Command) uint64 {
	n.t.Helper()
	if n.mirror != nil {
		n.mirror(c)
	}
	index, err := n.clusters[at].Propose(n.ctx(), c)
	if err != nil {
		n.t.Fatal(err)
	}
	return index
}

// await waits until done holds at server i, looking after every change.
func (n *testnet) await(i int, what string, done func(c *Cluster) bool) {
	n.t.Helper()
	for ctx := n.ctx(); ; {
		changed := n.clusters[i].Changed()
		if done(n.clusters[i]) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			n.t.Fatalf("server %d: waited in vain for %s", i+1, what)
		}
	}
}

// leader waits for one that the servers given, all where none is, agree on.
func (n *testnet) leader(among ...int) int {
	n.t.Helper()
	if len(among) == 0 {
		for i, c := range n.clusters {
			if c != nil {
				among = append(among, i)
			}
		}
	}
	if err := n.clusters[among[0]].Read(n.ctx(), func(*registry.State) {}); err != nil {
		n.t.Fatal(err)
	}
	var led oprf.Index
	n.await(among[0], "a leader", func(c *Cluster) bool {
		led = c.Status().Leader
		return led != 0
	})
	return int(led) - 1
}

func (n *testnet) others(not int) []int {
	var list []int
	for i := range n.clusters {
		if i != not && n.clusters[i] != nil {
			list = append(list, i)
		}
	}
	return list
}

// has reports whether the application is in the state of c.
func has(command *wire.Command) func(c *Cluster) bool {
	return func(c *Cluster) (found bool) {
		c.View(func(s *registry.State) {
			status, _ := s.Standing(wire.Peer(command.GetApplication().Key))
			found = status == directory.Pending
		})
		return found
	}
}
