package identifier

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// appSchemes begin addresses of things inside a device or program, which are nobody's place on the internet.
var appSchemes = map[string]bool{
	"file": true, "content": true, "android-app": true, "ios-app": true, "chrome": true, "chrome-extension": true,
	"moz-extension": true, "intent": true, "app": true, "package": true, "res": true, "about": true, "vscode": true,
}

// findURLs finds addresses with a scheme, the accounts whose pages they are, and the IP address or number in them.
func (s *scan) findURLs() {
	for i := 0; i < len(s.text); {
		at := strings.Index(s.text[i:], "://")
		if at < 0 {
			return
		}
		at += i
		start, scheme := s.scheme(at)
		end := s.urlEnd(start, at+len("://"))
		i = max(end, at+len("://"))
		switch _, known := defaultPorts[scheme]; {
		case known && s.free(start, end):
			if value, err := canonicalURL(s.text[start:end]); err == nil {
				s.takeURL(start, end, value)
			}
			s.claim(start, end)
		case scheme == "tg":
			s.telegramLink(start, end)
		case appSchemes[scheme]:
			s.claim(start, end)
		}
	}
}

// scheme finds where the scheme before "://" at text[at] starts. Where a word is stuck to it (seehttps://), the word
// is left out.
func (s *scan) scheme(at int) (start int, scheme string) {
	start = at
	for start > 0 && at-start < 20 && (isAlnum(s.text[start-1]) || s.text[start-1] == '-' || s.text[start-1] == '+') {
		start--
	}
	word := strings.ToLower(s.text[start:at])
	if _, known := defaultPorts[word]; known {
		return start, word
	}
	for _, scheme := range []string{"https", "http"} {
		if strings.HasSuffix(word, scheme) {
			return at - len(scheme), scheme
		}
	}
	return start, word
}

// urlEnd returns where an address that starts at start, and whose host starts at from, ends in running text.
func (s *scan) urlEnd(start, from int) int {
	round, square := 0, 0
	quoted := s.at(start-1) == '\''
	end := from
	for end < len(s.text) {
		c := s.text[end]
		size := 1
		switch {
		case c <= ' ', strings.IndexByte("\"<>\\^`{|}\x7f", c) >= 0, c == '\'' && quoted:
			return s.trimURL(start, from, end)
		case c == '(':
			round++
		case c == ')':
			round--
		case c == '[':
			square++
		case c == ']':
			square--
		case c == 'h' && end > from && s.startsAnother(end):
			return s.trimURL(start, from, end)
		case c >= utf8.RuneSelf:
			var r rune
			r, size = utf8.DecodeRuneInString(s.text[end:])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				return s.trimURL(start, from, end)
			}
		}
		if round < 0 || square < 0 {
			break
		}
		end += size
	}
	return s.trimURL(start, from, end)
}

// startsAnother reports an address that begins at i right behind another one, without a blank between.
func (s *scan) startsAnother(i int) bool {
	rest := s.text[i:]
	return (strings.HasPrefix(rest, "http://") || strings.HasPrefix(rest, "https://")) &&
		(isAlnum(s.text[i-1]) || s.text[i-1] == ',' || s.text[i-1] == ';')
}

// trimURL takes the punctuation of the sentence from the end of an address.
func (s *scan) trimURL(start, from, end int) int {
	before := s.at(start - 1)
	for end > from {
		c := s.text[end-1]
		emphasis := (c == '_' || c == '~') && before == c
		if strings.IndexByte(".,;:!?'*&", c) < 0 && !emphasis {
			break
		}
		end--
	}
	return end
}

// takeURL records a URL, with what else it says.
func (s *scan) takeURL(start, end int, value string) {
	s.take(start, end, URL, value)
	if p, handle, ok := profile(value); ok {
		if account, err := p.account(handle); err == nil {
			s.add(start, end, Account, account)
		}
	}
	host := urlHost(value)
	if address, err := netip.ParseAddr(host); err == nil {
		// The place is that of the host as written; where it was written in another way, that of the URL.
		if at := strings.Index(s.text[start:end], host); at >= 0 {
			s.add(start+at, start+at+len(host), IP, address.String())
		} else {
			s.add(start, end, IP, address.String())
		}
	}
	if host == "wa.me" || host == "api.whatsapp.com" {
		if number, err := canonicalPhone(s.text[start:end], ""); err == nil {
			s.add(start, end, Phone, number)
		}
	}
}

// telegramLink reads tg://resolve?domain=HANDLE.
func (s *scan) telegramLink(start, end int) {
	if _, query, found := strings.Cut(s.text[start:end], "resolve?domain="); found {
		handle, _, _ := strings.Cut(query, "&")
		p := platformsByWord["telegram"]
		if p.fits(handle) {
			if value, err := p.account(handle); err == nil {
				s.add(start, end, Account, value)
			}
		}
	}
	s.claim(start, end)
}
