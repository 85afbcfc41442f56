package centre

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// patience is how long a test waits for what must happen; it fails after it.
const patience = 60 * time.Second

// centreNet is a founded network with its servers running in this process.
type centreNet struct {
	t       testing.TB
	dir     string
	network directory.Network
	servers []*Server // nil while stopped
	log     *logBuffer
}

var operatorNames = []string{"alice", "bob", "carol"}

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

func founding(t testing.TB, dir string, servers int) Founding {
	f := Founding{Name: "Test network", Dir: dir, Threshold: servers/2 + 1, Operators: operatorNames}
	for i, address := range freeAddresses(t, servers) {
		f.Servers = append(f.Servers, FoundingServer{Name: fmt.Sprintf("Server %d", i+1), Listen: []string{address}})
	}
	return f
}

// found founds a network and starts its servers.
func found(t testing.TB, servers int) *centreNet {
	t.Helper()
	n := &centreNet{t: t, dir: filepath.Join(t.TempDir(), "net"), servers: make([]*Server, servers), log: &logBuffer{}}
	var err error
	if n.network, err = Found(founding(t, n.dir, servers)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range n.servers {
			n.stop(i, (*Server).Close)
		}
	})
	for i := range servers {
		n.start(i)
	}
	return n
}

func (n *centreNet) options(i int) Options {
	n.t.Helper()
	c, err := Load(filepath.Join(serverDir(n.dir, i), configFile))
	if err != nil {
		n.t.Fatal(err)
	}
	lock, err := c.Lock()
	if err != nil {
		n.t.Fatal(err)
	}
	return Options{Config: c, Unlock: lock, Timing: QuickTiming(), Log: slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
}

func (n *centreNet) start(i int) {
	n.t.Helper()
	s, err := Start(n.ctx(), n.options(i))
	if err != nil {
		n.t.Fatal(err)
	}
	n.servers[i] = s
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

// leader waits for a leader that server i knows of.
func (n *centreNet) leader(i int) int {
	n.t.Helper()
	var led int
	n.await(i, "a leader", func(*registry.State) bool {
		led = int(n.servers[i].Status().Leader)
		return led != 0 && n.servers[led-1] != nil
	})
	return led - 1
}

func (n *centreNet) others(not int) (list []int) {
	for i := range n.servers {
		if i != not {
			list = append(list, i)
		}
	}
	return list
}

// operator opens one of the operators' clients.
func (n *centreNet) operator(name string) *Operator {
	n.t.Helper()
	o, err := LoadOperator(filepath.Join(n.dir, networkFile), filepath.Join(n.dir, operatorsDir, name+operatorExt), "", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if err := o.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return o
}

func (n *centreNet) decide(operator string, verb Verb, id directory.AgencyID, reason string) {
	n.t.Helper()
	if err := n.operator(operator).Decide(n.ctx(), verb, id, reason); err != nil {
		n.t.Fatal(err)
	}
}

// client is an agency's, or anybody's, end of its links.
type client struct {
	net  *centreNet
	keys *vault.Keys
	host *link.Host
	id   directory.AgencyID
}

func (n *centreNet) client(id directory.AgencyID) *client {
	n.t.Helper()
	keys, err := vault.GenerateKeys(nil)
	if err != nil {
		n.t.Fatal(err)
	}
	c := &client{net: n, keys: keys, id: id}
	c.host = n.host(keys)
	return c
}

func (n *centreNet) host(keys *vault.Keys) *link.Host {
	n.t.Helper()
	h, err := link.New(link.Options{Key: keys.Signing, Roles: func(p wire.Peer) wire.Role {
		if slices.ContainsFunc(n.network.Servers, func(s directory.NetworkServer) bool { return s.Key == p }) {
			return wire.RegistryServer
		}
		return wire.Nobody
	}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			n.t.Error(err)
		}
	})
	for _, s := range n.network.Servers {
		if err := h.SetAddresses(s.Key, s.Addresses); err != nil {
			n.t.Fatal(err)
		}
	}
	return h
}

func (c *client) peer() wire.Peer { return c.host.Peer() }

// application is the agency's, signed now.
func (c *client) application(contact string) *wire.Application {
	c.net.t.Helper()
	m, err := directory.SignApplication(c.keys.Signing, c.net.network.Genesis, directory.Agency{
		ID: c.id, Name: "Secret Name Police", Jurisdiction: "US-CO", Contact: contact, Key: c.peer(),
		Recipient: c.keys.Age.Recipient(), Addresses: []string{"/ip4/127.0.0.1/tcp/5001"},
	}, uint64(time.Now().Unix()))
	if err != nil {
		c.net.t.Fatal(err)
	}
	return m
}

// ask is one request and its answer at one server. A server that has no leader
// at this moment is asked again when it has.
func (c *client) ask(i int, p wire.Protocol, request, response proto.Message) error {
	for ctx := c.net.ctx(); ; {
		err := c.askOnce(i, p, request, response)
		var refusal *wire.Refusal
		if !errors.As(err, &refusal) || refusal.Code != wire.CodeUnavailable || ctx.Err() != nil {
			return err
		}
		<-c.net.servers[i].ready
		c.net.leader(i)
	}
}

func (c *client) askOnce(i int, p wire.Protocol, request, response proto.Message) error {
	st, err := c.host.Open(c.net.ctx(), c.net.network.Servers[i].Key, p)
	if err != nil {
		return err
	}
	defer st.Reset(wire.CodeNone)
	if err := st.Send(request); err != nil {
		return err
	}
	if err := st.Receive(response); err != nil {
		return err
	}
	return st.Close()
}

// admission asks one server how the agency stands, or applies.
func (c *client) admission(i int, a *wire.Application) (*wire.AdmissionResponse, error) {
	var m wire.AdmissionResponse
	err := c.ask(i, wire.ProtocolAdmission, &wire.AdmissionRequest{Application: a}, &m)
	return &m, err
}

func (c *client) applies(i int) {
	c.net.t.Helper()
	m, err := c.admission(i, c.application(""))
	if err != nil || directory.Status(m.Status) != directory.Pending {
		c.net.t.Fatalf("application: got %v, %s, %q", err, directory.Status(m.GetStatus()), m.GetRefusal())
	}
}

// enrolled is an agency that is a member, and that every server knows to be.
func (n *centreNet) enrolled(id directory.AgencyID) *client {
	n.t.Helper()
	c := n.client(id)
	c.applies(0)
	n.decide("alice", Approve, id, "")
	n.decide("bob", Approve, id, "")
	for i, s := range n.servers {
		if s != nil {
			n.await(i, "the agency to be published", c.isPublished)
		}
	}
	return c
}

// isPublished reports whether the published directory has the agency as active.
func (c *client) isPublished(s *registry.State) bool {
	if s.Published() == nil {
		return false
	}
	d, err := c.net.network.Trust().Verify(s.Published())
	if err != nil {
		c.net.t.Error(err)
		return false
	}
	a, ok := d.Agency(c.id)
	return ok && a.Key == c.peer() && a.Status == directory.Active
}

// wantRefusal checks that err is the peer's refusal with one of the codes.
func wantRefusal(t testing.TB, what string, err error, codes ...wire.Code) {
	t.Helper()
	var refusal *wire.Refusal
	if !errors.As(err, &refusal) || refusal.By != "peer" || !slices.Contains(codes, refusal.Code) {
		t.Fatalf("%s: got %v, want refused by the peer with %v", what, err, codes)
	}
}
