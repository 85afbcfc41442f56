package cluster

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
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

	mu  sync.Mutex
	cut map[[2]wire.Peer]bool // owned by mu
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

func newTestnetAt(t testing.TB, servers int, timing Timing) *testnet {
	t.Helper()
	n := &testnet{t: t, timing: timing, cut: make(map[[2]wire.Peer]bool), log: &logBuffer{}, addresses: make([][]string, servers)}
	id, err := vault.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	n.recipient = id.Recipient()
	keys, _, err := oprf.Deal(rand.Reader, servers/2+1, servers)
	if err != nil {
		t.Fatal(err)
	}
	n.genesis = &wire.Genesis{Name: "Test network", Threshold: uint32(keys.Threshold), PublicKey: keys.Public[:], Nonce: make([]byte, 32)}
	for i := range servers {
		n.keys = append(n.keys, newKey(t))
		peer := wire.PeerOf(n.keys[i])
		n.genesis.Servers = append(n.genesis.Servers, &wire.Server{
			Index: uint32(i + 1), Name: fmt.Sprintf("Server %d", i+1), Key: peer[:], Addresses: []string{"/ip4/127.0.0.1/tcp/1"},
			Recipient: n.recipient.String(), PublicShare: keys.Shares[i].Key[:],
		})
		n.dirs = append(n.dirs, filepath.Join(t.TempDir(), "raft"))
	}
	for i := range registry.Approvals {
		n.operators = append(n.operators, newKey(t))
		peer := wire.PeerOf(n.operators[i])
		n.genesis.Operators = append(n.genesis.Operators, &wire.Operator{Name: fmt.Sprintf("operator-%d", i), Key: peer[:]})
	}
	if n.hash, err = registry.GenesisHash(n.genesis); err != nil {
		t.Fatal(err)
	}
	n.hosts, n.clusters = make([]*link.Host, servers), make([]*Cluster, servers)
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

func (n *testnet) roles(p wire.Peer) wire.Role {
	for i := range n.keys {
		if n.peer(i) == p {
			return wire.RegistryServer
		}
	}
	return wire.Member // whoever else: more than a stranger gets
}

func (n *testnet) isCut(a, b wire.Peer) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut[[2]wire.Peer{a, b}]
}

// start starts server i, on the addresses it had before.
func (n *testnet) start(i int) {
	n.t.Helper()
	listen := n.addresses[i]
	if listen == nil {
		listen = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	self := n.peer(i)
	h, err := link.New(link.Options{
		Key: n.keys[i], Listen: listen, Roles: n.roles, Cut: func(p wire.Peer) bool { return n.isCut(self, p) },
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.addresses[i], n.hosts[i] = h.Addresses(), h
	for j, other := range n.hosts {
		if err := h.SetAddresses(n.peer(j), n.addresses[j]); err != nil {
			n.t.Fatal(err)
		}
		if other == nil {
			continue
		}
		if err := other.SetAddresses(self, n.addresses[i]); err != nil {
			n.t.Fatal(err)
		}
	}
	c, err := n.open(i)
	if err != nil {
		n.t.Fatal(err)
	}
	n.clusters[i] = c
}

func (n *testnet) open(i int) (*Cluster, error) {
	folder, err := Claim(n.dirs[i])
	if err != nil {
		return nil, err
	}
	n.t.Cleanup(func() {
		if err := folder.Release(); err != nil {
			n.t.Error(err)
		}
	})
	return Open(Options{
		Folder: folder, Host: n.hosts[i], Genesis: n.genesis, Self: oprf.Index(i + 1), Timing: n.timing,
		Log: slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
}

// stop takes server i away as abruptly as one process can: its links first.
func (n *testnet) stop(i int) {
	n.t.Helper()
	if n.clusters[i] == nil {
		return
	}
	if err := n.hosts[i].Close(); err != nil {
		n.t.Error(err)
	}
	if err := n.clusters[i].Close(); err != nil {
		n.t.Error(err)
	}
	n.hosts[i], n.clusters[i] = nil, nil
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

// application is a new agency's.
func (n *testnet) application(id string) *wire.Command {
	n.t.Helper()
	key := newKey(n.t)
	m, err := directory.SignApplication(key, n.hash, directory.Agency{
		ID: directory.AgencyID(id), Name: "Secret Name Police", Jurisdiction: "US-CO", Key: wire.PeerOf(key),
		Recipient: n.recipient, Addresses: []string{"/ip4/127.0.0.1/tcp/5001"},
	}, 1)
	if err != nil {
		n.t.Fatal(err)
	}
	return &wire.Command{Time: 1, Of: &wire.Command_Application{Application: m}}
}

func (n *testnet) propose(at int, c *wire.Command) uint64 {
	n.t.Helper()
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
		for i := range n.clusters {
			among = append(among, i)
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
		if i != not {
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
