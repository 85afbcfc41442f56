package identifier

import (
	"net/netip"
	"strings"
)

// Refusals of IP addresses.
const (
	RefusedIP        Refusal = "This is not an IP address."
	RefusedPrivateIP Refusal = "This IP address is private or reserved: it is used in many places and belongs to nobody."
	RefusedNetwork   Refusal = "This is a whole network, not one IP address."
)

// reserved are the IPv4 ranges of IANA's special-purpose registry (RFC 6890 and its updates) that no one subscriber
// has. 100.64.0.0/10, which carriers use inside their networks (RFC 6598), is among them: every carrier uses the
// same addresses. The public address in front of a carrier's network is an address like any other.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("10.0.0.0/8"),      // private
	netip.MustParsePrefix("100.64.0.0/10"),   // inside carriers' networks
	netip.MustParsePrefix("127.0.0.0/8"),     // loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local
	netip.MustParsePrefix("172.16.0.0/12"),   // private
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),  // private
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/4"),     // multicast
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
}

// IPv6 addresses of subscribers lie in 2000::/3; these parts of it are set aside.
var (
	unicast6  = netip.MustParsePrefix("2000::/3")
	reserved6 = []netip.Prefix{
		netip.MustParsePrefix("2001:db8::/32"), // documentation
		netip.MustParsePrefix("2001:2::/48"),   // benchmarks
		netip.MustParsePrefix("2001:10::/28"),  // ORCHID
		netip.MustParsePrefix("2001:20::/28"),  // ORCHIDv2
		netip.MustParsePrefix("3fff::/20"),     // documentation
	}
)

func canonicalIP(text string) (string, error) {
	text, prefix, network := strings.Cut(text, "/")
	address, err := netip.ParseAddr(withoutPort(text))
	if err != nil {
		return "", RefusedIP
	}
	if network {
		if err := checkNetwork(address, prefix); err != nil {
			return "", err
		}
	}
	address = address.Unmap().WithZone("")
	if !isPublic(address) {
		return "", RefusedPrivateIP
	}
	return address.String(), nil
}

// withoutPort takes away the port that logs write behind an address, and the brackets of an IPv6 address.
func withoutPort(text string) string {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		host, port, closed := strings.Cut(inner, "]")
		if closed && (port == "" || port[0] == ':' && isPort(port[1:])) {
			return host
		}
		return text
	}
	if host, port, ok := strings.Cut(text, ":"); ok && isPort(port) && strings.Contains(host, ".") {
		return host
	}
	return text
}

func isPort(s string) bool { return len(s) > 0 && len(s) <= 5 && allOf(s, isDigit) }

// checkNetwork accepts the notation of an interface, 8.8.8.8/24, which names one address, and refuses that of a
// network, 8.8.8.0/24.
func checkNetwork(address netip.Addr, bits string) error {
	network, err := netip.ParsePrefix(address.WithZone("").String() + "/" + bits)
	switch {
	case err != nil:
		return RefusedIP
	case !network.IsSingleIP() && network.Masked().Addr() == network.Addr():
		return RefusedNetwork
	}
	return nil
}

// isPublic reports an address that one subscriber has at a time.
func isPublic(address netip.Addr) bool {
	if address.Is4() {
		return !inAny(reserved, address)
	}
	return unicast6.Contains(address) && !inAny(reserved6, address)
}

func inAny(ranges []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range ranges {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
