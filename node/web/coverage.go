package web

import (
	"fmt"

	"interlock/node/desk"
	"interlock/protocol/directory"
	"interlock/protocol/pages"
)

// coverage is what the absence of an alert means: whose entries this node has
// compared, and whose it has not. "No match" is never said without it.
type coverage struct {
	Checked []string
	Missing []string
}

// Any reports whether there is something to say.
func (c coverage) Any() bool { return len(c.Checked)+len(c.Missing) > 0 }

func (s *site) coverage() coverage { return s.coverageOf(s.desk.Network()) }

func (s *site) coverageOf(n desk.NetworkStatus) coverage {
	var c coverage
	if n.Standing != directory.Active {
		c.Missing = append(c.Missing, "This agency takes no part in the network now ("+n.Standing.String()+"): nothing new is compared.")
	}
	if n.Waiting > 0 {
		c.Missing = append(c.Missing, fmt.Sprintf("%s of this agency %s for the registry and %s compared with nobody yet.",
			waiting(n), verb(n.Waiting, "waits", "wait"), verb(n.Waiting, "is", "are")))
	}
	if n.Renewal.UnderWay() {
		c.Missing = append(c.Missing, fmt.Sprintf("The registry has a new token key: %s of %s of this agency are compared under it so far.",
			pages.Grouped(n.Renewal.Done), pages.Many(n.Renewal.Of, "identifier", "identifiers")))
	}
	for _, m := range n.Members {
		switch name := m.Agency.Name; {
		case m.Agency.Status == directory.Suspended:
			c.Missing = append(c.Missing, name+": suspended from the network, not compared.")
		case m.Connected && m.Have >= m.Head:
			c.Checked = append(c.Checked, fmt.Sprintf("%s: all it has announced (%s).", name, pages.Many(m.Have, "entry", "entries")))
		case m.Connected:
			c.Missing = append(c.Missing, fmt.Sprintf("%s: %s of %s have arrived so far.", name, pages.Grouped(m.Have), pages.Many(m.Head, "entry", "entries")))
		default:
			c.Missing = append(c.Missing, fmt.Sprintf("%s: not connected%s. Compared up to entry %s; what it announced since is not here.",
				name, s.since(m), pages.Grouped(m.Have)))
		}
	}
	if len(n.Members) == 0 {
		c.Missing = append(c.Missing, "No other agency is in the directory yet.")
	}
	return c
}

// since says when a member was last heard of.
func (s *site) since(m desk.MemberLine) string {
	if m.LastHeard.IsZero() {
		return ""
	}
	return ", last heard " + s.at(m.LastHeard).Text
}

// mostWaiting is where the desk stops counting what waits.
const mostWaiting = 1000

func waiting(n desk.NetworkStatus) string {
	if n.Waiting >= mostWaiting {
		return "More than " + pages.Grouped(mostWaiting-1) + " identifiers"
	}
	return pages.Many(n.Waiting, "identifier", "identifiers")
}
