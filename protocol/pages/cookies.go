package pages

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Ticket is what a browser holds of a session.
type Ticket [32]byte

// Cookies is how tickets travel. Names have this prefix.
type Cookies struct {
	Prefix string
	secure bool
}

// CookiesFor returns the cookies for pages at origin: https, or http on
// loopback. Browsers do not tell the ports of one host apart, so there, where
// several servers may run, the prefix does.
func CookiesFor(origin *url.URL, name string) (Cookies, error) {
	if origin == nil || origin.Host == "" || strings.Trim(origin.Path, "/") != "" {
		return Cookies{}, errors.New("origin: it must be a scheme and a host, for example https://interlock.example.org")
	}
	switch {
	case origin.Scheme == "https":
		return Cookies{"__Host-" + name, true}, nil
	case origin.Scheme != "http":
		return Cookies{}, fmt.Errorf("origin %s: the scheme must be https", origin.Redacted())
	case !loopback(origin.Hostname()):
		return Cookies{}, fmt.Errorf("origin %s: http is for loopback addresses alone, use https", origin.Redacted())
	}
	return Cookies{name + "-" + origin.Port(), false}, nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// Ticket reads the ticket under a name out of r.
func (c Cookies) Ticket(r *http.Request, name string) (t Ticket, ok bool) {
	cookie, err := r.Cookie(name)
	if err != nil {
		return t, false
	}
	b, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(b) != len(t) {
		return t, false
	}
	return Ticket(b), true
}

// Give makes the browser hold a ticket until it is closed; the server ends the
// session sooner.
func (c Cookies) Give(w http.ResponseWriter, name string, t Ticket) {
	http.SetCookie(w, c.Cookie(name, base64.RawURLEncoding.EncodeToString(t[:])))
}

// Take makes the browser forget what it holds under a name.
func (c Cookies) Take(w http.ResponseWriter, name string) {
	gone := c.Cookie(name, "")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
}

// Cookie is a cookie that scripts cannot read and other sites' pages do not send.
func (c Cookies) Cookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
