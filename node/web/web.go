// Package web is the officers' pages of an agency's node: sign in, cases,
// what was found in a text or a file and who may learn of it, alerts as they
// arrive, values that many people share, and how far the node has heard the
// others.
//
// It shows and asks; who may do what is the desk's to decide, and every
// request takes the officer to it. Pages are whole HTML that works without
// scripts; htmx adds what a page cannot do alone, the inbox that fills by
// itself before all. Everything is embedded and no page names an address
// outside the node, so it works on a network without internet. No error text
// reaches a page: officers get sentences, the log gets the fault.
//
// What all pages of the project have in common is package pages'. The node's
// wiring calls New.
package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"interlock/node/desk"
	"interlock/protocol/identifier"
	"interlock/protocol/pages"
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
	cookies pages.Cookies
	pages   pages.Templates
	assets  pages.Assets
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
	cookies, err := pages.CookiesFor(o.Origin, "interlock")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	assets, err := pages.ReadAssets(staticFiles)
	if err != nil {
		return nil, err
	}
	templates, err := pages.ParseTemplates(templateFiles, assets, nil)
	if err != nil {
		return nil, err
	}
	return &site{
		desk: o.Desk, region: o.Region, proxy: o.TrustedProxy, log: o.Log, now: o.Clock,
		cookies: cookies, pages: templates, assets: assets,
		gate: newGate(), streams: newStreams(),
	}, nil
}

// handler is the routes behind what holds for each of them.
func (s *site) handler(origin *url.URL) (http.Handler, error) {
	return pages.Guard{
		Origin: origin, Log: s.log, Refuse: s.refuseCrossOrigin,
		Fail: func(w http.ResponseWriter, r *http.Request, err error) { s.fail(w, r, visitor{}, err) },
	}.Handler(s.routes())
}

// static serves an embedded file.
func (s *site) static(w http.ResponseWriter, r *http.Request) {
	found, err := s.assets.Serve(w, r)
	if !found {
		s.fail(w, r, visitor{}, errNoPage)
		return
	}
	s.undelivered(r, err)
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
	page("GET /cases/{case}/handling", maxForm, s.toCase)
	page("POST /cases/{case}/handling", maxChosen, s.askHandling)
	page("POST /cases/{case}/handled", maxChosen, s.handle)
	page("GET /cases/{case}/certificate", maxForm, s.certificate)

	page("GET /alerts", maxForm, s.inbox)
	page("GET /alerts/{alert}", maxForm, s.alertPage)
	page("POST /alerts/{alert}/seen", maxForm, s.markSeen)

	page("GET /common", maxForm, s.commonPage)
	page("GET /values/{value}", maxForm, s.valuePage)
	page("POST /values/{value}/mute", maxForm, s.mute)
	page("POST /values/{value}/unmute", maxForm, s.unmute)

	page("GET /network", maxForm, s.network)
	page("/", maxForm, func(http.ResponseWriter, *http.Request, visitor) error { return errNoPage })
	return m
}

// longTimeout is how long an upload and a save may take.
const longTimeout = 15 * time.Minute
