package web

import (
	"net/http"

	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// commonView is what this node takes for common, and why.
type commonView struct {
	Mutes        []muteLine
	More         string // how many are not shown
	MayMute      bool
	Lists        []listLine
	Pair, Common int // the caps
}

// muteLine is one muted value.
type muteLine struct {
	Path, Kind, Value string
	Reason            string
	By                casefile.OfficerName // empty where the network alone mutes it
	At                pages.Moment
	Missed            bool
}

// listLine is one warn list.
type listLine struct {
	Name, Title, Source, Date string
	Entries                   string
	Own                       bool
}

func (s *site) commonPage(w http.ResponseWriter, r *http.Request, v visitor) error {
	mutes, total, err := s.desk.Mutes(v.Officer)
	if err != nil {
		return err
	}
	lists, err := s.desk.WarnLists()
	if err != nil {
		return err
	}
	view := commonView{MayMute: desk.MayMute(v.Officer), Pair: alert.PairsPerCase, Common: alert.PairsInAll}
	for _, m := range mutes {
		line := muteLine{
			Path: valuePath(m.ID), Kind: kindName(m.Identifier.Kind()), Value: m.Identifier.Value(),
			Reason: muteReason(m.Muted), Missed: m.Missed,
		}
		if m.ByAgency != nil {
			line.By, line.At = m.ByAgency.By, s.at(m.ByAgency.At)
		}
		view.Mutes = append(view.Mutes, line)
	}
	if rest := total - len(mutes); rest > 0 {
		view.More = pages.Grouped(rest)
	}
	for _, l := range lists {
		view.Lists = append(view.Lists, listLine{
			Name: l.Name, Title: l.Title, Source: l.Source, Date: l.Date,
			Entries: pages.Many(l.Entries, "entry", "entries"), Own: l.Own,
		})
	}
	return s.show(w, r, v, http.StatusOK, "common", shell{Title: "Common values", Place: "common", View: view})
}
