package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/pages"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// overviewView is the first page: what needs a person, and whether all is well.
type overviewView struct {
	Needs   []need
	Tiles   []tile
	Notices []noticeLine
	Mine    bool // whether anything could wait for this operator's roles
}

// need is one thing that waits for a person.
type need struct {
	Text, Detail string
	Path, Act    string
	Urgent       bool
}

// tile is one measure of health.
type tile struct {
	Label, Value, Detail string
	Path                 string
	Trouble              bool
}

// noticeLine is something that the registry tells operators.
type noticeLine struct {
	Text         string
	At           pages.Moment
	Path, Agency string
}

// noticeText is a notice as a sentence. An agency's short name stays as it is.
func noticeText(n *wire.Notice) string {
	if n.Agency != "" && strings.HasPrefix(n.Text, n.Agency) {
		return strings.TrimSuffix(n.Text, ".") + "."
	}
	return sentenceOf(n.Text)
}

// noticesShown is how many the first page shows; the record has them all.
const noticesShown = 6

func (c *Console) overview(w http.ResponseWriter, r *http.Request, v *visit) error {
	view := overviewView{Tiles: c.tiles(v), Mine: v.may(registry.Admission | registry.Operations)}
	view.Needs = append(view.Needs, c.undecided(v)...)
	view.Needs = append(view.Needs, c.unwell(v)...)
	slices.SortStableFunc(view.Needs, func(a, b need) int { return flag(b.Urgent) - flag(a.Urgent) })
	list := v.status.Notices
	for i := len(list) - 1; i >= 0 && len(view.Notices) < noticesShown; i-- {
		line := noticeLine{Text: noticeText(list[i]), At: c.unix(list[i].Time)}
		if _, err := v.memberCalled(list[i].Agency); err == nil {
			line.Path, line.Agency = "/agencies/"+pathOf(list[i].Agency), list[i].Agency
		}
		view.Notices = append(view.Notices, line)
	}
	return c.show(w, r, v, http.StatusOK, "overview", shell{Title: "Overview", Place: "overview", View: view})
}

// undecided is what waits for a decision.
func (c *Console) undecided(v *visit) (list []need) {
	for _, a := range v.status.Agencies {
		if act := v.status.Activity[a.Agency.ID]; act != nil && act.Flagged && a.Agency.Status == directory.Active {
			list = append(list, need{
				Text: a.Agency.Name + " asks for far more tokens than usual", Detail: "It is throttled. Ask what it imports, then clear or suspend it.",
				Path: agencyPath(a.Agency.ID), Act: "Look", Urgent: true,
			})
		}
	}
	for _, a := range v.status.Pending {
		if v.mayApprove(a) {
			list = append(list, need{
				Text: a.Agency.Name + " applies", Detail: approvedBy(a) + " " + c.ago(a.Applied).Text + ", by its own clock.",
				Path: applicationPath(a), Act: "Decide",
			})
		}
	}
	for _, m := range v.status.Motions {
		if v.mayDecide(m) && m.By != v.me.Name {
			list = append(list, need{
				Text: titleOf(v.status, m.What), Detail: "Put by " + m.By + ": " + m.Reason, Path: motionPath(m), Act: "Decide",
			})
		}
	}
	return list
}

// approvedBy says who has approved an application.
func approvedBy(a subject) string {
	if len(a.Approvals) == 0 {
		return "Nobody has approved yet. Applied"
	}
	return "Approved by " + listed(a.Approvals) + "; one more is needed. Applied"
}

// lasting is how long a failure that mends itself is shown as one.
const lasting = 24 * time.Hour

// unwell is what is wrong with the registry itself.
func (c *Console) unwell(v *visit) (list []need) {
	s := v.status
	add := func(urgent bool, text, detail string) {
		list = append(list, need{Text: text, Detail: detail, Path: "/servers", Act: "Look", Urgent: urgent})
	}
	if s.Leader == "" {
		add(true, "The registry servers have no leader", "Less than a majority of them answer. Nothing can be decided until they do.")
	}
	for _, server := range s.Servers {
		a := s.Health[server.Index]
		switch {
		case a == nil || !a.Reachable:
			add(true, "Server "+server.Name+" does not answer "+s.Asked, "Ask whoever runs it.")
		case len(s.Epochs) > 0 && s.Ceremony == nil && a.Generation != s.Epochs[len(s.Epochs)-1].Generation:
			add(false, "Server "+server.Name+" holds no share of the key in force", "It can be given one by sharing the key anew.")
		}
	}
	if len(s.Epochs) == 0 {
		add(false, "There is no token key yet", "The servers make the first one as soon as all of them run.")
	}
	for _, n := range s.Notices {
		if n.Kind != registry.CeremonyFailed && n.Kind != registry.ServerDisqualified || c.now().Unix()-int64(n.Time) > int64(lasting/time.Second) {
			continue
		}
		add(false, firstUpper(n.Text), c.unix(n.Time).Text)
	}
	return list
}

// tiles are the measures of health.
func (c *Console) tiles(v *visit) []tile {
	s := v.status
	reachable := 0
	for _, a := range s.Health {
		if a.Reachable {
			reachable++
		}
	}
	servers := tile{Label: "Registry servers", Value: fmt.Sprintf("%d of %d answer", reachable, len(s.Servers)), Detail: "led by " + s.Leader, Path: "/servers", Trouble: s.Leader == "" || reachable < len(s.Servers)}
	if s.Leader == "" {
		servers.Detail = "no leader"
	}
	signed := tile{Label: "Directory", Value: "Version " + pages.Grouped(s.Version), Path: "/servers", Trouble: s.Endorsed <= len(s.Servers)/2}
	signed.Detail = fmt.Sprintf("signed by %d of %d", s.Endorsed, len(s.Servers))
	active, heard, suspended := 0, 0, 0
	var used, daily uint64
	for _, a := range s.Agencies {
		if a.Agency.Status != directory.Active {
			suspended++
			continue
		}
		active++
		if act := s.Activity[a.Agency.ID]; act != nil {
			used, daily = used+act.Used, daily+act.Daily
			if lately(act.Seen, c.now()) < 2 {
				heard++
			}
		}
	}
	members := tile{Label: "Agencies", Value: pages.Grouped(active) + " active", Path: "/agencies", Detail: "none suspended"}
	if suspended > 0 {
		members.Detail = pages.Grouped(suspended) + " suspended"
	}
	seen := tile{Label: "Heard in the last hour", Value: fmt.Sprintf("%d of %d", heard, active), Detail: "as " + s.Asked + " sees it", Path: "/agencies?show=silent"}
	asked := tile{Label: "Looked up today", Value: pages.Grouped(used), Detail: fmt.Sprintf("%d %% of all quotas", percent(used, daily)), Path: "/agencies"}
	return []tile{servers, signed, c.keyTile(v), members, seen, asked}
}

func (c *Console) keyTile(v *visit) tile {
	s := v.status
	t := tile{Label: "Token key", Value: "None yet", Path: "/servers", Trouble: true}
	if n := len(s.Epochs); n > 0 {
		e := s.Epochs[n-1]
		t = tile{Label: "Token key", Value: fmt.Sprintf("Epoch %d", e.Epoch), Detail: fmt.Sprintf("%d of %d servers make a token", e.Keys.Threshold, len(e.Keys.Shares)), Path: "/servers"}
	}
	if s.Ceremony != nil {
		t.Detail = "a ceremony is under way: " + s.Ceremony.Phase
	}
	return t
}
