package web

import (
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/protocol/pages"
)

// changeLine is one change of handling.
type changeLine struct {
	By       casefile.OfficerName
	At       pages.Moment
	What     string
	From, To string   // in words; To is empty where identifiers were purged
	Named    []string // some of the identifiers
	More     string
}

// changeLines is what was changed in a case.
func (s *site) changeLines(list []desk.Change) (lines []changeLine) {
	for _, c := range list {
		l := changeLine{By: c.By, At: s.at(c.At), What: pages.Many(c.Count, "identifier", "identifiers"), From: s.sharingWords(c.From)}
		if !c.Purged {
			l.To = s.sharingWords(c.To)
			for _, i := range c.Named {
				l.Named = append(l.Named, i.Value())
			}
			if rest := c.Count - len(c.Named); rest > 0 && len(c.Named) > 0 {
				l.More = "and " + pages.Grouped(rest) + " more"
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// outstandingView is what of a case's withdrawals members have not acknowledged.
type outstandingView struct {
	Members []outstandingLine
	Read    string // how many changes were looked at, where there are more
}

// outstandingLine is one member that is behind.
type outstandingLine struct {
	Name, Count string
	Since       pages.Moment
}

func (s *site) outstandingView(o desk.Outstanding) (view outstandingView) {
	for _, m := range o.Members {
		view.Members = append(view.Members, outstandingLine{m.Agency.Name, pages.Many(m.Count, "withdrawal", "withdrawals"), s.at(m.Since)})
	}
	if o.Partial {
		view.Read = pages.Grouped(desk.ReadChanges)
	}
	return view
}

// pending says who has not acknowledged that an identifier is not announced as it
// was before; empty where everybody has.
func (s *site) pending(o desk.Outstanding, i identifier.Identifier, now casefile.Sharing) string {
	of, some := o.Identifiers[i]
	if !some || now.Way == casefile.Share && now.Audience == of.Audience {
		return "" // it is announced there again
	}
	text := "not yet acknowledged by: " + s.agencies(ids(of.Members))
	if now.Way != casefile.Withdrawn {
		text = "an earlier withdrawal is " + text
	}
	return text
}

func ids(agencies []directory.Agency) (list []directory.AgencyID) {
	for _, a := range agencies {
		list = append(list, a.ID)
	}
	return list
}
