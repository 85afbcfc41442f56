package console

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/pquerna/otp/totp"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// Every operator in these tests has this passphrase.
const passphrase = "four words without sense"

// world is a console before a registry that the test plays.
type world struct {
	t   testing.TB
	c   *Console
	hub *hub
	url string
	dir string
	log *lockedBuffer

	mu  sync.Mutex
	now time.Time // owned by mu
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// open is a world that is served on loopback, with four operators: two
// decide everything, one admits agencies, and one looks.
func open(t testing.TB) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, hub: newHub(), url: "http://" + l.Addr().String(), dir: t.TempDir(), log: &lockedBuffer{},
		now: time.Date(2026, 11, 24, 14, 32, 10, 0, time.UTC),
	}
	w.hub.now = w.clock
	for name, roles := range map[string]registry.Role{
		"m-lindqvist": registry.AllRoles, "j-okoro": registry.AllRoles, "k-haddad": registry.Admission, "a-petit": registry.Audit,
	} {
		w.hub.operator(name, wire.PeerOf(w.founds(name).Signing), roles)
	}
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	w.c, err = New(Options{
		Network: "Rockies", Operators: w.dir, Origin: u, Clock: w.clock, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Open: func(keys *vault.Keys) (Registry, error) { return w.hub.as(keys) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.c.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// founds makes an operator's sealed keys, under the passphrase at the least work
// that scrypt allows.
func (w *world) founds(name string) *vault.Keys {
	w.t.Helper()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	keys, err := vault.GenerateKeys(nil)
	must(err)
	scratch := w.t.TempDir()
	lock, err := vault.NewKeyFile(filepath.Join(scratch, "key"))
	must(err)
	must(keys.Save(filepath.Join(scratch, "keys"), lock))
	plain, err := vault.ReadSealed(filepath.Join(scratch, "keys"), lock)
	must(err)
	r, err := age.NewScryptRecipient(passphrase)
	must(err)
	r.SetWorkFactor(1)
	var sealed bytes.Buffer
	into, err := age.Encrypt(&sealed, r)
	must(err)
	_, err = into.Write(plain)
	must(err)
	must(into.Close())
	must(os.WriteFile(filepath.Join(w.dir, name+keysExt), sealed.Bytes(), 0o600))
	return keys
}

// client is a browser without scripts.
type client struct {
	w    *world
	http *http.Client
}

func (w *world) client() *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &client{w, &http.Client{Jar: jar}}
}

// answered is what came back.
type answered struct {
	status int
	path   string
	text   string
	header http.Header
}

func (c *client) do(r *http.Request) answered {
	c.w.t.Helper()
	response, err := c.http.Do(r)
	if err != nil {
		c.w.t.Fatal(err)
	}
	b, err := io.ReadAll(response.Body)
	if closing := response.Body.Close(); err != nil || closing != nil {
		c.w.t.Fatal(err, closing)
	}
	return answered{response.StatusCode, response.Request.URL.RequestURI(), string(b), response.Header}
}

func (c *client) get(path string) answered {
	c.w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, c.w.url+path, nil)
	if err != nil {
		c.w.t.Fatal(err)
	}
	return c.do(r)
}

// post sends a form; fields are names and values in turn.
func (c *client) post(path string, fields ...string) answered {
	c.w.t.Helper()
	return c.do(c.form(path, fields...))
}

func (c *client) form(path string, fields ...string) *http.Request {
	c.w.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, c.w.url+path, strings.NewReader(values.Encode()))
	if err != nil {
		c.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// code is what the authenticator app of somebody shows now.
func (w *world) code(name string) string {
	w.t.Helper()
	f, err := w.c.ring.factor(name, w.keys(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.codeOf(f)
}

func (w *world) codeOf(f factor) string {
	w.t.Helper()
	code, err := totp.GenerateCode(f.secret, w.clock())
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

func (w *world) keys(name string) *vault.Keys {
	w.t.Helper()
	keys, err := vault.LoadKeys(filepath.Join(w.dir, name+keysExt), vault.Passphrase([]byte(passphrase)))
	if err != nil {
		w.t.Fatal(err)
	}
	return keys
}

// enrols sets up somebody's second factor, and signs nobody in.
func (w *world) enrols(name string) {
	w.t.Helper()
	f, err := newFactor()
	if err != nil {
		w.t.Fatal(err)
	}
	sealed, err := w.keys(name).Age.Recipient().Seal(f.encode())
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, name+factorExt), sealed, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// signsIn is somebody who is signed in.
func (w *world) signsIn(name string) *client {
	w.t.Helper()
	w.enrols(name)
	c := w.client()
	got := c.post("/sign-in", "name", name, "passphrase", passphrase, "code", w.code(name))
	if got.status != http.StatusOK || got.path != "/" {
		w.t.Fatalf("sign in as %s: %d at %s\n%s", name, got.status, got.path, got.text)
	}
	return c
}

// session is the only session of somebody.
func (w *world) session(name string) *session {
	w.t.Helper()
	for _, s := range w.c.sessions.list() {
		if s.name == name {
			return s
		}
	}
	w.t.Fatalf("%s is not signed in", name)
	return nil
}
