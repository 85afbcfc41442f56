package web

import (
	"net/http"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// newCaseView is the form that opens a case.
type newCaseView struct {
	Number, Title       string
	MaxNumber, MaxTitle int
	Problem             *notice
}

func newCaseShell(n casefile.NewCase, problem *notice) shell {
	return shell{Title: "New case", Place: "cases", View: newCaseView{
		Number: n.Number, Title: n.Title, MaxNumber: casefile.MaxNumber, MaxTitle: casefile.MaxTitle, Problem: problem,
	}}
}

func (s *site) newCasePage(w http.ResponseWriter, r *http.Request, v visitor) error {
	if !hasCases(v) {
		return desk.ErrNotFound
	}
	return s.show(w, r, v, http.StatusOK, "case-new", newCaseShell(casefile.NewCase{}, nil))
}

func (s *site) newCase(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := pages.ReadForm(r); err != nil {
		return err
	}
	n := casefile.NewCase{Number: r.PostFormValue("number"), Title: r.PostFormValue("title")}
	c, err := s.desk.OpenCase(v.Officer, n)
	if err != nil {
		return s.again(w, r, v, err, "case-new", func(problem notice) shell { return newCaseShell(n, &problem) })
	}
	return goTo(w, r, casePath(c.ID))
}
