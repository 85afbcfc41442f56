package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/desk/rehearsal"
	"interlock/node/store"
	"interlock/node/web"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/protocol/pages"
)

// Every account in these tests has this password.
const password = "correct horse battery staple"

// world is one agency's pages, on a real desk on a real store. What stands
// behind the desk (the flow to the registry, the links to other agencies) is
// played by the test.
type world struct {
	t       testing.TB
	url     string
	pages   http.Handler
	desk    *desk.Desk
	store   *store.Store
	network *network
	flow    *flow
	covers  *covers
	log     *bytes.Buffer

	mu  sync.Mutex
	now time.Time // owned by mu
}

// open is a world whose pages are served on loopback.
func open(t testing.TB) *world {
	t.Helper()
	listener, err := pages.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := build(t, "http://"+listener.Addr().String())
	ctx, cancel := context.WithCancel(context.Background())
	server := pages.Server(w.pages)
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		cancel()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Errorf("shut the server down: %v", err)
		}
		<-served
	})
	return w
}

// build is a world without a server.
func build(t testing.TB, origin string) *world {
	t.Helper()
	w := &world{t: t, url: origin, log: &bytes.Buffer{}, now: time.Date(2026, 11, 24, 11, 14, 0, 0, time.UTC)}
	var err error
	w.store, err = store.Open(store.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	w.covers = &covers{}
	w.network, w.flow = newNetwork(), &flow{Flow: rehearsal.Flow{Store: w.store, Now: w.clock}, registry: true}
	w.desk = desk.New(desk.Options{
		Agency: directory.Agency{ID: "denver-pd", Name: "Denver Police Department", Jurisdiction: "US-CO"},
		Store:  w.store, Flow: w.flow, Network: w.network, Coverage: w.covers, Now: w.clock,
		MuteTags: func(identifier.Identifier) ([]desk.MuteTag, error) {
			return []desk.MuteTag{{Epoch: 1, Tag: strings.Repeat("0f", 16)}}, nil
		},
	})
	w.officer("m.okafor", casefile.Investigator)
	u, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	w.pages, err = web.New(web.Options{
		Desk: w.desk, Region: "US", Origin: u, Clock: w.clock,
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
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

// hashed is the password as the desk keeps it, made once: it is slow by design.
var hashed = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hashed")
	if err != nil {
		return "", err
	}
	s, err := store.Open(store.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", err
	}
	d := desk.New(desk.Options{Store: s, Now: time.Now})
	err = d.AddOfficer(casefile.Officer{Name: "somebody", Role: casefile.Investigator}, password)
	list, listing := d.Officers()
	if err := errors.Join(err, listing, s.Close(), os.RemoveAll(dir)); err != nil {
		return "", err
	}
	return list[0].Password, nil
})

// officer gives somebody an account.
func (w *world) officer(name casefile.OfficerName, role casefile.Role) {
	w.t.Helper()
	hash, err := hashed()
	if err == nil {
		o := casefile.Officer{Name: name, FullName: strings.ToUpper(string(name)), Role: role, Password: hash}
		err = w.store.Update(func(tx *store.Tx) error { return tx.PutOfficer(o) })
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// opens is a case that the officer opened.
func (w *world) opens(by casefile.OfficerName, number, title string) casefile.Case {
	w.t.Helper()
	c, err := w.desk.OpenCase(casefile.Officer{Name: by, Role: casefile.Investigator}, casefile.NewCase{Number: number, Title: title})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// raises is an alert between c and a case of the agency, as the match raises
// it: first on the disk, then to whoever watches.
func (w *world) raises(c casefile.Case, agency directory.AgencyID, theirs byte, kind identifier.Kind, raw string, h token.Handling) alert.ID {
	w.t.Helper()
	i, err := identifier.Parse(kind, raw, "US")
	if err != nil {
		w.t.Fatal(err)
	}
	p := alert.Pair{Case: c.ID, Agency: agency, Theirs: token.CasePointer{theirs}}
	var raised []alert.Alert
	err = w.store.Update(func(tx *store.Tx) error {
		err := tx.Raise(p, alert.Ground{Identifier: i, Handling: h, At: w.clock()})
		if err == nil {
			raised, err = tx.Raised()
		}
		return err
	})
	if err == nil {
		err = w.desk.Raised(raised)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return p.ID()
}

// summaryOf is the summary of a case.
func (w *world) summaryOf(c casefile.Case) (id alert.ID) {
	w.t.Helper()
	err := w.store.View(func(tx *store.Tx) error {
		return tx.CaseAlerts(c.ID, func(a alert.Alert) error {
			if a.IsSummary() {
				id = a.ID
			}
			return nil
		})
	})
	if err != nil || id == (alert.ID{}) {
		w.t.Fatalf("no summary in case %d: %v", c.ID, err)
	}
	return id
}

// client is an officer's browser without a screen.
type client struct {
	*world
	http *http.Client
}

// visits is a browser that has no session yet.
func (w *world) visits() *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &client{w, &http.Client{Jar: jar, Timeout: time.Minute}}
}

// signsIn is a browser in which the officer has signed in. It gets its session
// from the store: a sign-in is slow by design, and has tests of its own.
func (w *world) signsIn(name casefile.OfficerName) *client {
	w.t.Helper()
	var secret desk.Session
	rand.Read(secret[:])
	err := w.store.Update(func(tx *store.Tx) error {
		return tx.PutSession(sha256.Sum256(secret[:]), store.Session{Officer: name, Started: w.clock(), Used: w.clock()})
	})
	u, bad := url.Parse(w.url)
	if err := errors.Join(err, bad); err != nil {
		w.t.Fatal(err)
	}
	c := w.visits()
	c.http.Jar.SetCookies(u, []*http.Cookie{{Name: "interlock-" + u.Port(), Value: base64.RawURLEncoding.EncodeToString(secret[:])}})
	if got := c.get("/password"); got.status != http.StatusOK || !strings.Contains(got.body, "Sign out") {
		w.t.Fatalf("signed in as %s: %d %s", name, got.status, got.path)
	}
	return c
}

// shown is what a browser ends up with, redirects followed.
type shown struct {
	status int
	path   string
	body   string
	header http.Header
}

func (c *client) get(path string) shown {
	c.t.Helper()
	return c.do(c.request("GET", path, nil, ""))
}

func (c *client) post(path string, form url.Values) shown {
	c.t.Helper()
	return c.do(c.request("POST", path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded"))
}

// hands sends a text and files (name, content, name, content…) to a case.
func (c *client) hands(path, text string, files ...string) shown {
	c.t.Helper()
	body, kind := multipartForm(c.t, text, files...)
	return c.do(c.request("POST", path, body, kind))
}

func multipartForm(t testing.TB, text string, files ...string) (io.Reader, string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := form.WriteField("text", text); err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(files); i += 2 {
		part, err := form.CreateFormFile("file", files[i])
		if err == nil {
			_, err = io.WriteString(part, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return &body, form.FormDataContentType()
}

func (c *client) request(method, path string, body io.Reader, kind string) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Origin", c.url)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return r
}

func (c *client) do(r *http.Request) shown {
	c.t.Helper()
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return shown{res.StatusCode, res.Request.URL.RequestURI(), string(body), res.Header}
}
