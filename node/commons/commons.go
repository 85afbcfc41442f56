// Package commons knows values that many people share: the domain of a mail
// provider, a public resolver's address, the number in a film, the hash of a
// file that says nothing. A case that holds one meets everybody who holds it.
//
// It warns and forbids nothing: an officer who is about to save such a value
// sees one sentence and its source, and decides. What the package does not
// promise is to know every common value; mutes and the cap on alerts are for
// those that it does not know. What is so common that it is no identifier at
// all, such as a private address, package identifier refuses before.
//
// The lists are data in the folder lists, each with its source, date and
// licence; DESIGN.md beside the code has the format. An agency adds lists of
// its own, or puts one in the place of a shipped list by giving it that name.
// The desk calls Shipped once, and Warn for each line that it shows.
package commons

import (
	"embed"
	"fmt"
	"slices"

	"interlock/protocol/identifier"
)

// Warning is why a value is common.
type Warning struct {
	List   string // the list's name
	Says   string // one sentence, for an officer
	Source string // the list's title
}

// Lists are warn lists in the order in which they are asked. A value of this
// type never changes, and may be used from any goroutine.
type Lists struct{ all []List }

//go:embed lists/*.txt
var files embed.FS

// order is the order of the shipped lists: what says more comes first.
var order = [...]string{
	"fiction", "placeholders", "blank-files", "special-networks", "resolvers", "tor-exits",
	"disposable-mail", "big-sites", "free-mail", "role-mailboxes",
}

// Shipped returns the lists that come with the program.
func Shipped() (Lists, error) {
	var ls Lists
	for _, name := range order {
		text, err := files.ReadFile("lists/" + name + ".txt")
		if err != nil {
			return Lists{}, fmt.Errorf("warn list %s: %w", name, err)
		}
		l, err := Open(name, string(text))
		if err != nil {
			return Lists{}, err
		}
		ls.all = append(ls.all, l)
	}
	return ls, nil
}

// With returns ls with an agency's own lists: each in the place of the shipped
// one of its name, or before all others.
func (ls Lists) With(own ...List) Lists {
	all := slices.Clone(ls.all)
	for _, l := range own {
		l.own = true
		if n := slices.IndexFunc(all, func(o List) bool { return o.About.Name == l.About.Name }); n >= 0 {
			all[n] = l
		} else {
			all = slices.Insert(all, 0, l)
		}
	}
	return Lists{all}
}

// Warn returns why i is common, as the first list says that has it.
func (ls Lists) Warn(i identifier.Identifier) (Warning, bool) {
	for _, l := range ls.all {
		if l.Holds(i) {
			return Warning{List: l.About.Name, Says: l.About.Says, Source: l.About.Title}, true
		}
	}
	return Warning{}, false
}

// All returns what the lists say of themselves.
func (ls Lists) All() []About {
	out := make([]About, len(ls.all))
	for n, l := range ls.all {
		out[n] = l.About
		out[n].Entries, out[n].Own = l.entries, l.own
	}
	return out
}
