package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take on a loaded machine.
const patience = 60 * time.Second

// town is a federation of real processes: three servers, two operators, two
// agencies, each in a place of its own; or, without network, all on loopback.
type town struct {
	t       *testing.T
	binary  string
	dir     string
	network *Network // nil on loopback
	servers []*party
	alice   *party
	bob     *party
	denver  *party // agency denver-pd
	pueblo  *party // agency pueblo-pd
}

// party is who runs processes.
type party struct {
	name    string
	address netip.Addr
	port    int
	place   *Place // nil on loopback
}

// newTown builds the binary, and joins everybody to a network of this weather
// if this machine lets it.
func newTown(t *testing.T, w Weather) *town {
	t.Helper()
	start := time.Now()
	dir, err := os.MkdirTemp("", "town") // short, for the sockets in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	o := &town{t: t, dir: dir, binary: filepath.Join(dir, "interlock")}
	if b, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", o.binary, "interlock/cmd/interlock").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, b)
	}
	t.Logf("%5.1f s to build", time.Since(start).Seconds())
	seed := seedOf(t)
	parties := make([]*party, 7)
	for i, name := range []string{"Denver", "Pueblo", "Boulder", "alice", "bob", "denver-pd", "pueblo-pd"} {
		parties[i] = &party{name: name, address: netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}), port: 4001}
	}
	o.servers, o.alice, o.bob, o.denver, o.pueblo = parties[:3], parties[3], parties[4], parties[5], parties[6]
	n, at, err := places(t, seed, w, len(parties))
	if err != nil {
		t.Logf("Without root and /dev/net/tun there are no faults here, and all processes meet on loopback: %v", err)
		for _, p := range parties {
			p.address, p.port = netip.MustParseAddr("127.0.0.1"), freePort(t)
		}
		return o
	}
	t.Logf("seed %d (NETNS_SEED)", seed)
	o.network = n
	for i, p := range parties {
		p.place = at[i]
	}
	return o
}

// seedOf is the seed that NETNS_SEED names, or a new one.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("NETNS_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, l)
	return l.Addr().(*net.TCPAddr).Port
}

func (p *party) tcp() string  { return fmt.Sprintf("/ip4/%s/tcp/%d", p.address, p.port) }
func (p *party) quic() string { return fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", p.address, p.port) }

// launch starts a command where the party is.
func (p *party) launch(c *exec.Cmd) error {
	if p.place == nil {
		return c.Start()
	}
	return p.place.Start(c)
}

// cut cuts two parties off from each other, both ways.
func (o *town) cut(a, b *party) {
	o.mute(a, b)
	o.mute(b, a)
}

// mute lets nothing through that one party sends another.
func (o *town) mute(from, to *party) {
	if o.network != nil {
		o.network.Cut(from.address, to.address)
	}
}

func (o *town) heal() {
	if o.network != nil {
		o.network.Heal()
	}
}

// path is a file of the town.
func (o *town) path(parts ...string) string {
	return filepath.Join(append([]string{o.dir}, parts...)...)
}

// try runs one command where the party is, and returns all it printed.
func (o *town) try(p *party, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(o.t.Context(), 2*patience)
	defer cancel()
	var out bytes.Buffer
	c := exec.CommandContext(ctx, o.binary, args...)
	c.Stdout, c.Stderr = &out, &out
	if err := p.launch(c); err != nil {
		return "", err
	}
	err := c.Wait()
	return out.String(), err
}

// does is try where failing is a fault.
func (o *town) does(p *party, args ...string) string {
	o.t.Helper()
	out, err := o.try(p, args...)
	if err != nil {
		o.t.Fatalf("%s: interlock %s: %v\n%s", p.name, strings.Join(args, " "), err, out)
	}
	return out
}

// runs starts a process that stays, until the test ends it.
func (o *town) runs(p *party, args ...string) {
	o.t.Helper()
	log := &logged{}
	c := exec.Command(o.binary, args...)
	c.Stdout, c.Stderr = log, log
	if err := p.launch(c); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		kill := time.AfterFunc(patience/4, func() {
			if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				o.t.Errorf("%s: %v", p.name, err)
			}
		})
		defer kill.Stop()
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			o.t.Errorf("%s: interrupt: %v", p.name, err)
		}
		if err := c.Wait(); err != nil {
			o.t.Errorf("%s did not end well: %v", p.name, err)
		}
		if o.t.Failed() {
			o.t.Logf("%s:\n%s", p.name, log.tail())
		}
	})
}

// logged keeps what a process prints.
type logged struct {
	mu    sync.Mutex
	bytes bytes.Buffer // owned by mu
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes.Write(b)
}

func (l *logged) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(l.bytes.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}
