package web

import (
	"fmt"
	"net/http"
	"strconv"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// heldView is what a case holds, a page of it.
type heldView struct {
	Path     string
	After    int // how many come before this page
	Lines    []holdingLine
	Total    string
	Part     string // which of them are shown, where that is not all
	Earlier  string // address; empty on the first page
	Later    string // address; empty on the last page
	Waiting  string // how many of those shown wait
	MayPurge bool
	Problem  *notice
}

// holdingLine is one identifier of a case.
type holdingLine struct {
	Key         string // names it in the form
	Path        string // its page, where it has one
	Kind, Value string
	From        string // where it was found first
	Elsewhere   string // and where else
	Handling    string // who may learn of it
	State       string // how far it is on its way there
	Pending     string // who has not acknowledged a withdrawal
	Muted       string // why; empty where it is not
}

// heldView shows the page that the address of r asks for, or the first.
func (s *site) heldView(r *http.Request, v visitor, f desk.CaseFile, o desk.Outstanding) (heldView, error) {
	view := heldView{
		Path: casePath(f.ID), Total: pages.Many(f.Total, "identifier", "identifiers"), MayPurge: desk.MayPurge(v.Officer, f.Case),
	}
	if n := afterIn(r); n < f.Total {
		view.After = n
	}
	if view.After > 0 {
		var err error
		if f, err = s.desk.Holdings(v.Officer, f.ID, view.After); err != nil {
			return view, err
		}
	}
	waiting := 0
	for _, h := range f.Holdings {
		line, err := s.holding(h, o)
		if err != nil {
			return view, err
		}
		line.Path = valuePath(f.Numbers[h.Identifier])
		if m, muted := f.Muted[h.Identifier]; muted {
			line.Muted = muteReason(m)
		}
		if h.State != casefile.Announced {
			waiting++
		}
		view.Lines = append(view.Lines, line)
	}
	if waiting > 0 {
		view.Waiting = pages.Grouped(waiting)
	}
	end := view.After + len(f.Holdings)
	if len(f.Holdings) < f.Total {
		view.Part = pages.Grouped(view.After+1) + " to " + pages.Grouped(end)
	}
	if view.After > 0 {
		view.Earlier = partPath(f.ID, view.After-desk.ShownHoldings)
	}
	if end < f.Total {
		view.Later = partPath(f.ID, end)
	}
	return view, nil
}

// afterIn reads which page of what a case holds an address is about. What is no
// number is the first.
func afterIn(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// partPath is the address of the page of a case that begins after so many.
func partPath(id casefile.CaseID, after int) string {
	if after <= 0 {
		return casePath(id)
	}
	return fmt.Sprintf("%s?after=%d", casePath(id), after)
}

func (s *site) holding(h casefile.Holding, o desk.Outstanding) (holdingLine, error) {
	line := holdingLine{
		Kind: kindName(h.Identifier.Kind()), Value: h.Identifier.Value(), Handling: s.sharingWords(h.Sharing),
		State: stateWords(h), Pending: s.pending(o, h.Identifier, h.Sharing),
	}
	if len(h.Sightings) > 0 {
		line.From = place(h.Sightings[0])
	}
	if more := h.Seen - 1; more > 0 {
		line.Elsewhere = "and " + pages.Many(more, "other place", "other places")
	}
	var err error
	line.Key, err = keyOf(h.Identifier)
	return line, err
}

// stateWords says how far an identifier is on the way that its handling names.
func stateWords(h casefile.Holding) string {
	switch {
	case h.Sharing.Way == casefile.Withdrawn:
		return "matches nothing"
	case h.State != casefile.Announced:
		return "waits for the registry"
	case h.Sharing.Way == casefile.Watch:
		return "compared here alone"
	}
	return "announced"
}

// place says where an identifier was found.
func place(at casefile.Sighting) string {
	if at.Line == 0 {
		return at.Source.Name
	}
	return fmt.Sprintf("%s, line %s", at.Source.Name, pages.Grouped(at.Line))
}
