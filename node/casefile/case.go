// Package casefile is the nouns of an agency's own casework: officers, cases,
// notes, and the identifiers that a case holds with where they came from.
//
// It is values and rules only; store keeps them and desk decides who may do
// what with them.
package casefile

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"interlock/crypto/token"
	"interlock/protocol/identifier"
)

// Limits of what an officer writes.
const (
	MaxNumber = 40      // runes of a case number
	MaxTitle  = 160     // runes of a title
	MaxNote   = 256_000 // bytes of a note
)

// CaseID numbers the cases of one agency from 1.
type CaseID uint64

// Case is one investigation.
type Case struct {
	ID       CaseID
	Number   string            // the agency's own reference, unique: "DPD-2026-0412"
	Title    string            // never leaves the node
	Pointer  token.CasePointer // the random handle by which other agencies know it
	Officers []OfficerName     // who works it, the one who opened it first
	Opened   time.Time
}

// NewCase is what an officer fills in to open a case.
type NewCase struct {
	Number string
	Title  string
}

// What Check and CheckNote find wrong.
var (
	ErrNoNumber  = &Sentence{Text: "Give the case a number, for example DPD-2026-0412."}
	ErrNumber    = &Sentence{Text: "A case number has at most 40 characters, on one line."}
	ErrTitle     = &Sentence{Text: "A title has at most 160 characters, on one line."}
	ErrNoteEmpty = &Sentence{Text: "Write the note before saving it."}
	ErrNoteLong  = &Sentence{Text: "A note has at most 256,000 bytes; save longer texts as a file."}
)

// Check tidies what was filled in, and returns what is wrong with it.
func (n NewCase) Check() (NewCase, error) {
	n.Number, n.Title = strings.TrimSpace(n.Number), strings.TrimSpace(n.Title)
	switch {
	case n.Number == "":
		return n, ErrNoNumber
	case !oneLine(n.Number, MaxNumber):
		return n, ErrNumber
	case !oneLine(n.Title, MaxTitle):
		return n, ErrTitle
	}
	return n, nil
}

func oneLine(s string, limit int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Note is a text in a case: an officer's own, or a tip or chat pasted in.
type Note struct {
	Number uint64 // within the case, from 1
	By     OfficerName
	At     time.Time
	Text   string
}

// CheckNote tidies a note's text, and returns what is wrong with it.
func CheckNote(text string) (string, error) {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "\ufffd"))
	switch {
	case text == "":
		return "", ErrNoteEmpty
	case len(text) > MaxNote:
		return "", ErrNoteLong
	}
	return text, nil
}

// Source is where identifiers came from: a file, or a note.
type Source struct {
	Name   string   // file name; "note 3"
	Format string   // "text", "mail", "csv"
	SHA256 [32]byte // of the original bytes
}

// Sighting is one place at which a case's identifier was found.
type Sighting struct {
	Source Source
	Line   int // from 1
	By     OfficerName
	At     time.Time
}

// State says how far an identifier has come on its way.
type State uint8

// The states.
const (
	Waiting   State = 1 // saved; its token could not be had yet
	Announced State = 2 // in the agency's feed
)

func (s State) String() string {
	if s == Announced {
		return "announced"
	}
	return "waiting"
}

// Holding is an identifier in a case.
type Holding struct {
	Identifier identifier.Identifier
	Sightings  []Sighting // at most MaxSightings, the first ones
	Seen       int        // how often it was found in all
	State      State
	Sharing    Sharing
}

// MaxSightings is how many places a holding remembers; the count goes on.
const MaxSightings = 16

// IdentifierID numbers the distinct identifiers of one agency from 1, however
// many of its cases hold each.
type IdentifierID uint64

// Found is an identifier that an officer saves, with where it was seen.
type Found struct {
	Identifier identifier.Identifier
	Sightings  []Sighting
	Sharing    Sharing // where the case does not hold it yet
}
