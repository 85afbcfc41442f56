package identifier

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// set makes a set of the words between blanks.
func set(words string) map[string]bool {
	members := make(map[string]bool)
	for word := range strings.FieldsSeq(words) {
		members[word] = true
	}
	return members
}

// window is how far, in bytes, the words around a place are looked at.
const window = 64

// wordsBefore returns up to n words before text[end:], the nearest first, in lower case. It stops where the clause
// does, at a comma, semicolon, bar, full stop or the like, and at a number: the words before belong to that one.
func (s *scan) wordsBefore(end, n int) []string {
	words := make([]string, 0, n)
	for first := max(0, end-window); len(words) < n && end > first; {
		r, size := utf8.DecodeLastRuneInString(s.text[first:end])
		switch {
		case unicode.IsLetter(r):
			start := end
			for start > first {
				r, size := utf8.DecodeLastRuneInString(s.text[first:start])
				if !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' {
					break
				}
				start -= size
			}
			words = append(words, strings.ToLower(s.text[start:end]))
			end = start
			continue
		case r >= '0' && r <= '9':
			for end > first && isDigit(s.text[end-1]) {
				end--
			}
			if end == first || !isLetter(s.text[end-1]) { // "sha256" is a word
				return words
			}
			continue
		case r == ',', r == ';', r == '|', r == '!', r == '?', r == '\t', r == '{', r == '}', r == '•':
			return words
		case r == '.' && end < len(s.text) && s.text[end] == ' ' && (len(words) > 0 && !endsAbbreviation(s.text[:end])):
			return words
		}
		end -= size
	}
	return words
}

// endsAbbreviation reports a full stop that shortens a word, as in "Tel. 416" or "No. 7", rather than ends a sentence.
func endsAbbreviation(text string) bool {
	text = text[:len(text)-1]
	start := len(text)
	for start > 0 && len(text)-start < 6 && isLetter(text[start-1]) {
		start--
	}
	return len(text)-start < 5
}

// wordAfter returns the word that starts at text[from:] after blanks, in lower case, and whether blanks were there.
// The word is "" where something else than a word follows.
func (s *scan) wordAfter(from int) (word string, blank bool) {
	start := from
	for start < len(s.text) && s.text[start] == ' ' {
		start++
	}
	end := start
	for end < len(s.text) && end-start < 32 && isLetter(s.text[end]) {
		end++
	}
	return strings.ToLower(s.text[start:end]), start > from
}

// any reports whether one of the words is in members.
func anyOf(words []string, members map[string]bool) bool {
	for _, word := range words {
		if members[word] {
			return true
		}
	}
	return false
}

// startsSentence reports a name that ends in the first word of the next sentence: "example.org.Then", "home.It".
func startsSentence(name string) bool {
	before, last := cutLast(name)
	switch last {
	case "Com", "Net", "Org":
		return false
	}
	_, before = cutLast(before)
	return isTitle(last) && !isTitle(before)
}

// cutLast splits a name before its last label. A name of one label has nothing before.
func cutLast(name string) (before, label string) {
	dot := strings.LastIndexByte(name, '.')
	return name[:max(dot, 0)], name[dot+1:]
}

// isTitle reports a word in ASCII with an upper-case letter in front and lower-case ones behind.
func isTitle(word string) bool {
	return len(word) > 1 && word[0] >= 'A' && word[0] <= 'Z' && allOf(word[1:], func(c byte) bool { return c >= 'a' && c <= 'z' })
}

// joinedBefore reports whether the character before text[i:] belongs to one word with what starts there. Scripts that
// are written without blanks join nothing.
func (s *scan) joinedBefore(i int) bool {
	r, size := utf8.DecodeLastRuneInString(s.text[:max(i, 0)])
	return size > 0 && joins(r)
}

// joinedAfter reports whether the character at text[i] belongs to one word with what ends there.
func (s *scan) joinedAfter(i int) bool {
	r, size := utf8.DecodeRuneInString(s.text[min(i, len(s.text)):])
	return size > 0 && joins(r)
}

func joins(r rune) bool {
	if r < utf8.RuneSelf {
		return isAlnum(byte(r)) || r == '_'
	}
	return unicode.IsLetter(r) && !isUnspaced(r)
}
