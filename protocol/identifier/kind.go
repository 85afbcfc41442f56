package identifier

import "fmt"

// Kind says what sort of thing an identifier identifies. The numbers are on the wire and on disk: they never change
// and are never used again.
type Kind uint8

// The kinds of identifier.
const (
	Email   Kind = 1  // a mailbox, RFC 5321
	Phone   Kind = 2  // a telephone number, ITU-T E.164
	IP      Kind = 3  // a public IPv4 or IPv6 address
	Domain  Kind = 4  // a registered DNS name or a name below one
	URL     Kind = 5  // a web address, RFC 3986
	Account Kind = 6  // platform and handle
	MD5     Kind = 7  // MD5 of a file
	SHA1    Kind = 8  // SHA-1 of a file
	SHA256  Kind = 9  // SHA-256 of a file
	Wallet  Kind = 10 // a cryptocurrency address
)

// Kinds returns all kinds in the order of their numbers.
func Kinds() []Kind {
	return []Kind{Email, Phone, IP, Domain, URL, Account, MD5, SHA1, SHA256, Wallet}
}

// String returns the kind's name on the command line and in files.
func (k Kind) String() string {
	switch k {
	case Email:
		return "email"
	case Phone:
		return "phone"
	case IP:
		return "ip"
	case Domain:
		return "domain"
	case URL:
		return "url"
	case Account:
		return "account"
	case MD5:
		return "md5"
	case SHA1:
		return "sha1"
	case SHA256:
		return "sha256"
	case Wallet:
		return "wallet"
	default:
		return fmt.Sprintf("kind-%d", uint8(k))
	}
}

// ParseKind returns the kind of the given name, as String writes it.
func ParseKind(name string) (Kind, error) {
	for _, kind := range Kinds() {
		if kind.String() == name {
			return kind, nil
		}
	}
	return 0, RefusedKind
}
