package identifier

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// plainRune returns the plain character that r stands for in an identifier, and whether anything is to be kept.
func plainRune(r rune) (rune, bool) {
	switch {
	case r == 0xAD, r == 0x61C, r == 0x180E, r >= 0x200B && r <= 0x200F, r >= 0x202A && r <= 0x202E,
		r >= 0x2060 && r <= 0x2069, r == 0xFEFF:
		return 0, false // invisible: soft hyphen, joiners, direction marks
	case r == 0xA0, r == 0x1680, r >= 0x2000 && r <= 0x200A, r == 0x2028, r == 0x2029, r == 0x202F, r == 0x205F, r == 0x3000:
		return ' ', true
	case r >= 0xFF01 && r <= 0xFF5E:
		return r - 0xFF01 + '!', true // full-width ASCII
	case r >= 0x2010 && r <= 0x2013, r == 0x2212, r == 0xFE58, r == 0xFE63:
		return '-', true
	case r == 0x2018, r == 0x2019, r == 0x201A, r == 0x201B:
		return '\'', true
	case r >= 0x201C && r <= 0x201F, r == 0xAB, r == 0xBB:
		return '"', true
	case r == 0x2024, r == 0xFE52:
		return '.', true
	case r == 0xFE6B:
		return '@', true
	case r == 0xFF61:
		return '。', true
	case r >= 0x1D400 && r <= 0x1D7FF, r >= 0x2460 && r <= 0x24FF:
		return compatible(r), true // mathematical and circled letters, used for ornament and to hide
	case r >= 0x660 && r <= 0x669:
		return r - 0x660 + '0', true
	case r >= 0x6F0 && r <= 0x6F9:
		return r - 0x6F0 + '0', true
	case r >= 0x966 && r <= 0x96F:
		return r - 0x966 + '0', true
	}
	return r, true
}

// compatible returns the one character that Unicode's compatibility form (NFKC) gives for r, or r.
func compatible(r rune) rune {
	form := norm.NFKC.String(string(r))
	if single, size := utf8.DecodeRuneInString(form); size == len(form) {
		return single
	}
	return r
}

// trimmed takes away what surrounds an identifier that was copied out of its place: blanks, quotes, angle brackets.
func trimmed(s string) string {
	s = strings.TrimFunc(s, unicode.IsSpace)
	for len(s) > 1 {
		first, last := s[0], s[len(s)-1]
		if !(first == '<' && last == '>') && !(first == '\'' && last == '\'') && !(first == '"' && last == '"') && !(first == '`' && last == '`') {
			break
		}
		s = strings.TrimFunc(s[1:len(s)-1], unicode.IsSpace)
	}
	return s
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isAlnum(c byte) bool { return isLetter(c) || isDigit(c) }

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func hexDigit(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// isNameByte reports a byte that can stand in a host name's label: an ASCII letter or digit, or part of a character
// outside ASCII.
func isNameByte(c byte) bool { return isAlnum(c) || c >= utf8.RuneSelf }

// allOf reports whether every byte of s satisfies is.
func allOf(s string, is func(byte) bool) bool {
	for i := 0; i < len(s); i++ {
		if !is(s[i]) {
			return false
		}
	}
	return true
}
