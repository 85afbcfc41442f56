package commons

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"interlock/protocol/identifier"
)

// Limits of a list.
const (
	MaxText    = 4 << 20 // bytes of a list
	maxHeading = 400     // bytes of a line in its head
	maxEntry   = 320
)

// About is what a list says of itself.
type About struct {
	Name    string
	Title   string
	Says    string // the warning
	Source  string // where it is from, with the version
	Date    string // as of when
	Licence string
	Entries int
	Own     bool // loaded by the agency
}

// List is one warn list: its entries as sorted lines, in which a look-up is a
// binary search. Nothing else is built of it, however long it is.
type List struct {
	About     About
	own       bool
	text      string // the sorted lines, each with its line feed
	entries   int
	shapes    shape // of the entries in it
	mailboxes bool  // a domain stands for the mailboxes there too
	bits4     []int // lengths of the prefixes in it
	bits6     []int
}

// Error is what is wrong with a list: a sentence for whoever wrote it.
type Error struct {
	List string
	Line int // from 1; 0 for the list as a whole
	Says string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("list %s: %s", e.List, e.Says)
	}
	return fmt.Sprintf("list %s, line %d: %s", e.List, e.Line, e.Says)
}

// CheckName refuses what is no name of a list.
func CheckName(name string) error {
	ok := len(name) >= 2 && len(name) <= 32
	for i := 0; i < len(name) && ok; i++ {
		c := name[i]
		ok = c >= 'a' && c <= 'z' || i > 0 && (c == '-' || c >= '0' && c <= '9')
	}
	if !ok {
		return &Error{List: "?", Says: "a list's name is 2 to 32 lower-case letters, digits and hyphens, for example tor-exits"}
	}
	return nil
}

// Open reads a list as DESIGN.md describes it. The error is an *Error.
func Open(name, text string) (List, error) {
	l := List{About: About{Name: name, Title: name, Says: "A list of this agency's says that many people share this."}}
	if err := CheckName(name); err != nil {
		return List{}, err
	}
	if len(text) > MaxText || !utf8.ValidString(text) {
		return List{}, &Error{name, 0, fmt.Sprintf("want text of at most %d bytes", MaxText)}
	}
	var lines []string
	sorted, n := true, 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "#"); ok {
			if err := l.heading(strings.TrimSpace(heading)); err != nil {
				return List{}, &Error{name, n, err.Error()}
			}
			continue
		}
		entry, err := entryOf(line)
		if err != nil {
			return List{}, &Error{name, n, err.Error()}
		}
		if entry == "" {
			continue
		}
		l.shapes |= shapeOf(entry)
		l.noteBits(entry)
		sorted = sorted && (len(lines) == 0 || lines[len(lines)-1] < entry)
		lines = append(lines, entry)
	}
	if !sorted {
		slices.Sort(lines)
		lines = slices.Compact(lines)
	}
	l.entries = len(lines)
	if len(lines) > 0 {
		l.text = strings.Join(lines, "\n") + "\n"
	}
	return l, nil
}

// heading takes one line of a list's head; others are remarks.
func (l *List) heading(line string) error {
	key, value, ok := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	field := map[string]*string{
		"title": &l.About.Title, "says": &l.About.Says, "source": &l.About.Source, "date": &l.About.Date, "licence": &l.About.Licence,
	}[key]
	switch {
	case ok && field != nil && (value == "" || len(value) > maxHeading):
		return fmt.Errorf("%s: want 1 to %d bytes", key, maxHeading)
	case ok && field != nil:
		*field = value
	case ok && key == "mailboxes":
		l.mailboxes = value == "yes"
	}
	return nil
}

// noteBits remembers how long the prefixes of a list are, so that an address is
// looked up once for each length and not for all.
func (l *List) noteBits(entry string) {
	if !strings.Contains(entry, "/") {
		return
	}
	p, err := netip.ParsePrefix(entry)
	if err != nil {
		return
	}
	bits := &l.bits6
	if p.Addr().Is4() {
		bits = &l.bits4
	}
	if !slices.Contains(*bits, p.Bits()) {
		*bits = append(*bits, p.Bits())
	}
}

// has reports whether line is an entry.
func (l *List) has(line string) bool {
	// The search is over bytes; each stands for the line that holds it.
	start := func(at int) int { return strings.LastIndexByte(l.text[:at], '\n') + 1 }
	at := sort.Search(len(l.text), func(at int) bool {
		from := start(at)
		return l.text[from:from+strings.IndexByte(l.text[from:], '\n')] >= line
	})
	return strings.HasPrefix(l.text[at:], line+"\n") && (at == 0 || l.text[at-1] == '\n')
}

// Holds reports whether the list covers i.
func (l *List) Holds(i identifier.Identifier) bool {
	v := i.Value()
	switch i.Kind() {
	case identifier.Email:
		return l.shapes&(mailboxes|names) != 0 && l.holdsMailbox(v)
	case identifier.Domain:
		return l.shapes&names != 0 && l.holdsName(v)
	case identifier.URL:
		host, ok := site(v)
		return ok && l.shapes&names != 0 && l.holdsName(host)
	case identifier.IP:
		return l.shapes&networks != 0 && l.holdsAddress(v)
	case identifier.Phone:
		return l.shapes&numbers != 0 && l.holdsNumber(v)
	case identifier.Account:
		_, handle, _ := strings.Cut(v, ":")
		return l.shapes&others != 0 && (l.has(v) || l.has(":"+strings.ToLower(handle)))
	default:
		return l.shapes&others != 0 && l.has(v)
	}
}
