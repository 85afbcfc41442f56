package web

import (
	"net/http"

	"interlock/node/desk"
	"interlock/protocol/directory"
	"interlock/protocol/pages"
)

// networkView is how the federation stands as this node sees it.
type networkView struct {
	Agency            string
	Standing          string
	Active            bool
	RegistryReachable bool
	Waiting           string // empty if nothing waits
	Renewal           desk.Renewal
	Renewed           string // in words
	Troubles          []string
	Members           []memberLine
	Connected         string
}

// memberLine is one other agency.
type memberLine struct {
	Name, Jurisdiction, Contact string
	Connected, Suspended        bool
	Have, Head                  uint64
	Progress                    string
	Acknowledged                string // how much of ours it has
	Volume                      string
	ByOthers                    bool
	LastHeard                   pages.Moment
	Trouble                     string
}

func (s *site) network(w http.ResponseWriter, r *http.Request, v visitor) error {
	n := s.desk.Network()
	view := networkView{
		Agency: s.desk.Agency().Name, Standing: n.Standing.String(), Active: n.Standing == directory.Active,
		RegistryReachable: n.RegistryReachable, Renewal: n.Renewal, Troubles: n.Troubles,
		Renewed: pages.Grouped(n.Renewal.Done) + " of " + pages.Many(n.Renewal.Of, "identifier", "identifiers"),
	}
	if n.Waiting > 0 {
		view.Waiting = waiting(n)
	}
	connected := 0
	for _, m := range n.Members {
		line := memberLine{
			Name: m.Agency.Name, Jurisdiction: m.Agency.Jurisdiction, Contact: m.Agency.Contact,
			Connected: m.Connected, Suspended: m.Agency.Status == directory.Suspended,
			Have: m.Have, Head: max(m.Head, m.Have), Trouble: m.Trouble, ByOthers: m.ByOthers,
			Acknowledged: pages.Grouped(m.Has) + " of our " + pages.Grouped(m.Ours) + " acknowledged",
			Volume:       volume(m.ReceivedBytes) + " in, " + volume(m.SentBytes) + " out",
		}
		switch {
		case line.Head == 0:
			line.Progress = "nothing announced yet"
		case m.Have >= m.Head:
			line.Progress = "all " + pages.Many(m.Have, "entry", "entries")
		default:
			line.Progress = pages.Grouped(m.Have) + " of " + pages.Many(m.Head, "entry", "entries")
		}
		if !m.LastHeard.IsZero() {
			line.LastHeard = s.at(m.LastHeard)
		}
		if m.Connected {
			connected++
		}
		view.Members = append(view.Members, line)
	}
	view.Connected = pages.Grouped(connected) + " of " + pages.Many(len(n.Members), "member", "members") + " connected"
	return s.show(w, r, v, http.StatusOK, "network", shell{Title: "Network", Place: "network", View: view})
}

// volume says how many bytes something is, roughly.
func volume(bytes uint64) string {
	switch {
	case bytes < 1_000:
		return pages.Many(bytes, "byte", "bytes")
	case bytes < 1_000_000:
		return pages.Grouped(bytes/1_000) + " kB"
	}
	return pages.Grouped(bytes/1_000_000) + " MB"
}
