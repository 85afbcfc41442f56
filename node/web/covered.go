package web

import (
	"fmt"
	"net/http"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/pages"
)

// coveredView is which members have compared what a case announces.
type coveredView struct {
	Known       bool   // somebody says
	Summary     string // in a sentence
	Missing     []string
	More        string // how many of those missing are not named
	Complete    []string
	Certificate string // address
}

// namedMissing is how many members that are missing a page names at once.
const namedMissing = 12

// covered says who has compared what a case announces.
func (s *site) covered(v visitor, id casefile.CaseID) (view coveredView, err error) {
	c, known, err := s.desk.Coverage(v.Officer, id)
	if err != nil || !known {
		return view, err
	}
	view.Known = true
	if c.Entries == 0 {
		view.Summary = "This case announces nothing now, so no other agency compares it. What they announce is compared here."
		return view, nil
	}
	if len(c.Members) == 0 {
		view.Summary = "No other agency may learn of this case now."
		return view, nil
	}
	view.Certificate = casePath(id) + "/certificate"
	missing := 0
	for _, m := range c.Members {
		if m.Complete {
			view.Complete = append(view.Complete, s.coveredLine(m))
			continue
		}
		if missing++; missing <= namedMissing {
			view.Missing = append(view.Missing, s.coveredLine(m))
		}
	}
	if rest := missing - namedMissing; rest > 0 {
		view.More = "And " + pages.Many(rest, "other member", "other members") + ", named in the certificate."
	}
	view.Summary = fmt.Sprintf("%s of %s to whom this case is announced %s compared all of it so far.",
		pages.Grouped(len(view.Complete)), pages.Many(len(c.Members), "member", "members"), verb(len(view.Complete), "has", "have"))
	return view, nil
}

// coveredLine is how far one member has come.
func (s *site) coveredLine(m desk.Covered) string {
	if m.Number == 0 && !m.Complete {
		return m.Agency.Name + ": has not said so far."
	}
	line := m.Agency.Name + ": up to entry " + pages.Grouped(m.Number)
	if !m.At.IsZero() {
		line += ", " + s.at(m.At).Text
	}
	if m.Signed {
		return line + ", signed."
	}
	return line + "."
}

// certificate sends the coverage of a case as a file to keep.
func (s *site) certificate(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := caseOf(r)
	if err != nil {
		return err
	}
	b, err := s.desk.Certificate(v.Officer, id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="coverage-case-%d.json"`, id))
	s.write(w, r, b)
	return nil
}
