package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"interlock/protocol/directory"
	"interlock/protocol/pages"
)

// agencyLine is one agency in the table.
type agencyLine struct {
	Name, ID, Jurisdiction string
	State                  string // Active, Suspended, Throttled
	Bad, Off               bool   // needs a person; takes no part
	Software               string
	Seen                   pages.Moment
	Silent                 bool
	Version, Lag           string
	Late                   bool
	Used, Daily            uint64
	Share                  uint64 // percent
	UsedText               string
	Path                   string
}

// filter is one way to narrow the table.
type filter struct {
	Name, Text string
	Count      int
	Path       string
	Chosen     bool
}

// agenciesView is the table of agencies.
type agenciesView struct {
	Lines   []agencyLine
	Filters []filter
	Query   string
	Show    string
	Total   int
	Asked   string
}

// lateBy is how many directories an agency may be behind before it is worth a
// look: each is a moment on its way.
const lateBy = 3

func agencyPath(id directory.AgencyID) string { return "/agencies/" + pathOf(string(id)) }

func (c *Console) agencyLine(v *visit, a subject) agencyLine {
	line := agencyLine{
		Name: a.Agency.Name, ID: string(a.Agency.ID), Jurisdiction: a.Agency.Jurisdiction, Path: agencyPath(a.Agency.ID),
		State: "Active", Off: a.Agency.Status != directory.Active, Version: "not known",
	}
	if line.Off {
		line.State = "Suspended"
	}
	act := v.status.Activity[a.Agency.ID]
	if act == nil {
		line.Silent = !line.Off
		return line
	}
	if act.Flagged && !line.Off {
		line.State, line.Bad = "Throttled", true
	}
	line.Software, line.Silent = act.Software, !line.Off && lately(act.Seen, c.now()) > 1
	if m := c.unix(act.Seen); m.Text != "" {
		line.Seen = c.ago(unixTime(act.Seen))
	}
	lag := behind(v.status, a.Agency.ID)
	switch {
	case act.Version == 0:
	case lag == 0:
		line.Version = "newest"
	default:
		line.Version, line.Late = pages.Grouped(lag)+" behind", !line.Off && lag >= lateBy
	}
	line.Used, line.Daily = act.Used, act.Daily
	line.Share, line.UsedText = percent(act.Used, act.Daily), pages.Grouped(act.Used)+" of "+pages.Grouped(act.Daily)
	return line
}

// shows are the filters, and which agencies each lets through.
func shows() []struct {
	name, text string
	fits       func(agencyLine) bool
} {
	return []struct {
		name, text string
		fits       func(agencyLine) bool
	}{
		{"", "All", func(agencyLine) bool { return true }},
		{"active", "Active", func(l agencyLine) bool { return !l.Off }},
		{"throttled", "Throttled", func(l agencyLine) bool { return l.Bad }},
		{"behind", "Behind", func(l agencyLine) bool { return l.Late }},
		{"silent", "Not heard for an hour", func(l agencyLine) bool { return l.Silent }},
		{"suspended", "Suspended", func(l agencyLine) bool { return l.Off }},
	}
}

func (c *Console) agencies(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	view := agenciesView{Query: q.Get("q"), Show: q.Get("show"), Total: len(v.status.Agencies), Asked: v.status.Asked}
	fits := func(agencyLine) bool { return true }
	counts := map[string]int{}
	for _, s := range shows() {
		if s.name == view.Show {
			fits = s.fits
		}
	}
	for _, a := range v.status.Agencies {
		line := c.agencyLine(v, a)
		if !line.has(view.Query) {
			continue
		}
		for _, s := range shows() {
			if s.fits(line) {
				counts[s.name]++
			}
		}
		if fits(line) {
			view.Lines = append(view.Lines, line)
		}
	}
	for _, s := range shows() {
		view.Filters = append(view.Filters, filter{
			Name: s.name, Text: s.text, Count: counts[s.name], Chosen: s.name == view.Show,
			Path: "/agencies?" + url.Values{"q": {view.Query}, "show": {s.name}}.Encode(),
		})
	}
	return c.show(w, r, v, http.StatusOK, "agencies", shell{Title: "Agencies", Place: "agencies", View: view})
}

// has reports whether each word of a search stands somewhere in the line.
func (l agencyLine) has(query string) bool {
	text := strings.ToLower(fmt.Sprint(l.Name, " ", l.ID, " ", l.Jurisdiction, " ", l.Software, " ", l.State))
	for _, word := range strings.Fields(strings.ToLower(query)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
