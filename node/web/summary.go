package web

import (
	"net/http"

	"interlock/node/alert"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// summaryView is an identifier that one of our cases shares with many.
type summaryView struct {
	Path, ValuePath      string
	Title, Spread        string
	Seen, Quiet          bool
	SeenBy               string
	Kind, Value          string
	CasePath, CaseNumber string
	CaseTitle            string
	Held                 string // how many of our own cases hold it
	HeldByMore           bool   // than this one
	Agencies             []metAgency
	More                 string // how many cases are not listed
	Cap, CapInAll        int
	Raised               pages.Moment
	Handling, Rule       string
	MayMute              bool
	Mute                 muteForm
}

// metAgency is one agency of a summary and its cases.
type metAgency struct {
	Name, Contact string
	Cases         int
	Handling      string
	First         pages.Moment
}

func (s *site) summaryPage(w http.ResponseWriter, r *http.Request, v visitor, id alert.ID) error {
	view, err := s.summaryView(v, id)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "summary", shell{Title: "Common value in " + view.CaseNumber, Place: "alerts", View: view})
}

func (s *site) summaryView(v visitor, id alert.ID) (summaryView, error) {
	sum, err := s.desk.Summary(v.Officer, id)
	if err != nil {
		return summaryView{}, err
	}
	strict, g := strictest(sum.AlertLine), s.ground(sum.Grounds[0])
	view := summaryView{
		Path: alertPath(sum.AlertLine), Title: alertTitle(sum.AlertLine), Spread: spread(sum.AlertLine),
		Seen: sum.Seen, Quiet: sum.Quiet(), SeenBy: officers(sum.SeenBy), Kind: g.Kind, Value: g.Value,
		CasePath: casePath(sum.Case.ID), CaseNumber: sum.Case.Number, CaseTitle: sum.Case.Title,
		Held: pages.Many(sum.Held, "case", "cases"), HeldByMore: sum.Held > 1, Cap: alert.PairsPerCase, CapInAll: alert.PairsInAll, Raised: s.at(sum.Raised),
		Handling: strict.String(), Rule: handlingRule(strict), MayMute: desk.MayMute(v.Officer),
		Agencies: s.metAgencies(sum.Met),
	}
	if sum.Value != 0 {
		view.ValuePath = valuePath(sum.Value)
		view.Mute = muteForm{Path: view.ValuePath + "/mute", Do: "Mute this value", MostReason: desk.MaxMuteReason}
	}
	if rest := sum.Spread.Cases - len(sum.Met); rest > 0 {
		view.More = pages.Many(rest, "more case", "more cases")
	}
	return view, nil
}

// metAgencies gathers the cases of a summary by agency, in which order they
// come.
func (s *site) metAgencies(met []desk.MetLine) (list []metAgency) {
	for i, m := range met {
		if i > 0 && met[i-1].Met.Agency == m.Met.Agency {
			list[len(list)-1].Cases++
			continue
		}
		list = append(list, metAgency{
			Name: m.Agency.Name, Contact: m.Agency.Contact, Cases: 1, Handling: m.Handling.String(), First: s.at(m.At),
		})
	}
	return list
}
