// Package intake reads the files that officers hand in and says which identifiers are in them, and where.
//
// It reads plain text, mail (.eml) and tables (CSV in any dialect). It decides by content first and by the file's name
// second. It promises that one bad record never costs the others, that everything it could not read is said in a
// sentence with its line, and that each report carries the SHA-256 of the original bytes. It keeps nothing: what
// becomes of a report is for the caller, the desk or the extract command, to decide.
package intake

import "interlock/protocol/identifier"

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 64 << 20

// maxProblems is how many problems of one file are told one by one.
const maxProblems = 1000

// The formats that a report names.
const (
	FormatText = "text"
	FormatMail = "eml"
	FormatCSV  = "csv"
)

// Source is the file or text that was read.
type Source struct {
	Name   string
	SHA256 [32]byte // of the original bytes
	Size   int64
}

// Item is one identifier at one place.
type Item struct {
	Line       int // from 1
	Identifier identifier.Identifier
	Raw        string // as it was written
}

// Problem is something that could not be read, in a sentence for the officer.
type Problem struct {
	Line     int // from 1; 0 for the file as a whole
	Sentence string
}

// Report is what a reader found, in the order of the file.
type Report struct {
	Source   Source
	Format   string
	Items    []Item
	Problems []Problem
}

// Distinct returns the first item of each identifier.
func (r Report) Distinct() []Item {
	seen := make(map[identifier.Identifier]bool, len(r.Items))
	var items []Item
	for _, item := range r.Items {
		if !seen[item.Identifier] {
			seen[item.Identifier] = true
			items = append(items, item)
		}
	}
	return items
}

// problem adds a problem, until there are too many to tell.
func (r *Report) problem(line int, sentence string) {
	switch {
	case len(r.Problems) < maxProblems:
		r.Problems = append(r.Problems, Problem{Line: line, Sentence: sentence})
	case len(r.Problems) == maxProblems:
		r.Problems = append(r.Problems, Problem{Sentence: "There are more problems like these in the file."})
	}
}

// full reports that no more items are taken.
func (r *Report) full() bool { return len(r.Items) >= identifier.MaxFound }

// add appends an item.
func (r *Report) add(line int, id identifier.Identifier, raw string) {
	if !r.full() {
		r.Items = append(r.Items, Item{Line: line, Identifier: id, Raw: raw})
	}
}

// text adds what is in a text whose first line is the given line of the file.
func (r *Report) text(line int, text string, region identifier.Region) {
	for _, found := range identifier.Extract(text, region) {
		r.add(line+found.Line-1, found.Identifier, found.Raw)
	}
}
