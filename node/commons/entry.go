package commons

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Errors of one line.
var (
	errLong    = fmt.Errorf("want at most %d bytes", maxEntry)
	errNetwork = errors.New("this is not a network: its address has bits behind its length")
	errForm    = errors.New("want an address, a network, a domain, a mailbox, a number, a hash or an account")
)

// torLines are what the Tor project's list "exit-addresses" says of an exit
// beside its address.
var torLines = [...]string{"ExitNode ", "Published ", "LastStatus "}

// shape is what sort of entry a line is; each is a bit, and a list is asked only
// for what it has.
type shape uint8

const (
	networks shape = 1 << iota
	numbers
	mailboxes
	names
	others // hashes, wallets and accounts
)

// shapeOf tells the sort of an entry that entryOf returned.
func shapeOf(entry string) shape {
	switch {
	case entry[0] == '+':
		return numbers
	case strings.Contains(entry, "@"):
		return mailboxes
	case strings.Contains(entry, "/"):
		return networks
	case looksNumeric(entry):
		if _, err := netip.ParseAddr(entry); err == nil {
			return networks
		}
	}
	if strings.Contains(entry, ".") && !strings.Contains(entry, ":") {
		return names
	}
	return others
}

// entryOf returns the form in which a line is looked up; empty for a line that
// is no entry.
func entryOf(line string) (string, error) {
	for _, head := range torLines {
		if strings.HasPrefix(line, head) {
			return "", nil
		}
	}
	if rest, ok := strings.CutPrefix(line, "ExitAddress "); ok {
		line, _, _ = strings.Cut(rest, " ")
	}
	switch {
	case line == "":
		return "", nil
	case len(line) > maxEntry:
		return "", errLong
	case line[0] == '+':
		return numberEntry(line)
	}
	if strings.Contains(line, "/") {
		p, err := netip.ParsePrefix(line)
		if err == nil && p.Masked() != p {
			return "", errNetwork
		}
		if err != nil {
			return "", errForm
		}
		return p.String(), nil
	}
	if looksNumeric(line) {
		if a, err := netip.ParseAddr(line); err == nil {
			return a.Unmap().WithZone("").String(), nil
		}
	}
	return plainEntry(strings.ToLower(line), line)
}

// looksNumeric spares names the parser of addresses.
func looksNumeric(s string) bool {
	return s[0] >= '0' && s[0] <= '9' || strings.Count(s, ":") > 1
}

func numberEntry(line string) (string, error) {
	for i := 1; i < len(line); i++ {
		if c := line[i]; (c < '0' || c > '9') && c != 'x' {
			return "", errForm
		}
	}
	if len(line) < 8 || len(line) > 16 {
		return "", errForm
	}
	return line, nil
}

// plainEntry is a domain, a mailbox, a hash or an account. Only an account and
// a wallet may tell cases apart, and those stay as they are.
func plainEntry(lower, line string) (string, error) {
	for i := range len(lower) {
		if c := lower[i]; c <= ' ' || c == 0x7f || c >= 0x80 {
			return "", errForm
		}
	}
	switch {
	case strings.HasPrefix(lower, ":"):
		return lower, nil // a handle on any platform
	case strings.ContainsAny(lower, ":") || !strings.ContainsAny(lower, ".@"):
		return line, nil
	}
	return lower, nil
}
