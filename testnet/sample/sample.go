// Package sample is the invented case files of three agencies, and the list
// of what those files have in common.
//
// The files look like what investigators import: notes, pasted tips, chat
// exports, mails from providers, tables with different delimiters and
// headings. The list, shared.json, was written by hand by those who wrote the
// files. It promises what a correct program must find and what it must not,
// and nothing here computes it from the files: so it can judge the program.
// README.md beside this file says where the names and numbers come from.
//
// Callers are the demo and the end-to-end tests. Each call returns a copy of
// its own, which the caller may change.
package sample

import (
	"embed"
	"path"
)

//go:embed files
var files embed.FS

// Agency is one member of the federation with its officers and cases.
type Agency struct {
	ID           string // "denver-pd"
	Name         string
	Jurisdiction string // ISO 3166-2, "US-CO"
	Contact      string // how the other agencies reach its desk
	Region       string // ISO 3166-1, for telephone numbers without a country code
	Officers     []Officer
	Cases        []Case // in the order in which they are opened and imported
}

// Officer is somebody who signs in at the agency's node.
type Officer struct {
	Name     string // the sign-in name, "m.okafor"
	FullName string
	Role     string // "officer" or "supervisor", the names of casefile.ParseRole
}

// Case is one investigation.
type Case struct {
	Number  string // "DPD-2026-0412"
	Title   string
	Officer string // sign-in name of the one who opens it
	Files   []File // in the order in which they are imported
}

// File is one file as an officer uploads it.
type File struct {
	Name    string // "01-intake-note.txt"
	Content []byte
}

// Agencies returns the three agencies, always in the same order.
func Agencies() []Agency {
	agencies := []Agency{denver(), boulder(), toronto()}
	for _, a := range agencies {
		for i := range a.Cases {
			a.Cases[i].Files = filesOf(a.ID, a.Cases[i].Number)
		}
	}
	return agencies
}

// filesOf reads the files of one case; their numbered names give the order.
func filesOf(agency, number string) []File {
	folder := path.Join("files", agency, number)
	entries, err := files.ReadDir(folder)
	if err != nil {
		panic("sample: no files were compiled in for case " + number) // a fault of this package, found by its tests
	}
	list := make([]File, len(entries))
	for i, entry := range entries {
		content, err := files.ReadFile(path.Join(folder, entry.Name()))
		if err != nil {
			panic("sample: " + folder + " holds more than files") // likewise
		}
		list[i] = File{Name: entry.Name(), Content: content}
	}
	return list
}
