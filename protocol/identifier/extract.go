package identifier

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// MaxFound is the most occurrences that one call of Extract returns. What comes later in the text is left out.
	MaxFound = 1 << 20
	// maxPiece is the longest piece of a line, in bytes, that is looked at in one go. Longer lines are cut between
	// words where there are any; an identifier across the cut of a line without blanks is lost.
	maxPiece = 64 << 10
)

// Found is one occurrence of an identifier in a text.
type Found struct {
	Line       int // from 1
	Identifier Identifier
	Raw        string // the part of the text that Parse turns into Identifier, as it was written
}

// Extract finds the identifiers in free text, in the order of their appearance and as often as they appear. One
// place can hold several: the address of a profile is a URL and names an account. Text with a kind known, such as a
// column of a table, belongs to [Parse], which need not be as careful. Time is linear in len(text).
func Extract(text string, region Region) []Found { return extract(text, region, MaxFound) }

func extract(text string, region Region, limit int) []Found {
	var found []Found
	s := newScan(region)
	for line := 1; text != "" && len(found) < limit; line++ {
		var this string
		this, text = cutLine(text)
		s.header(this)
		for this != "" && len(found) < limit {
			var piece string
			piece, this = cutPiece(this)
			found = s.find(found, piece, line)
		}
	}
	return found[:min(len(found), limit)]
}

// cutLine splits text after its first line. Lines end as they do on Unix, Windows and old Macs.
func cutLine(text string) (line, rest string) {
	end := strings.IndexAny(text, "\r\n")
	if end < 0 {
		return text, ""
	}
	if strings.HasPrefix(text[end:], "\r\n") {
		return text[:end], text[end+2:]
	}
	return text[:end], text[end+1:]
}

func cutPiece(line string) (piece, rest string) {
	if len(line) <= maxPiece {
		return line, ""
	}
	end := maxPiece
	if blank := strings.LastIndexByte(line[maxPiece-1024:maxPiece], ' '); blank >= 0 {
		end = maxPiece - 1024 + blank
	}
	for end > 1 && !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end], line[end:]
}

// scan looks through one piece of a line at a time. The finders run in the order in which their findings are sure: what one
// has taken the next leaves alone.
type scan struct {
	region  Region
	raw     string // the piece as it was written
	plain   plain
	text    string // plain.text
	taken   []bool // for each byte of text, whether a finder has claimed it
	hits    []hit
	version int               // where the last version number that looked like an address ends; 0 if there is none
	numbers map[string]string // what the numbering plans said of a written number; "" for none
	ids     bool              // the line belongs to a mail header that holds message identifiers
}

// hit is an identifier at text[start:end].
type hit struct {
	start, end int
	kind       Kind
	value      string
}

func newScan(region Region) *scan { return &scan{region: region} }

// start makes raw the piece to look at.
func (s *scan) start(raw string) {
	s.raw = raw
	s.plain = refang(raw)
	s.text = s.plain.text
	s.hits = s.hits[:0]
	s.version = 0
	if cap(s.taken) < len(s.text) {
		s.taken = make([]bool, len(s.text))
	}
	s.taken = s.taken[:len(s.text)]
	clear(s.taken)
}

func (s *scan) find(found []Found, raw string, line int) []Found {
	s.start(raw)
	if len(s.text) == 0 {
		return found
	}
	s.setAside()
	s.findURLs()
	s.findEmails()
	s.findAccounts()
	s.findKeys()
	s.findIPs()
	s.findNames()
	s.findPhones()
	slices.SortStableFunc(s.hits, func(a, b hit) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	for _, h := range s.hits {
		found = append(found, Found{Line: line, Identifier: known(h.kind, h.value), Raw: s.plain.raw(raw, h.start, h.end)})
	}
	return found
}

// add records an identifier at text[start:end] unless its value would change when read again, as text that was
// defanged twice over would.
func (s *scan) add(start, end int, kind Kind, value string) {
	if len(value) > MaxValue || !utf8.ValidString(value) || refang(value).text != value {
		return
	}
	s.hits = append(s.hits, hit{start, end, kind, value})
}

// take records an identifier and claims its place.
func (s *scan) take(start, end int, kind Kind, value string) {
	s.add(start, end, kind, value)
	s.claim(start, end)
}

// claim keeps later finders away from text[start:end].
func (s *scan) claim(start, end int) {
	for i := start; i < end; i++ {
		s.taken[i] = true
	}
}

// free reports whether nothing in text[start:end] is claimed.
func (s *scan) free(start, end int) bool { return !slices.Contains(s.taken[start:end], true) }

// at returns the byte at i, and the end of a line outside the text.
func (s *scan) at(i int) byte {
	if i < 0 || i >= len(s.text) {
		return '\n'
	}
	return s.text[i]
}
