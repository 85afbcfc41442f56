package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/pages"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// serverLine is one registry server.
type serverLine struct {
	Number      uint64
	Name        string
	Leads       bool
	Reachable   bool
	Voter       bool
	Endorsed    bool
	Share       string
	ShareOld    bool
	Seen        pages.Moment
	Addresses   []string
	Fingerprint string
}

// epochLine is one token key.
type epochLine struct {
	Number     uint64
	Generation uint32
	Threshold  int
	Holders    string
	Retiring   bool
	Key        string
}

// ceremonyView is a key ceremony under way.
type ceremonyView struct {
	What, Phase string
	Step, Steps int
	WaitsFor    string
}

// operatorLine is one operator of the network.
type operatorLine struct {
	Name, Roles, Key string
	Former, Self     bool
}

// serversView is how the registry itself stands.
type serversView struct {
	Asked, Leader string
	Version       string
	Endorsed      string
	Applied       string
	Record        string
	Day           pages.Moment
	Servers       []serverLine
	Epochs        []epochLine
	Ceremony      *ceremonyView
	Operators     []operatorLine
	MayMove       bool
}

func (c *Console) servers(w http.ResponseWriter, r *http.Request, v *visit) error {
	s := v.status
	view := serversView{
		Asked: s.Asked, Leader: s.Leader, Version: pages.Grouped(s.Version), Applied: pages.Grouped(s.Applied), Record: pages.Grouped(s.RecordSize),
		Endorsed: fmt.Sprintf("%d of %d", s.Endorsed, len(s.Servers)), Day: day(s.Day), MayMove: v.may(registry.Operations),
	}
	for _, server := range s.Servers {
		view.Servers = append(view.Servers, c.serverLine(v, server))
	}
	for _, e := range s.Epochs {
		line := epochLine{Number: uint64(e.Epoch), Generation: e.Generation, Threshold: e.Keys.Threshold, Retiring: e.Retiring, Key: shortKey(e.Keys.Public[:])}
		var holders []string
		for _, share := range e.Keys.Shares {
			holders = append(holders, serverName(s, uint32(share.Index)))
		}
		line.Holders = listed(holders)
		view.Epochs = append(view.Epochs, line)
	}
	slices.Reverse(view.Epochs)
	view.Ceremony = ceremonyOf(v)
	for _, o := range s.Operators {
		view.Operators = append(view.Operators, operatorLine{o.Name, firstUpper(o.Roles.String()), shortKey(o.Key[:]), o.Roles == 0, o.Key == v.me.Key})
	}
	return c.show(w, r, v, http.StatusOK, "servers", shell{Title: "Servers", Place: "servers", View: view})
}

func (c *Console) serverLine(v *visit, server directory.Server) serverLine {
	s := v.status
	line := serverLine{Number: uint64(server.Index), Name: server.Name, Leads: server.Name == s.Leader && s.Leader != "", Share: "none", Addresses: server.Addresses}
	line.Fingerprint = vault.Fingerprint(server.Key.Key(), server.Recipient)
	a := s.Health[server.Index]
	if a == nil {
		return line
	}
	line.Reachable, line.Voter, line.Endorsed = a.Reachable, a.Voter, a.Endorsed
	if a.Seen > 0 {
		line.Seen = c.ago(unixTime(a.Seen))
	}
	if a.Generation > 0 {
		line.Share = fmt.Sprintf("generation %d", a.Generation)
	}
	if n := len(s.Epochs); n > 0 {
		line.ShareOld = s.Ceremony == nil && a.Generation != s.Epochs[n-1].Generation
	}
	return line
}

// phases are the steps of a ceremony, as package dkg names them, and what they
// are to people.
func phases() [][2]string {
	return [][2]string{
		{"joining", "Each server publishes a key for this ceremony alone"},
		{"dealing", "Each server deals a part to every other"},
		{"judging", "Each server checks the parts that it got"},
		{"answering", "Who was complained about reveals the part"},
		{"opening", "The public key is opened"},
		{"reconstructing", "The rest make up for who did not open"},
		{"confirming", "Each server writes its share to its disk"},
	}
}

func ceremonyOf(v *visit) *ceremonyView {
	m := v.status.Ceremony
	if m == nil {
		return nil
	}
	view := &ceremonyView{What: "New shares of the same key", Phase: firstUpper(m.Phase), Steps: len(phases())}
	if m.Kind == 1 {
		view.What = "A new key"
	}
	for i, p := range phases() {
		if strings.EqualFold(p[0], m.Phase) {
			view.Step, view.Phase = i+1, p[1]
		}
	}
	view.WaitsFor = listed(serverNames(v, m))
	return view
}

func serverNames(v *visit, m *wire.CeremonyStatus) (names []string) {
	for _, i := range m.Expected {
		names = append(names, serverName(v.status, i))
	}
	return names
}
