package identifier

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// idHosts are the hosts that stand behind the @ of message identifiers only.
var idHosts = []string{"mail.gmail.com", ".prod.outlook.com", ".prod.exchangelabs.com", ".amazonses.com", ".sendgrid.net"}

// findEmails finds mailboxes around each @.
func (s *scan) findEmails() {
	for i := 0; i < len(s.text); {
		at := strings.IndexByte(s.text[i:], '@')
		if at < 0 {
			return
		}
		at += i
		i = at + 1
		if s.taken[at] || s.at(at+1) == '@' {
			continue
		}
		start := s.localStart(at)
		end, name := s.emailName(at + 1)
		if start == at || name == "" || !s.free(start, end) || s.isNoMailbox(start, end, name) {
			continue
		}
		if value, err := emailForm(s.text[start:end], registeredName); err == nil {
			s.take(start, end, Email, value)
			i = end
		}
	}
}

// localStart returns where the local part before the @ at text[at] starts; at where there is none.
func (s *scan) localStart(at int) int {
	if s.at(at-1) == '"' {
		if open := strings.LastIndexByte(s.text[max(0, at-1-maxLocal):max(0, at-1)], '"'); open >= 0 {
			return max(0, at-1-maxLocal) + open
		}
		return at
	}
	start, ascii := at, false
	for start > 0 && at-start < maxLocal {
		c := s.text[start-1]
		if c < utf8.RuneSelf {
			if !isAlnum(c) && strings.IndexByte("._+-'=%", c) < 0 {
				break
			}
			ascii = ascii || isLetter(c)
			start--
			continue
		}
		r, size := utf8.DecodeLastRuneInString(s.text[:start])
		// A word in another script runs into the address where that script is written without blanks.
		if !unicode.IsLetter(r) || ascii && !unicode.Is(unicode.Latin, r) {
			break
		}
		start -= size
	}
	return s.trimLocal(start, at)
}

// trimLocal takes from the front of a local part what belongs to the text before it.
func (s *scan) trimLocal(start, at int) int {
	local := s.text[start:at]
	if equals := strings.LastIndexByte(local, '='); equals >= 0 && !isReturnPath(local, equals) {
		start += equals + 1
	}
	if percent := strings.LastIndexByte(s.text[start:at], '%'); percent >= 0 {
		start += percent + 1
		if at-start > 2 && isHex(s.text[start]) && isHex(s.text[start+1]) {
			start += 2 // the %20 or %3A before an address in a link
		}
	}
	for start < at && strings.IndexByte(".'-+", s.text[start]) >= 0 {
		start++
	}
	return start
}

// isReturnPath recognises the addresses that mailing lists and forwarders make of others: VERP, SRS, BATV. The
// equals sign belongs to them, where elsewhere it ends a key.
func isReturnPath(local string, equals int) bool {
	lower := strings.ToLower(local)
	if strings.HasPrefix(lower, "srs0") || strings.HasPrefix(lower, "srs1") || strings.HasPrefix(lower, "prvs=") {
		return true
	}
	_, err := registeredName(local[equals+1:])
	return err == nil
}

// emailName returns the registered name that starts at from, and where it ends. Labels that run into it because
// a blank is missing are left out.
func (s *scan) emailName(from int) (end int, name string) {
	end = s.nameEnd(from, "-.")
	for tries := 0; tries < 4 && end > from; tries++ {
		written := s.text[from:end]
		if form, err := registeredName(written); err == nil && !startsSentence(written) {
			return end, form
		}
		before, _ := cutLast(written)
		end = from + len(before)
	}
	return from, ""
}

// nameEnd returns where the host name that starts at from ends: before the first character that is no letter or digit
// and none of marks, and without marks at the end.
func (s *scan) nameEnd(from int, marks string) int {
	end := from
	for end < len(s.text) && end-from < 256 {
		c := s.text[end]
		if c < utf8.RuneSelf {
			if !isAlnum(c) && strings.IndexByte(marks, c) < 0 {
				break
			}
			end++
			continue
		}
		r, size := utf8.DecodeRuneInString(s.text[end:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) || end > from && runsInto(s.text[from:end], r) {
			break
		}
		end += size
	}
	for end > from && strings.IndexByte(marks, s.text[end-1]) >= 0 {
		end--
	}
	return end
}

// runsInto reports whether r begins a word that follows a name without a blank: a character of a script that is
// written without blanks, after an ASCII letter or digit.
func runsInto(name string, r rune) bool {
	return isAlnum(name[len(name)-1]) && isUnspaced(r)
}

// isUnspaced reports characters of scripts that are written without blanks between words.
func isUnspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// isNoMailbox recognises what has an address's form and is none.
func (s *scan) isNoMailbox(start, end int, name string) bool {
	for _, host := range idHosts {
		if name == strings.TrimPrefix(host, ".") || host[0] == '.' && strings.HasSuffix(name, host) {
			return true
		}
	}
	before, after := s.at(start-1), s.at(end)
	switch {
	case before == '@': // @name@server, an account of the fediverse
		return true
	case after == '@' || after == ':' && s.at(end+1) > ' ' && s.text[start:start+4] == "git@": // git@host:path
		return true
	case before == ':' && strings.HasSuffix(strings.ToLower(s.text[max(0, start-4):start]), "cid:"):
		return true
	}
	return false
}
