// Package web is the officers' pages of an agency's node: sign in, cases,
// what was found in a text or a file, alerts as they arrive, and how far the
// node has heard the others.
//
// It shows and asks; who may do what is the desk's to decide, and every
// request takes the officer to it. Pages are whole HTML that works without
// scripts; htmx adds what a page cannot do alone, the inbox that fills by
// itself before all. Everything is embedded and no page names an address
// outside the node, so it works on a network without internet. No error text
// reaches a page: officers get sentences, the log gets the fault.
//
// The node's wiring calls New, Server and Listen.
package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"interlock/node/desk"
	"interlock/protocol/identifier"
)

// Options are what the pages need.
type Options struct {
	Desk   *desk.Desk
	Region identifier.Region // the agency's own, for telephone numbers

	// Origin is how officers reach the pages: https and a host, whoever ends
	// the TLS, or http and a loopback address.
	Origin *url.URL
	// TrustedProxy is where X-Forwarded-For is believed; the zero Prefix
	// believes nobody.
	TrustedProxy netip.Prefix

	Log   *slog.Logger
	Clock func() time.Time // its location is the one that pages show times in
}

// Limits of what an officer sends at once.
const (
	// MaxUpload is the bytes of one paste or upload, all files together.
	MaxUpload = 32 << 20
	// maxFiles is how many files one upload may bring.
	maxFiles = 20
	// maxForm is the bytes of every other form: a note of the greatest length,
	// with each of its bytes escaped to three.
	maxForm = 1 << 20
)

// site is the pages and what they share.
type site struct {
	desk    *desk.Desk
	region  identifier.Region
	proxy   netip.Prefix
	log     *slog.Logger
	now     func() time.Time
	cookies cookies
	pages   pages
	assets  assets
	gate    *gate
	streams *streams
}

// New returns the pages. An origin that would send the session's cookie over
// an open network in the clear is an error.
func New(o Options) (http.Handler, error) {
	s, err := newSite(o)
	if err != nil {
		return nil, err
	}
	return s.handler(o.Origin)
}

func newSite(o Options) (*site, error) {
	cookies, err := cookiesFor(o.Origin)
	if err != nil {
		return nil, err
	}
	assets, err := readAssets()
	if err != nil {
		return nil, err
	}
	pages, err := parsePages(assets)
	if err != nil {
		return nil, err
	}
	return &site{
		desk: o.Desk, region: o.Region, proxy: o.TrustedProxy, log: o.Log, now: o.Clock,
		cookies: cookies, pages: pages, assets: assets,
		gate: newGate(), streams: newStreams(),
	}, nil
}

// handler is the routes behind what holds for each of them.
func (s *site) handler(origin *url.URL) (http.Handler, error) {
	crossOrigin := http.NewCrossOriginProtection()
	if err := crossOrigin.AddTrustedOrigin(origin.Scheme + "://" + origin.Host); err != nil {
		return nil, fmt.Errorf("web origin: %w", err)
	}
	crossOrigin.SetDenyHandler(http.HandlerFunc(s.refuseCrossOrigin))
	return s.withHeaders(origin.Scheme == "https", s.withoutPanics(crossOrigin.Handler(s.routes()))), nil
}

// routes is the site map.
func (s *site) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /static/{name}", s.static)
	m.HandleFunc("GET /sign-in", s.signInPage)
	m.HandleFunc("POST /sign-in", s.signIn)
	m.HandleFunc("GET /events", s.events)

	page := func(pattern string, limit int64, p page) { m.Handle(pattern, s.signedIn(limit, p)) }
	page("GET /{$}", maxForm, s.home)
	page("POST /sign-out", maxForm, s.signOut)
	page("GET /password", maxForm, s.passwordPage)
	page("POST /password", maxForm, s.changePassword)

	page("GET /cases", maxForm, s.cases)
	page("GET /cases/new", maxForm, s.newCasePage)
	page("POST /cases", maxForm, s.newCase)
	page("GET /cases/{case}", maxForm, s.casePage)
	m.Handle("GET /cases/{case}/alerts", s.admit(maxForm, s.caseAlerts))
	page("POST /cases/{case}/notes", maxForm, s.addNote)
	page("POST /cases/{case}/intake", MaxUpload, s.takeIn)
	page("GET /cases/{case}/check", maxForm, s.checkPage)
	page("POST /cases/{case}/check", maxForm, s.saveChecked)

	page("GET /alerts", maxForm, s.inbox)
	page("GET /alerts/{alert}", maxForm, s.alertPage)
	page("POST /alerts/{alert}/seen", maxForm, s.markSeen)

	page("GET /network", maxForm, s.network)
	page("/", maxForm, func(http.ResponseWriter, *http.Request, visitor) error { return errNoPage })
	return m
}

// Deadlines of the server. Handlers that take longer with good reason (an
// upload, a save, a stream of events) extend their own.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = time.Minute
	answerTimeout = time.Minute
	idleTimeout   = 2 * time.Minute
	longTimeout   = 15 * time.Minute
	maxHeader     = 16 << 10
)

// Server returns an HTTP server for h with the limits that the pages need.
// The caller serves it, and sets its TLS configuration and its BaseContext: a
// stream of events ends with that context, and Shutdown waits for it to.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
}

// takeTime lets the request take longer than the others. Recorders in tests
// have no deadlines, which is no fault.
func takeTime(w http.ResponseWriter, d time.Duration) error {
	c, until := http.NewResponseController(w), time.Now().Add(d) // the connection's clock, not the pages'
	err := errors.Join(c.SetReadDeadline(until), c.SetWriteDeadline(until))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
