package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"interlock/protocol/directory"
	"interlock/replication/centre"
)

// patience is how long a test waits for what must happen; it fails after it.
const patience = 60 * time.Second

// names that must stay out of every scrape.
const (
	networkName  = "Planted Network"
	operatorName = "planted-operator"
	secondName   = "planted-second"
)

func serverName(i int) string { return fmt.Sprintf("Planted Server %d", i+1) }

// world is a network of three servers in this process, each with its metrics.
type world struct {
	t       testing.TB
	dir     string
	network directory.Network
	servers []*centre.Server // nil while stopped
	metrics []*Metrics
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "net"), servers: make([]*centre.Server, 3), metrics: make([]*Metrics, 3)}
	r := centre.Rehearsal{Name: networkName, Dir: w.dir, Threshold: 2, Operators: []string{operatorName, secondName}}
	for i, address := range freeAddresses(t, len(w.servers)) {
		r.Servers = append(r.Servers, centre.FoundingServer{Name: serverName(i), Listen: []string{address}})
	}
	var err error
	if w.network, err = centre.Rehearse(r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range w.servers {
			w.stop(i)
		}
	})
	for i := range w.servers {
		w.start(i)
	}
	for i := range w.servers {
		w.await(i, "a key and readiness", func(s samples) bool { return s["ready"] == 1 && s[`key_share_held{epoch="1"}`] == 1 })
	}
	return w
}

func freeAddresses(t testing.TB, n int) (addresses []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		addresses = append(addresses, fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port))
	}
	return addresses
}

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w.t.Cleanup(cancel)
	return ctx
}

func (w *world) start(i int) {
	w.t.Helper()
	c, err := centre.Load(filepath.Join(w.dir, fmt.Sprintf("server-%d", i+1), "registry.toml"))
	if err != nil {
		w.t.Fatal(err)
	}
	lock, err := c.Lock()
	if err != nil {
		w.t.Fatal(err)
	}
	w.metrics[i] = New(nil)
	w.servers[i], err = centre.Start(w.ctx(), centre.Options{
		Config: c, Unlock: lock, Timing: centre.QuickTiming(), Patience: 5 * time.Second, Observer: w.metrics[i],
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.metrics[i].Watch(w.servers[i])
}

func (w *world) stop(i int) {
	w.t.Helper()
	if w.servers[i] == nil {
		return
	}
	if err := w.servers[i].Close(); err != nil {
		w.t.Error(err)
	}
	w.servers[i] = nil
}

func (w *world) operator(name string) *centre.Operator {
	w.t.Helper()
	o, err := centre.LoadOperator(filepath.Join(w.dir, "network.toml"), filepath.Join(w.dir, "operators", name+".age"), "", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := o.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return o
}

// samples are the numbers of one scrape, by name without the namespace and with
// labels as they are written.
type samples map[string]float64

func scrapeOf(t testing.TB, m *Metrics) (samples, string) {
	t.Helper()
	status, body := get(t, m, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("scrape: got status %d: %s", status, body)
	}
	got := make(samples)
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("scrape: line %q: %v", line, err)
		}
		got[strings.TrimPrefix(name, namespace+"_")] = number
	}
	return got, body
}

func get(t testing.TB, m *Metrics, path string) (status int, body string) {
	t.Helper()
	server := httptest.NewRecorder()
	m.Handler().ServeHTTP(server, httptest.NewRequest(http.MethodGet, path, nil))
	b, err := io.ReadAll(server.Body)
	if err != nil {
		t.Fatal(err)
	}
	return server.Code, string(b)
}

func ready(t testing.TB, m *Metrics) (status int, body readiness) {
	t.Helper()
	status, text := get(t, m, "/readyz")
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Fatalf("readiness: %v in %s", err, text)
	}
	return status, body
}

// await waits until a scrape of server i is as it should be.
func (w *world) await(i int, what string, done func(samples) bool) samples {
	w.t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for ctx := w.ctx(); ; {
		got, body := scrapeOf(w.t, w.metrics[i])
		if done(got) {
			return got
		}
		select {
		case <-look.C: // links come and go without a word
		case <-ctx.Done():
			w.t.Fatalf("server %d: waited in vain for %s; the last scrape:\n%s", i+1, what, body)
		}
	}
}
