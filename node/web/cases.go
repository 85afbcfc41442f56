package web

import (
	"net/http"
	"strconv"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// casesView is the list of the officer's cases.
type casesView struct {
	Lines []caseLine
}

// caseLine is one case in the list.
type caseLine struct {
	Path, Number, Title string
	Identifiers         string
	Alerts              string // empty without any
	Unseen              string // empty without any
	Opened              pages.Moment
}

func (s *site) cases(w http.ResponseWriter, r *http.Request, v visitor) error {
	if !hasCases(v) {
		return desk.ErrNotFound
	}
	lines, err := s.desk.Cases(v.Officer)
	if err != nil {
		return err
	}
	var view casesView
	for _, l := range lines {
		line := caseLine{
			Path: casePath(l.ID), Number: l.Number, Title: l.Title,
			Identifiers: pages.Grouped(l.Identifiers), Opened: s.at(l.Opened),
		}
		if l.Alerts > 0 {
			line.Alerts = pages.Grouped(l.Alerts)
		}
		if l.Unseen > 0 {
			line.Unseen = pages.Grouped(l.Unseen) + " not seen"
		}
		view.Lines = append(view.Lines, line)
	}
	return s.show(w, r, v, http.StatusOK, "cases", shell{Title: "Cases", Place: "cases", View: view})
}

// hasCases reports whether the officer's role works cases at all.
func hasCases(v visitor) bool { return v.Role != casefile.Administrator }

func casePath(id casefile.CaseID) string { return "/cases/" + strconv.FormatUint(uint64(id), 10) }

// caseOf reads which case a request is about. What is no number is no case.
func caseOf(r *http.Request) (casefile.CaseID, error) {
	n, err := strconv.ParseUint(r.PathValue("case"), 10, 64)
	if err != nil {
		return 0, desk.ErrNotFound
	}
	return casefile.CaseID(n), nil
}

// caseForm reads a form and which case it is about.
func caseForm(r *http.Request) (casefile.CaseID, error) {
	id, err := caseOf(r)
	if err != nil {
		return id, err
	}
	return id, pages.ReadForm(r)
}

// longCaseForm is caseForm where what is asked for may take its time.
func longCaseForm(w http.ResponseWriter, r *http.Request) (casefile.CaseID, error) {
	if err := pages.TakeTime(w, longTimeout); err != nil {
		return 0, err
	}
	return caseForm(r)
}
