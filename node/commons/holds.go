package commons

import (
	"net/netip"
	"net/url"
	"strings"
)

func (l *List) holdsMailbox(v string) bool {
	at := strings.LastIndexByte(v, '@')
	if at < 0 {
		return false
	}
	if l.shapes&mailboxes != 0 && (l.has(v) || l.has(v[:at+1])) {
		return true
	}
	return l.mailboxes && l.holdsName(v[at+1:])
}

// holdsName looks for a name, with or without www, and for each that it lies
// below.
func (l *List) holdsName(name string) bool {
	name = strings.TrimPrefix(name, "www.")
	if l.has(name) {
		return true
	}
	for {
		var more bool
		if _, name, more = strings.Cut(name, "."); !more {
			return false
		}
		if l.has("*." + name) {
			return true
		}
	}
}

// site is the host of a web address that names nothing but a host.
func site(v string) (host string, ok bool) {
	u, err := url.Parse(v)
	if err != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	return u.Hostname(), true
}

func (l *List) holdsAddress(v string) bool {
	address, err := netip.ParseAddr(v)
	if err != nil {
		return false
	}
	if l.has(v) {
		return true
	}
	lengths := l.bits6
	if address.Is4() {
		lengths = l.bits4
	}
	for _, bits := range lengths {
		if p, err := address.Prefix(bits); err == nil && l.has(p.String()) {
			return true
		}
	}
	return false
}

// freeDigits is the most digits of a number that an entry leaves open at its
// end.
const freeDigits = 7

// holdsNumber looks for a number, and for it with its last digits left open; of
// North America with its area code left open as well.
func (l *List) holdsNumber(v string) bool {
	for open := range freeDigits + 1 {
		if len(v)-open < 4 {
			return false
		}
		form := v[:len(v)-open] + strings.Repeat("x", open)
		if l.has(form) || len(v) == 12 && v[1] == '1' && l.has("+1xxx"+form[5:]) {
			return true
		}
	}
	return false
}
