package web

import (
	"fmt"
	"net/http"
	"strings"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// caseView is one case with what it holds.
type caseView struct {
	Path, Number, Title string
	Officers            string
	Opened              pages.Moment
	Said                *answer // what came of the form that led here
	Problem             *notice // with what was pasted
	NoteProblem         *notice // with the note
	Pasted, Note        string
	Upload              string // how much one upload may have
	MostBytes           int    // the same, for the page's script
	Alerts              caseAlertsView
	Held                heldView
	Outstanding         outstandingView
	Changes             []changeLine
	Notes               []noteLine
}

// noteLine is one note of a case.
type noteLine struct {
	Number uint64
	By     casefile.OfficerName
	At     pages.Moment
	Text   string
}

func (s *site) casePage(w http.ResponseWriter, r *http.Request, v visitor) error {
	view, err := s.caseView(r, v)
	if err != nil {
		return err
	}
	view.Said = s.takeAnswer(w, r)
	return s.show(w, r, v, http.StatusOK, "case", caseShell(view))
}

func caseShell(view caseView) shell {
	return shell{Title: view.Number, Place: "cases", View: view}
}

// caseAgain answers one of the case's forms with what is wrong with it.
func (s *site) caseAgain(w http.ResponseWriter, r *http.Request, v visitor, err error, fill func(*caseView, *notice)) error {
	view, missing := s.caseView(r, v)
	if missing != nil {
		return missing
	}
	return s.again(w, r, v, err, "case", func(n notice) shell {
		fill(&view, &n)
		return caseShell(view)
	})
}

// fileOf reads the case that a request is about.
func (s *site) fileOf(r *http.Request, v visitor) (desk.CaseFile, error) {
	id, err := caseOf(r)
	if err != nil {
		return desk.CaseFile{}, err
	}
	return s.desk.Case(v.Officer, id)
}

func (s *site) caseView(r *http.Request, v visitor) (caseView, error) {
	f, err := s.fileOf(r, v)
	if err != nil {
		return caseView{}, err
	}
	view := caseView{
		Path: casePath(f.ID), Number: f.Number, Title: f.Title, Officers: officers(f.Officers), Opened: s.at(f.Opened),
		Upload: megabytes(MaxUpload), MostBytes: MaxUpload,
	}
	for i := len(f.Notes) - 1; i >= 0; i-- {
		n := f.Notes[i]
		view.Notes = append(view.Notes, noteLine{n.Number, n.By, s.at(n.At), n.Text})
	}
	h, err := s.desk.History(v.Officer, f.ID)
	if err != nil {
		return view, err
	}
	view.Outstanding, view.Changes = s.outstandingView(h.Outstanding), s.changeLines(h.Changes)
	if view.Held, err = s.heldView(r, v, f, h.Outstanding); err != nil {
		return view, err
	}
	view.Alerts, err = s.caseAlertsView(v, f)
	return view, err
}

func officers(names []casefile.OfficerName) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = string(n)
	}
	return strings.Join(list, ", ")
}

// caseAlertsView is the alerts of one case, or what an absence of them means.
type caseAlertsView struct {
	Path     string
	Alerts   []alertCard
	AllWait  bool // nothing of the case was compared yet
	Coverage coverage
	Covered  coveredView
}

func (s *site) caseAlertsView(v visitor, f desk.CaseFile) (view caseAlertsView, err error) {
	view.Path = casePath(f.ID)
	for _, l := range f.Alerts {
		card := s.card(l)
		card.CaseTitle = "" // the page has it
		view.Alerts = append(view.Alerts, card)
	}
	switch {
	case len(view.Alerts) > 0 || f.Total == 0:
	case waitingOf(f) == len(f.Holdings):
		view.AllWait = true
	default:
		view.Coverage = s.coverage()
		if n := len(f.Muted); n > 0 {
			view.Coverage.Missing = append(view.Coverage.Missing,
				fmt.Sprintf("%s of this case %s muted and would raise no alert.", pages.Many(n, "identifier", "identifiers"), verb(n, "is", "are")))
		}
	}
	if f.Total > 0 && !view.AllWait {
		view.Covered, err = s.covered(v, f.ID)
	}
	return view, err
}

// waitingOf counts the identifiers of a case, as far as it shows them, that
// were compared with nobody yet.
func waitingOf(f desk.CaseFile) int {
	n := 0
	for _, h := range f.Holdings {
		if h.State != casefile.Announced {
			n++
		}
	}
	return n
}

// caseAlerts is the part of a case's page that htmx reads again when an alert
// arrives.
func (s *site) caseAlerts(w http.ResponseWriter, r *http.Request, v visitor) error {
	f, err := s.fileOf(r, v)
	if err != nil {
		return err
	}
	view, err := s.caseAlertsView(v, f)
	if err != nil {
		return err
	}
	html, err := s.part("case-alerts", view)
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, []byte(html))
	return nil
}
