package sample

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"interlock/protocol/identifier"
)

// Names of RFC 2606; blocks of telephone numbers kept for fiction; networks
// that IANA set aside for services of its own and that Interlock takes for
// public addresses.
var (
	reservedName   = regexp.MustCompile(`(^|\.)(example|example\.(com|net|org))$`)
	fictionalPhone = regexp.MustCompile(`^\+(1\d{3}55501\d\d|447700900\d{3}|442079460\d{3})$`)
	specialNets    = []netip.Prefix{
		netip.MustParsePrefix("192.31.196.0/24"),
		netip.MustParsePrefix("192.52.193.0/24"),
		netip.MustParsePrefix("192.175.48.0/24"),
		netip.MustParsePrefix("2620:4f:8000::/48"),
	}
)

func TestNoIdentifierCanBelongToAnybody(t *testing.T) {
	for id := range readAll(t) {
		if !isNobodys(t, id) {
			t.Errorf("%s %s is outside the ranges that README.md names", id.Kind(), id.Value())
		}
	}
}

// isNobodys reports whether the place that id names is in a reserved range.
// Hashes, wallets and accounts name no place.
func isNobodys(t *testing.T, id identifier.Identifier) bool {
	t.Helper()
	value := id.Value()
	switch id.Kind() {
	case identifier.Email:
		return reservedName.MatchString(value[strings.LastIndexByte(value, '@')+1:])
	case identifier.Domain:
		return reservedName.MatchString(value)
	case identifier.URL:
		u, err := url.Parse(value)
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		return reservedName.MatchString(u.Hostname()) || isSpecial(u.Hostname())
	case identifier.IP:
		return isSpecial(value)
	case identifier.Phone:
		return fictionalPhone.MatchString(value)
	}
	return true
}

func isSpecial(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, network := range specialNets {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// hostName finds names under the top-level domains that people use most,
// whatever the program's own readers make of them.
var hostName = regexp.MustCompile(`(?i)\b[a-z0-9-]+(\.[a-z0-9-]+)*\.(com|org|net|edu|gov|info|io|me|co|ca|us|uk|de|fr)\b`)

func TestNoFileNamesARealDomain(t *testing.T) {
	for _, a := range Agencies() {
		for _, c := range a.Cases {
			for _, f := range c.Files {
				for _, name := range hostName.FindAllString(plainText(f.Content), -1) {
					if !reservedName.MatchString(strings.ToLower(name)) {
						t.Errorf("%s of case %s names %s", f.Name, c.Number, name)
					}
				}
			}
		}
	}
}

// plainText decodes UTF-16 that a byte order mark announces.
func plainText(content []byte) string {
	if len(content) < 2 || content[0] != 0xff || content[1] != 0xfe {
		return string(content)
	}
	units := make([]uint16, 0, len(content)/2)
	for i := 2; i+1 < len(content); i += 2 {
		units = append(units, uint16(content[i])|uint16(content[i+1])<<8)
	}
	return string(utf16.Decode(units))
}
