package identifier

import (
	"net/netip"
	"strconv"
	"strings"
)

// RefusedURL is the answer to what is not an address on the public web.
const RefusedURL Refusal = "This is not a complete web address, such as https://example.org/page."

// defaultPorts are the schemes that name something on the internet, each with the port that goes without saying.
var defaultPorts = map[string]int{
	"http": 80, "https": 443, "ftp": 21, "ftps": 990, "sftp": 22, "ws": 80, "wss": 443, "rtsp": 554, "rtmp": 1935,
}

// canonicalURL reads a web address. One written without a scheme, as people do, is taken as https, which is what a
// browser tries first.
func canonicalURL(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	return urlForm(text, registeredName)
}

// urlForm writes an absolute URL with scheme and host in lower case, the host in IDNA form, no default port, no user,
// no fragment, "/" for an empty path, percent-encoding in upper case, and what RFC 3986 does not allow
// percent-encoded as browsers do. All else in path and query stays byte for byte: servers tell such writings apart.
func urlForm(text string, check nameCheck) (string, error) {
	scheme, rest, found := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	port, known := defaultPorts[scheme]
	if !found || !known {
		return "", RefusedURL
	}
	rest, _, _ = strings.Cut(rest, "#")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	host, err := hostForm(authority, port, check)
	if err != nil {
		return "", RefusedURL
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return scheme + "://" + host + encoded(path), nil
}

// hostForm writes host and port, without the port where it is the scheme's default.
func hostForm(authority string, defaultPort int, check nameCheck) (string, error) {
	host, port := authority, ""
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
	}
	number := uint64(defaultPort)
	if port != "" {
		given, err := strconv.ParseUint(port, 10, 16)
		if err != nil || given == 0 || !isPort(port) {
			return "", RefusedURL
		}
		number = given
	}
	name, err := addressForm(host, check)
	if err != nil {
		return "", err
	}
	if number != uint64(defaultPort) {
		name += ":" + strconv.FormatUint(number, 10)
	}
	return name, nil
}

// addressForm writes a name, or a public IP address, IPv6 in brackets.
func addressForm(host string, check nameCheck) (string, error) {
	bare, bracketed := strings.CutPrefix(host, "[")
	if bracketed && !strings.HasSuffix(bare, "]") {
		return "", RefusedURL
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(bare, "]"))
	if err != nil {
		return check(host)
	}
	if address.Is6() != bracketed || !isPublic(address.Unmap()) {
		return "", RefusedURL
	}
	if address = address.Unmap(); address.Is6() {
		return "[" + address.String() + "]", nil
	}
	return address.String(), nil
}

const upperHex = "0123456789ABCDEF"

// encoded writes path and query with percent-encoding in upper case, and encodes what may not stand there as it is.
func encoded(path string) string {
	var out strings.Builder
	out.Grow(len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]):
			out.WriteString(strings.ToUpper(path[i : i+3]))
			i += 2
		case c <= ' ' || c >= 0x7F || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			out.WriteByte('%')
			out.WriteByte(upperHex[c>>4])
			out.WriteByte(upperHex[c&15])
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// urlHost returns the host of a canonical URL, without port and brackets.
func urlHost(canonical string) string {
	_, rest, _ := strings.Cut(canonical, "://")
	host := rest[:strings.IndexByte(rest, '/')]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host, _, _ = strings.Cut(inner, "]")
		return host
	}
	host, _, _ = strings.Cut(host, ":")
	return host
}
