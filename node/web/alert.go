package web

import (
	"net/http"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// alertView is one alert and what to do about it.
type alertView struct {
	Path         string
	Seen         bool
	Quiet        bool // stands on muted values alone
	SeenBy       string
	Agency       string
	Jurisdiction string
	Contact      string // empty where the agency named none
	CasePath     string
	CaseNumber   string
	CaseTitle    string
	Grounds      []groundLine
	Count        string
	Raised       pages.Moment
	Handling     string
	Rule         string
}

func (s *site) alertPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	l, err := s.alertOf(r, v)
	if err != nil {
		return err
	}
	if l.IsSummary() {
		return s.summaryPage(w, r, v, l.ID)
	}
	strict := strictest(l)
	view := alertView{
		Path: alertPath(l), Seen: l.Seen, Quiet: l.Quiet(), SeenBy: officers(l.SeenBy),
		Agency: l.Agency.Name, Jurisdiction: l.Agency.Jurisdiction, Contact: l.Agency.Contact,
		CasePath: casePath(l.Case.ID), CaseNumber: l.Case.Number, CaseTitle: l.Case.Title,
		Count: pages.Many(l.Total, "identifier", "identifiers"), Raised: s.at(l.Raised),
		Handling: strict.String(), Rule: handlingRule(strict),
	}
	for _, g := range l.Grounds {
		view.Grounds = append(view.Grounds, s.ground(g))
	}
	return s.show(w, r, v, http.StatusOK, "alert", shell{Title: "Alert for " + l.Case.Number, Place: "alerts", View: view})
}

// markSeen records that the officer has read the alert, and tells the pages
// that the officer has open.
func (s *site) markSeen(w http.ResponseWriter, r *http.Request, v visitor) error {
	l, err := s.alertOf(r, v)
	if err != nil {
		return err
	}
	if err := s.desk.MarkSeen(v.Officer, l.ID); err != nil {
		return err
	}
	s.streams.poke(v.Name)
	return goTo(w, r, alertPath(l))
}

// alertOf reads which alert a request is about.
func (s *site) alertOf(r *http.Request, v visitor) (desk.AlertLine, error) {
	id, err := alert.ParseID(r.PathValue("alert"))
	if err != nil {
		return desk.AlertLine{}, desk.ErrNotFound
	}
	return s.desk.Alert(v.Officer, id)
}

func (s *site) ground(g alert.Ground) groundLine {
	return groundLine{
		Kind: kindName(g.Identifier.Kind()), Value: g.Identifier.Value(),
		Handling: g.Handling.String(), Rule: handlingRule(g.Handling), At: s.at(g.At),
	}
}

// strictest is the handling code that holds for an alert as a whole.
func strictest(l desk.AlertLine) token.Handling {
	strict := token.H0
	for _, g := range l.Grounds {
		strict = max(strict, g.Handling)
	}
	return strict
}
