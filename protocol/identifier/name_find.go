package identifier

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// findNames finds domain names, and web addresses written without a scheme.
func (s *scan) findNames() {
	for i := 0; i < len(s.text); {
		dot := strings.IndexByte(s.text[i:], '.')
		if dot < 0 {
			return
		}
		dot += i
		start := s.nameStart(i, dot)
		if start == dot {
			i = dot + 1
			continue
		}
		end := max(s.nameEnd(dot+1, "-._"), dot+1)
		i = end
		if end-start >= 4 && s.free(start, end) {
			i = max(i, s.name(start, end))
		}
	}
}

// nameStart returns where the host name around the dot at text[dot] starts, not before text[from].
func (s *scan) nameStart(from, dot int) int {
	start := dot
	for start > from {
		c := s.text[start-1]
		if c < utf8.RuneSelf {
			if !isAlnum(c) && c != '-' && c != '_' && c != '.' {
				break
			}
			start--
			continue
		}
		r, size := utf8.DecodeLastRuneInString(s.text[from:start])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			break
		}
		if isUnspaced(r) && start < dot && isAlnum(s.text[start]) {
			break
		}
		start -= size
	}
	for start < dot && strings.IndexByte(".-_", s.text[start]) >= 0 {
		start++
	}
	return start
}

// name looks at the run text[start:end] that may be a host name and returns where to go on.
func (s *scan) name(start, end int) int {
	written := s.text[start:end]
	if startsSentence(written) {
		before, _ := cutLast(written)
		written, end = before, start+len(before)
	}
	value, err := registeredName(written)
	if err != nil || !s.hasNameEdges(start, end) {
		return end
	}
	stop := s.pathEnd(start, end)
	if !s.isName(start, end, value, stop > end) {
		return max(end, stop)
	}
	if stop > end {
		if address, err := canonicalURL(s.text[start:stop]); err == nil {
			s.takeURL(start, stop, address)
			return stop
		}
	}
	s.take(start, end, Domain, value)
	return end
}

// hasNameEdges looks at the characters around a name: in paths, calls, assignments and mail addresses it is none.
func (s *scan) hasNameEdges(start, end int) bool {
	before, after := s.at(start-1), s.at(end)
	if marked := strings.TrimRight(s.text[max(0, start-4):start], ".-_"); strings.HasSuffix(marked, "@") {
		return false // a broken mail address
	}
	if before == '/' {
		return s.at(start-2) == '/' && s.at(start-3) != '/' && s.at(start-3) != ':' // //host/path
	}
	if strings.IndexByte("\\@$#%&~", before) >= 0 || strings.IndexByte("@\\%$", after) >= 0 {
		return false
	}
	if before == '_' && s.joinedBefore(start-1) || after == '_' && s.joinedAfter(end+1) { // _emphasis_ is no part of it
		return false
	}
	if after == '(' || after == '=' && s.at(end+1) != ' ' || after == '-' {
		return false
	}
	return true
}

// pathEnd returns where the path that follows a host name ends, or end where there is none but a slash.
func (s *scan) pathEnd(start, end int) int {
	from := end
	if s.at(from) == ':' && isDigit(s.at(from+1)) {
		for from++; from < len(s.text) && isDigit(s.text[from]); {
			from++
		}
	}
	if s.at(from) != '/' {
		return end
	}
	stop := s.urlEnd(start, from)
	if stop <= from+1 || !s.free(end, stop) {
		return end
	}
	return stop
}
