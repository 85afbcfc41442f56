// Package control is how the command line speaks with the node that runs on
// the same machine: HTTP over a Unix socket in the node's folder, which only
// the account that runs the node can open.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"interlock/node/casefile"
	"interlock/node/desk"
)

// socket is the file in the node's folder. Unix limits its whole path to about
// a hundred bytes.
const socket = "control.sock"

// ErrNotRunning is the answer where no node listens in the folder.
var ErrNotRunning = errors.New("the node is not running: start it with `interlock node run`")

// maxRequest bounds what a request may carry.
const maxRequest = 64 << 10

// NewOfficer is an account to be made.
type NewOfficer struct {
	Name     string
	FullName string
	Role     string
	Password string
}

// Status is how the node stands.
type Status struct {
	Agency  string
	Name    string
	Entries uint64 // of its own feed
	Network desk.NetworkStatus
}

// Listen opens the socket in dir. The folder's lock is the node's: a socket
// that a killed node left behind is removed.
func Listen(dir string) (net.Listener, error) {
	path := filepath.Join(dir, socket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("restrict control socket: %w", err), l.Close())
	}
	return l, nil
}

// Server answers the command line from the desk.
func Server(d *desk.Desk) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		own, err := d.Own()
		answer(w, Status{Agency: string(d.Agency().ID), Name: d.Agency().Name, Entries: own, Network: d.Network()}, err)
	})
	mux.HandleFunc("GET /officers", func(w http.ResponseWriter, _ *http.Request) {
		list, err := d.Officers()
		for i := range list {
			list[i].Password = ""
		}
		answer(w, list, err)
	})
	mux.HandleFunc("POST /officers", func(w http.ResponseWriter, r *http.Request) {
		var n NewOfficer
		if !read(w, r, &n) {
			return
		}
		answer(w, struct{}{}, add(d, n))
	})
	mux.HandleFunc("POST /password", func(w http.ResponseWriter, r *http.Request) {
		var n NewOfficer
		if !read(w, r, &n) {
			return
		}
		answer(w, struct{}{}, d.SetPassword(casefile.OfficerName(n.Name), n.Password))
	})
	serveCommons(mux, d)
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
}

func add(d *desk.Desk, n NewOfficer) error {
	name, err := casefile.ParseOfficerName(n.Name)
	if err != nil {
		return &casefile.Sentence{Text: err.Error()}
	}
	role, err := casefile.ParseRole(n.Role)
	if err != nil {
		return &casefile.Sentence{Text: err.Error()}
	}
	return d.AddOfficer(casefile.Officer{Name: name, FullName: n.FullName, Role: role}, n.Password)
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	return readAtMost(w, r, maxRequest, into)
}

func readAtMost(w http.ResponseWriter, r *http.Request, most int64, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(into)
	if err != nil {
		http.Error(w, "the request is not one this node understands", http.StatusBadRequest)
	}
	return err == nil
}

// answer writes a value, or why there is none: an officer's sentence as it is,
// and of a fault no more than that there was one.
func answer(w http.ResponseWriter, v any, err error) {
	var s *casefile.Sentence
	switch {
	case errors.As(err, &s):
		http.Error(w, s.Error(), http.StatusUnprocessableEntity)
	case err != nil:
		http.Error(w, "the node could not do this; its log says why", http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			return // the command line has gone
		}
	}
}

// Client speaks with the node in one folder.
type Client struct{ http http.Client }

// Dial returns a client for the node in dir. Whether it runs shows at the
// first call.
func Dial(dir string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(dir, socket))
	}
	return &Client{http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 30 * time.Second}}
}

// Status asks how the node stands.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, http.MethodGet, "/status", nil, &s)
}

// Officers lists the accounts.
func (c *Client) Officers(ctx context.Context) (list []casefile.Officer, err error) {
	return list, c.call(ctx, http.MethodGet, "/officers", nil, &list)
}

// AddOfficer makes an account.
func (c *Client) AddOfficer(ctx context.Context, n NewOfficer) error {
	return c.call(ctx, http.MethodPost, "/officers", n, &struct{}{})
}

// SetPassword gives an account another password.
func (c *Client) SetPassword(ctx context.Context, name, password string) error {
	return c.call(ctx, http.MethodPost, "/password", NewOfficer{Name: name, Password: password}, &struct{}{})
}

func (c *Client) call(ctx context.Context, method, path string, body, into any) (err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://node"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return ErrNotRunning
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
		if err != nil {
			return err
		}
		return errors.New(string(b[:max(0, len(b)-1)]))
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
