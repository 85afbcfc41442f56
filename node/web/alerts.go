package web

import (
	"fmt"
	"net/http"

	"interlock/node/desk"
	"interlock/protocol/pages"
)

// inboxView is the officer's alerts, or what an absence of them means.
type inboxView struct {
	Cards    []alertCard
	Full     bool // there may be older ones that are not shown
	Shown    int
	Coverage coverage
}

// alertCard is one alert in a list.
type alertCard struct {
	ID, Path, Title string
	Unseen          bool
	Quiet           bool // stands on muted values alone
	Arriving        bool // while the officer looks
	Contact         string
	CaseTitle       string
	Grounds         []groundLine
	More            string // how many others
	Raised          pages.Moment
	Handling        string
}

// groundLine is one identifier that both cases hold.
type groundLine struct {
	Kind, Value string
	Handling    string
	Rule        string
	At          pages.Moment
}

// shownGrounds is how many identifiers a card names.
const shownGrounds = 3

func (s *site) inbox(w http.ResponseWriter, r *http.Request, v visitor) error {
	if !hasCases(v) {
		return desk.ErrNotFound
	}
	view, err := s.inboxView(v)
	if err != nil {
		return err
	}
	return s.show(w, r, v, http.StatusOK, "alerts", shell{
		Title: "Alerts", Place: "alerts", Stream: "/events?inbox=1", View: view,
	})
}

func (s *site) inboxView(v visitor) (inboxView, error) {
	lines, err := s.desk.Alerts(v.Officer)
	if err != nil {
		return inboxView{}, err
	}
	view := inboxView{Full: len(lines) >= desk.ShownAlerts, Shown: desk.ShownAlerts, Coverage: s.coverage()}
	for _, l := range lines {
		view.Cards = append(view.Cards, s.card(l))
	}
	return view, nil
}

func (s *site) card(l desk.AlertLine) alertCard {
	card := alertCard{
		ID: l.ID.String(), Path: alertPath(l), Title: alertTitle(l), Unseen: l.Waits(), Quiet: l.Quiet(),
		Contact: l.Agency.Contact, CaseTitle: l.Case.Title, Raised: s.at(l.Raised), Handling: strictest(l).String(),
	}
	for i, g := range l.Grounds {
		if i == shownGrounds {
			card.More = "and " + pages.Many(l.Total-i, "other", "others")
			break
		}
		card.Grounds = append(card.Grounds, s.ground(g))
	}
	return card
}

// alertTitle says in a line what an alert is about.
func alertTitle(l desk.AlertLine) string {
	if !l.IsSummary() {
		return l.Case.Number + " meets a case of " + l.Agency.Name
	}
	return l.Case.Number + " holds a value that is " + spread(l)
}

// spread says how far the value of a summary reaches.
func spread(l desk.AlertLine) string {
	return fmt.Sprintf("in %s of %s",
		pages.Many(l.Spread.Cases, "case", "cases"), pages.Many(l.Spread.Agencies, "other agency", "other agencies"))
}

func alertPath(l desk.AlertLine) string { return "/alerts/" + l.ID.String() }
