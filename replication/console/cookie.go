package console

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// ticket is what a browser holds of a session. The console keeps its hash.
type ticket [32]byte

// cookies is how tickets travel.
type cookies struct {
	session, enrolment, said string // names
	secure                   bool
}

// cookiesFor returns the cookies for pages at origin. Browsers do not tell the
// ports of one host apart, so on loopback the name does.
func cookiesFor(origin *url.URL) (cookies, error) {
	if origin == nil || origin.Host == "" || strings.Trim(origin.Path, "/") != "" {
		return cookies{}, errors.New("console origin: it must be a scheme and a host, for example https://centre.example.org")
	}
	named := func(name string, secure bool) cookies {
		return cookies{name, name + "-enrol", name + "-said", secure}
	}
	switch origin.Scheme {
	case "https":
		return named("__Host-interlock-console", true), nil
	case "http":
		if loopback(origin.Hostname()) {
			return named("interlock-console-"+origin.Port(), false), nil
		}
		return cookies{}, fmt.Errorf("console origin %s: http is for loopback addresses alone, use https", origin.Redacted())
	}
	return cookies{}, fmt.Errorf("console origin %s: the scheme must be https", origin.Redacted())
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// ticket reads the ticket under a name out of r.
func (c cookies) ticket(r *http.Request, name string) (t ticket, ok bool) {
	cookie, err := r.Cookie(name)
	if err != nil {
		return t, false
	}
	b, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(b) != len(t) {
		return t, false
	}
	return ticket(b), true
}

// give makes the browser hold a ticket until it is closed; the console ends the
// session sooner.
func (c cookies) give(w http.ResponseWriter, name string, t ticket) {
	http.SetCookie(w, c.cookie(name, base64.RawURLEncoding.EncodeToString(t[:])))
}

// take makes the browser forget what it holds under a name.
func (c cookies) take(w http.ResponseWriter, name string) {
	gone := c.cookie(name, "")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
}

func (c cookies) cookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
