package identifier

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// RefusedDomain is the answer to a name that nobody can have registered.
const RefusedDomain Refusal = "This is not a complete internet domain name, such as example.org."

// nameCheck turns a host name into its canonical form or refuses it.
type nameCheck func(name string) (string, error)

func canonicalDomain(text string) (string, error) {
	return registeredName(strings.TrimPrefix(text, "*."))
}

// names maps names as browsers look them up (UTS 46, non-transitional), but lets labels hold the hyphens and
// underscores that real names hold; asciiName sees to the rest.
var names = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false), idna.CheckHyphens(false))

// anyName returns the IDNA form of a host name with at least two labels (RFC 5890 A-labels, lower case, no dot at
// the end).
func anyName(name string) (string, error) {
	name = strings.TrimSuffix(name, ".")
	ascii := strings.ToLower(name)
	if !allOf(ascii, isASCII) || strings.Contains(ascii, "xn--") {
		mapped, err := names.ToASCII(name)
		if err != nil {
			return "", RefusedDomain
		}
		// Some names map to others that the standard does not allow. They have no canonical form.
		if ascii, err = names.ToASCII(mapped); err != nil || ascii != mapped {
			return "", RefusedDomain
		}
	}
	if len(ascii) > 253 || !strings.Contains(ascii, ".") {
		return "", RefusedDomain
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if !isLabel(label) {
			return "", RefusedDomain
		}
	}
	if top := ascii[strings.LastIndexByte(ascii, '.')+1:]; isDigit(top[0]) {
		return "", RefusedDomain
	}
	return ascii, nil
}

func isASCII(c byte) bool { return c < utf8.RuneSelf }

// isLabel accepts RFC 1035 labels, and underscores as DNS itself does.
func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return allOf(label, func(c byte) bool { return isAlnum(c) || c == '-' || c == '_' })
}

// registeredName is anyName for names that can be registered: at least one label more than a suffix of the public
// suffix list's ICANN part. The suffixes that companies keep for their customers, such as github.io, are names like
// any other. The names of RFC 2606, which training material uses, count as registered.
func registeredName(name string) (string, error) {
	ascii, err := anyName(name)
	if err != nil {
		return "", err
	}
	suffix := publicSuffix(ascii)
	if suffix == "" || len(ascii) <= len(suffix) {
		return "", RefusedDomain
	}
	owner := ascii[:len(ascii)-len(suffix)-1]
	owner = owner[strings.LastIndexByte(owner, '.')+1:]
	if strings.Contains(owner, "_") || suffix == "onion" && !isOnion(owner) {
		return "", RefusedDomain
	}
	return ascii, nil
}

// publicSuffix returns the ICANN suffix of an ASCII name; "" where its top label is not delegated.
func publicSuffix(ascii string) string {
	for rest := ascii; ; {
		suffix, icann := publicsuffix.PublicSuffix(rest)
		switch {
		case suffix == "example" || suffix == "test":
			return suffix // RFC 2606
		case icann && suffix != "arpa" && !strings.HasSuffix(suffix, ".arpa"):
			return suffix
		case icann || !strings.Contains(suffix, "."):
			return ""
		}
		rest = suffix[strings.IndexByte(suffix, '.')+1:]
	}
}

// isOnion accepts the labels of Tor's onion services, versions 2 and 3: base32 of a key.
func isOnion(label string) bool {
	return (len(label) == 16 || len(label) == 56) && allOf(label, func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= '2' && c <= '7'
	})
}
