package web

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"interlock/node/desk"
)

// cookies is how the session travels.
type cookies struct {
	name   string
	secure bool
}

// cookiesFor returns the cookie for pages at origin. Browsers do not tell the
// ports of one host apart, so on loopback, where several nodes may run, the
// name does.
func cookiesFor(origin *url.URL) (cookies, error) {
	if origin == nil || origin.Host == "" || strings.Trim(origin.Path, "/") != "" {
		return cookies{}, errors.New("web origin: it must be a scheme and a host, for example https://interlock.example.org")
	}
	switch origin.Scheme {
	case "https":
		return cookies{"__Host-interlock", true}, nil
	case "http":
		if loopback(origin.Hostname()) {
			return cookies{"interlock-" + origin.Port(), false}, nil
		}
		return cookies{}, fmt.Errorf("web origin %s: http is for loopback addresses alone, use https", origin.Redacted())
	}
	return cookies{}, fmt.Errorf("web origin %s: the scheme must be https", origin.Redacted())
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// session reads the session out of r.
func (c cookies) session(r *http.Request) (desk.Session, bool) {
	var session desk.Session
	cookie, err := r.Cookie(c.name)
	if err != nil {
		return session, false
	}
	b, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(b) != len(session) {
		return session, false
	}
	copy(session[:], b)
	return session, true
}

// give makes the browser hold the session until it is closed; the desk ends
// it sooner.
func (c cookies) give(w http.ResponseWriter, session desk.Session) {
	http.SetCookie(w, c.cookie(c.name, base64.RawURLEncoding.EncodeToString(session[:])))
}

// take makes the browser forget the session.
func (c cookies) take(w http.ResponseWriter) {
	gone := c.cookie(c.name, "")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
}

func (c cookies) cookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
