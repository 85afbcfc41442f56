// Package console is the national centre's web pages: its operators sign in,
// see how the federation stands, and decide upon agencies, servers, keys and
// policy.
//
// It is a process of the centre and no registry server. It keeps the operators'
// key files, each sealed under its operator's passphrase, and speaks to the
// registry as the one who is signed in, with that operator's own keys. While
// nobody is signed in it can do nothing, and it never has more power than those
// who are: the registry checks every signature and every role itself, and what
// takes two operators takes two here as well. Who controls the machine that it
// runs on can use the keys of everybody who signs in meanwhile.
//
// Pages are whole HTML that works without scripts; htmx and a stream of events
// keep what is shown up to date. Everything is embedded and no page names an
// address outside the console.
//
// The command line calls New and Serve.
package console

import (
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/pages"
)

// Options are what the console needs.
type Options struct {
	// Network is the federation's name, as pages show it.
	Network string
	// Operators is the folder of the operators' sealed key files, <name>.age,
	// and of their sealed second factors, <name>.totp, which the console writes.
	Operators string
	// Open speaks with the registry as the operator who holds keys. It takes
	// them over, also when it fails: Close erases them.
	Open func(keys *vault.Keys) (Registry, error)

	// Origin is how operators reach the pages: https and a host, whoever ends
	// the TLS, or http and a loopback address.
	Origin *url.URL
	// TrustedProxy is where X-Forwarded-For is believed; the zero Prefix
	// believes nobody.
	TrustedProxy netip.Prefix

	Log   *slog.Logger
	Clock func() time.Time // its location is the one that pages show times in
}

// Console is the pages and what they share.
type Console struct {
	network  string
	open     func(keys *vault.Keys) (Registry, error)
	proxy    netip.Prefix
	log      *slog.Logger
	now      func() time.Time
	cookies  cookies
	pages    pages.Templates
	assets   pages.Assets
	gate     *gate
	ring     ring
	sessions *sessions
	handler  http.Handler
}

// New returns the console. An origin that would send the session's cookie over
// an open network in the clear is an error.
func New(o Options) (*Console, error) {
	cookies, err := cookiesFor(o.Origin)
	if err != nil {
		return nil, err
	}
	assets, err := pages.ReadAssets(staticFiles)
	if err != nil {
		return nil, err
	}
	templates, err := pages.ParseTemplates(templateFiles, assets, template.FuncMap{"firstUpper": firstUpper})
	if err != nil {
		return nil, err
	}
	if o.Open == nil || o.Log == nil || o.Clock == nil || o.Operators == "" {
		return nil, errors.New("console: want a folder of operators, a way to the registry, a log and a clock")
	}
	c := &Console{
		network: o.Network, open: o.Open, proxy: o.TrustedProxy, log: o.Log, now: o.Clock,
		cookies: cookies, pages: templates, assets: assets,
		gate: newGate(), ring: ring{dir: o.Operators, slow: make(chan struct{}, openAtOnce)}, sessions: newSessions(),
	}
	c.handler, err = pages.Guard{
		Origin: o.Origin, Log: o.Log, Refuse: c.refuseCrossOrigin,
		Fail: func(w http.ResponseWriter, r *http.Request, err error) { c.fail(w, r, nil, err) },
	}.Handler(c.routes())
	return c, err
}

// static serves an embedded file.
func (c *Console) static(w http.ResponseWriter, r *http.Request) {
	found, err := c.assets.Serve(w, r)
	if !found {
		c.fail(w, r, nil, errNoPage)
		return
	}
	c.undelivered(r, err)
}

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// routes is the site map.
func (c *Console) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /static/{name}", c.static)
	m.HandleFunc("GET /sign-in", c.signInPage)
	m.HandleFunc("POST /sign-in", c.signIn)
	m.HandleFunc("GET /enrol", c.enrolPage)
	m.HandleFunc("GET /enrol/code.png", c.enrolPicture)
	m.HandleFunc("POST /enrol", c.enrol)
	m.HandleFunc("POST /sign-out", c.signOut)
	m.HandleFunc("GET /events", c.events)

	page := func(pattern string, p page) { m.Handle(pattern, c.signedIn(p)) }
	page("GET /{$}", c.overview)
	page("GET /applications", c.applications)
	page("GET /applications/{hash}", c.application)
	page("POST /applications/{hash}/{verb}", c.decideApplication)

	page("GET /agencies", c.agencies)
	page("GET /agencies/{id}", c.agency)
	page("GET /agencies/{id}/history", c.agencyHistory)
	page("POST /agencies/{id}/suspend", c.suspend)
	page("POST /agencies/{id}/clear", c.clear)

	page("GET /motions", c.motions)
	page("GET /motions/new", c.motionKinds)
	page("GET /motions/new/{kind}", c.motionForm)
	page("POST /motions/new/{kind}", c.putMotion)
	page("GET /motions/{number}", c.motion)
	page("POST /motions/{number}/{verb}", c.decideMotion)

	page("GET /invitations", c.invitations)
	page("POST /invitations", c.invite)
	page("GET /invitations/{made}", c.invitation)
	page("GET /invitations/{made}/code.png", c.invitationPicture)
	page("POST /invitations/{made}/done", c.invitationDone)

	page("GET /network", c.jurisdictions)
	page("GET /servers", c.servers)
	page("GET /record", c.record)
	page("GET /record/export", c.export)
	page("/", func(http.ResponseWriter, *http.Request, *visit) error { return errNoPage })
	return m
}
