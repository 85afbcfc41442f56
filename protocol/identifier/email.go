package identifier

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// RefusedEmail is the answer to what is not a mailbox on the internet.
const RefusedEmail Refusal = "This is not a complete e-mail address, such as name@example.org."

// maxLocal is the longest local part, in bytes (RFC 5321 section 4.5.3.1.1).
const maxLocal = 64

func canonicalEmail(text string) (string, error) {
	if head := strings.ToLower(text[:min(len(text), len("mailto:"))]); head == "mailto:" {
		text, _, _ = strings.Cut(text[len(head):], "?")
	}
	if open := strings.LastIndexByte(text, '<'); open >= 0 && strings.HasSuffix(text, ">") {
		text = text[open+1 : len(text)-1] // a display name stands before
	}
	return emailForm(text, registeredName)
}

// emailForm writes a mailbox in lower case with its domain in IDNA form. RFC 5321 lets hosts tell upper from lower
// case in the local part; no large provider does, and people do not. A plus-tag and dots stay: without them the
// address is another, weaker, identifier.
func emailForm(text string, check nameCheck) (string, error) {
	at := strings.LastIndexByte(text, '@')
	if at < 1 {
		return "", RefusedEmail
	}
	name, err := check(text[at+1:])
	if err != nil {
		return "", RefusedEmail
	}
	local := strings.ToLower(norm.NFC.String(text[:at]))
	if strings.HasPrefix(local, `"`) {
		local = unquoted(local)
	}
	if len(local) > maxLocal || !isDotAtom(local) && !isQuoted(local) {
		return "", RefusedEmail
	}
	return local + "@" + name, nil
}

// unquoted takes the quotes from a local part that needs none; others stay as they are.
func unquoted(local string) string {
	if inner := strings.TrimSuffix(local[1:], `"`); len(inner) == len(local)-2 && isDotAtom(inner) {
		return inner
	}
	return local
}

// isDotAtom accepts RFC 5322's dot-atom, with letters outside ASCII as RFC 6531 has them.
func isDotAtom(local string) bool {
	if local == "" || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return false
	}
	for _, r := range local {
		if r < utf8.RuneSelf {
			if !isAlnum(byte(r)) && strings.IndexByte(".!#$%&'*+-/=?^_`{|}~", byte(r)) < 0 {
				return false
			}
		} else if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			return false
		}
	}
	return true
}

// isQuoted accepts RFC 5321's quoted local part, without backslashes.
func isQuoted(local string) bool {
	if len(local) < 3 || local[0] != '"' || local[len(local)-1] != '"' {
		return false
	}
	return allOf(local[1:len(local)-1], func(c byte) bool { return c >= ' ' && c <= '~' && c != '"' && c != '\\' })
}
