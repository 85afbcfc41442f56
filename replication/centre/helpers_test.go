package centre

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// patience is how long a test waits for what must happen; it fails after it.
const patience = 30 * time.Second

// centreNet is a founded network with its servers running in this process.
type centreNet struct {
	t         testing.TB
	dir       string
	network   directory.Network // as it was founded
	folders   []string          // of the servers
	servers   []*Server         // by folder; nil while stopped
	clocks    []*clock
	log       *logBuffer
	operators map[string]*Operator
	peers     sync.Map // keys of servers that have run
	silence   time.Duration
}

var operatorNames = []string{"alice", "bob", "carol"}

// silence is how long the servers of a test wait in a key ceremony where one is
// to be left out; elsewhere a busy machine must not leave anybody out.
const silence = time.Second

// clock is a server's: the machine's, and so much ahead.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

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

// freeAddresses are multiaddrs of ports that nobody listens on now.
func freeAddresses(t testing.TB, n int) []string {
	t.Helper()
	var addresses []string
	var open []net.Listener
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, l)
		addresses = append(addresses, fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port))
	}
	for _, l := range open {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return addresses
}

func rehearsal(t testing.TB, dir string, servers int) Rehearsal {
	r := Rehearsal{Name: "Test network", Dir: dir, Threshold: servers/2 + 1, Operators: operatorNames}
	for i, address := range freeAddresses(t, servers) {
		r.Servers = append(r.Servers, FoundingServer{Name: fmt.Sprintf("Server %d", i+1), Listen: []string{address}})
	}
	return r
}

// planned founds a network whose servers do not run yet.
func planned(t testing.TB, servers int) *centreNet {
	t.Helper()
	n := &centreNet{t: t, dir: filepath.Join(t.TempDir(), "net"), log: &logBuffer{}, operators: make(map[string]*Operator), silence: patience}
	var err error
	if n.network, err = Rehearse(rehearsal(t, n.dir, servers)); err != nil {
		t.Fatal(err)
	}
	for i := range servers {
		n.place(serverDir(n.dir, i))
	}
	t.Cleanup(func() {
		for i := range n.servers {
			n.stop(i, (*Server).Close)
		}
	})
	return n
}

// place makes room for the server in a folder and returns its position.
func (n *centreNet) place(folder string) int {
	n.folders, n.servers, n.clocks = append(n.folders, folder), append(n.servers, nil), append(n.clocks, &clock{})
	return len(n.servers) - 1
}

// found founds a network, starts its servers and waits for their first key.
func found(t testing.TB, servers int) *centreNet {
	t.Helper()
	return planned(t, servers).founded()
}

// founded is the network once its servers have their first key.
func (n *centreNet) founded() *centreNet {
	n.t.Helper()
	for i := range n.servers {
		n.start(i)
	}
	n.awaitKey(1, 1)
	return n
}

// awaitKey waits until every running server has published a key epoch in force,
// and the generation of its shares.
func (n *centreNet) awaitKey(epoch token.Epoch, gen uint32) directory.KeyEpoch {
	n.t.Helper()
	var current directory.KeyEpoch
	for i, s := range n.servers {
		if s == nil {
			continue
		}
		n.awaitPublished(i, fmt.Sprintf("key epoch %d, generation %d", epoch, gen), func(d *directory.Directory) bool {
			k, ok := d.Current()
			current = k
			return ok && k.Epoch == epoch && k.Generation == gen
		})
	}
	return current
}

// awaitPublished waits for what server i shows to whoever follows it.
func (n *centreNet) awaitPublished(i int, what string, shows func(*directory.Directory) bool) *directory.Directory {
	n.t.Helper()
	for ctx := n.ctx(); ; {
		_, d, changed := n.servers[i].published.get()
		if d != nil && shows(d) {
			return d
		}
		select {
		case <-changed:
		case <-ctx.Done():
			n.t.Fatalf("server %d: waited in vain for a directory with %s", i+1, what)
		}
	}
}

func (n *centreNet) options(i int) Options {
	n.t.Helper()
	c, err := Load(filepath.Join(n.folders[i], configFile))
	if err != nil {
		n.t.Fatal(err)
	}
	lock, err := c.Lock()
	if err != nil {
		n.t.Fatal(err)
	}
	return Options{
		Config: c, Unlock: lock, Timing: QuickTiming(), Patience: n.silence, Now: n.clocks[i].now,
		Log: slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (n *centreNet) start(i int) {
	n.t.Helper()
	s, err := Start(n.ctx(), n.options(i))
	if err != nil {
		n.t.Fatal(err)
	}
	n.servers[i] = s
	n.peers.Store(s.Peer(), true)
}

func (n *centreNet) stop(i int, how func(*Server) error) {
	n.t.Helper()
	if n.servers[i] == nil {
		return
	}
	if err := how(n.servers[i]); err != nil {
		n.t.Error(err)
	}
	n.servers[i] = nil
}

func (n *centreNet) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	n.t.Cleanup(cancel)
	return ctx
}

// await waits until done holds for the state of server i.
func (n *centreNet) await(i int, what string, done func(*registry.State) bool) {
	n.t.Helper()
	for ctx := n.ctx(); ; {
		changed := n.servers[i].Changed()
		var ok bool
		n.servers[i].View(func(s *registry.State) { ok = done(s) })
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			n.t.Fatalf("server %d: waited in vain for %s", i+1, what)
		}
	}
}

// eventually looks again and again, for what nobody announces.
func (n *centreNet) eventually(what string, holds func() bool) {
	n.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for ctx := n.ctx(); !holds(); {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			n.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// awaitReady waits until server i has caught up.
func (n *centreNet) awaitReady(i int) {
	n.t.Helper()
	select {
	case <-n.servers[i].ready:
	case <-n.ctx().Done():
		n.t.Fatalf("server %d has not caught up", i+1)
	}
}

// leader waits for a leader that server i knows of and that runs.
func (n *centreNet) leader(i int) (position int) {
	n.t.Helper()
	n.await(i, "a leader", func(*registry.State) bool {
		led := n.servers[i].Status().Leader
		position = slices.IndexFunc(n.servers, func(s *Server) bool { return s != nil && led != 0 && s.Index() == led })
		return position >= 0
	})
	return position
}

func (n *centreNet) others(not int) (list []int) {
	for i := range n.servers {
		if i != not {
			list = append(list, i)
		}
	}
	return list
}

// operator is one of the operators' clients.
func (n *centreNet) operator(name string) *Operator {
	n.t.Helper()
	if o := n.operators[name]; o != nil {
		return o
	}
	o, err := LoadOperator(filepath.Join(n.dir, networkFile), filepath.Join(n.dir, operatorsDir, name+operatorExt), "", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.operators[name] = o
	n.t.Cleanup(func() {
		if err := o.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return o
}

// moved is a motion that two operators have carried.
func (n *centreNet) moved(m *wire.Motion) {
	n.t.Helper()
	n.put(m)
	n.seconded()
}

// put is a motion of alice.
func (n *centreNet) put(m *wire.Motion) *Status {
	n.t.Helper()
	status, err := n.operator("alice").Move(n.ctx(), m, "a test")
	if err != nil {
		n.t.Fatal(err)
	}
	return status
}

// seconded has bob approve the only motion there is.
func (n *centreNet) seconded() {
	n.t.Helper()
	status, err := n.operator("bob").Status(n.ctx())
	if err != nil || len(status.Motions) != 1 {
		n.t.Fatalf("got %+v, %v, want one motion", status, err)
	}
	if _, err := n.operator("bob").DecideMotion(n.ctx(), Approve, status.Motions[0], ""); err != nil {
		n.t.Fatal(err)
	}
}

func (n *centreNet) decide(operator string, verb Verb, id directory.AgencyID, reason string) {
	n.t.Helper()
	if err := n.operator(operator).Decide(n.ctx(), verb, id, reason); err != nil {
		n.t.Fatal(err)
	}
}
