package console

import (
	"net/http"
	"strings"
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// cards are what two engineers at the other end send.
func cards(t *testing.T) (server, operator string) {
	t.Helper()
	s, err := settings.Encode(centre.ServerCard{Name: "turin", Key: newPeer().Hex(), Recipient: newRecipient().String(), Addresses: []string{"/dns4/turin.example.org/tcp/4001"}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := settings.Encode(centre.OperatorCard{Name: "p-novak", Key: newPeer().Hex(), Roles: []string{"admission", "audit"}})
	if err != nil {
		t.Fatal(err)
	}
	return string(s), string(o)
}

func TestEachFormPutsTheMotionThatItSays(t *testing.T) {
	w := open(t)
	w.hub.town()
	w.hub.edit(func(s *centre.Status) {
		s.Epochs = append([]directory.KeyEpoch{{Epoch: 1, Generation: 1, Retiring: true}}, s.Epochs...)
	})
	c := w.signsIn("m-lindqvist")
	server, operator := cards(t)
	haddad := ""
	for _, o := range w.hub.copied().Operators {
		if o.Name == "k-haddad" {
			haddad = o.Key.Hex()
		}
	}
	for kind, row := range map[string]struct {
		form []string
		says string
		is   func(*wire.Motion) bool
	}{
		"agency-remove":    {[]string{"agency", "slc-pd", "confirm", "slc-pd"}, "Remove agency slc-pd", func(m *wire.Motion) bool { return m.GetAgency().Change == registry.RemoveAgency }},
		"agency-reinstate": {[]string{"agency", "slc-pd"}, "Reinstate agency slc-pd", func(m *wire.Motion) bool { return m.GetAgency().Change == registry.ReinstateAgency }},
		"server-add":       {[]string{"card", server, "threshold", "4"}, "Add registry server turin", func(m *wire.Motion) bool { return m.GetServer().Threshold == 4 && m.GetServer().Server.Index == 0 }},
		"server-replace":   {[]string{"card", server, "replaces", "4"}, "Replace registry server dublin with turin", func(m *wire.Motion) bool { return m.GetServer().Replaces == 4 }},
		"server-remove":    {[]string{"server", "5", "confirm", "lyon"}, "Remove registry server lyon", func(m *wire.Motion) bool { return m.GetServer().Remove && m.GetServer().Server.Index == 5 }},
		"server-move":      {[]string{"server", "2", "addresses", "/ip4/192.0.2.7/tcp/4001"}, "Change how registry server milan is reached", func(m *wire.Motion) bool { return m.GetServer().Server.Addresses[0] == "/ip4/192.0.2.7/tcp/4001" }},
		"operator-add":     {[]string{"card", operator}, "Add operator p-novak", func(m *wire.Motion) bool { return m.GetOperator().Operator.Roles == 5 }},
		"operator-roles":   {[]string{"operator", haddad, "role", "audit", "role", "operations"}, "Give operator k-haddad other roles", func(m *wire.Motion) bool { return m.GetOperator().Operator.Roles == 6 }},
		"operator-remove":  {[]string{"operator", haddad, "confirm", "k-haddad"}, "End the roles of operator k-haddad", func(m *wire.Motion) bool { return m.GetOperator().Remove }},
		"new-epoch":        {nil, "Make a new token key", func(m *wire.Motion) bool { return m.GetNewEpoch() != nil }},
		"retire-epoch":     {[]string{"epoch", "1", "confirm", "epoch 1"}, "Retire key epoch 1", func(m *wire.Motion) bool { return m.GetRetireEpoch().GetEpoch() == 1 }},
		"reshare":          {[]string{"threshold", "2"}, "Share the token key anew", func(m *wire.Motion) bool { return m.GetReshare().GetThreshold() == 2 }},
	} {
		before := len(w.hub.copied().Motions)
		got := c.post("/motions/new/"+kind, append(row.form, "reason", "as agreed")...)
		list := w.hub.copied().Motions
		if got.path != "/motions" || len(list) != before+1 {
			t.Errorf("%s: %d at %s: %s", kind, got.status, got.path, between(got.text, `role="alert"`, "</div>"))
			continue
		}
		m := list[before]
		if !row.is(m.What) || titleOf(w.hub.copied(), m.What) != row.says {
			t.Errorf("%s: it moves %q: %v", kind, titleOf(w.hub.copied(), m.What), m.What)
		}
		if page := c.get(motionPath(m)); page.status != http.StatusOK || len(describe(w.hub.copied(), m.What).What) == 0 {
			t.Errorf("%s: its page: %d", kind, page.status)
		}
	}
}

func TestWhatCannotBeUndoneIsConfirmedByItsName(t *testing.T) {
	w := open(t)
	w.hub.town()
	w.hub.edit(func(s *centre.Status) {
		s.Epochs = append([]directory.KeyEpoch{{Epoch: 1, Generation: 1, Retiring: true}}, s.Epochs...)
	})
	c := w.signsIn("m-lindqvist")
	for kind, form := range map[string][]string{
		"agency-remove": {"agency", "slc-pd"}, "server-remove": {"server", "5"}, "retire-epoch": {"epoch", "1"},
		"operator-remove": {"operator", w.hub.copied().Operators[0].Key.Hex()},
	} {
		got := c.post("/motions/new/"+kind, append(form, "confirm", "yes", "reason", "a reason of mine")...)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text, "To confirm, type ") || !strings.Contains(got.text, "a reason of mine") {
			t.Errorf("%s: %d", kind, got.status)
		}
		if !strings.Contains(got.text, `" selected>`) {
			t.Errorf("%s: what was chosen is lost", kind)
		}
	}
	if n := len(w.hub.copied().Motions); n != 0 {
		t.Errorf("%d motions were put", n)
	}
}

func TestAMistakeInAFormIsNamed(t *testing.T) {
	w := open(t)
	w.hub.town()
	c := w.signsIn("m-lindqvist")
	base := between(c.get("/motions/new/policy").text, `name="base" value="`, `"`)
	policy := func(field, value string) []string {
		form := []string{"base", base, "reason", "x", field, value}
		for name, usual := range map[string]string{"daily": "200000", "quotas": "", "retention": "0", "groups": "", "refresh": "30"} {
			if name != field {
				form = append(form, name, usual)
			}
		}
		return form
	}
	for name, row := range map[string]struct {
		kind string
		form []string
		want string
	}{
		"a number with letters": {"policy", policy("daily", "many"), "“many” is not a number that fits here."},
		"no quota at all":       {"policy", policy("daily", ""), "This policy cannot be used."},
		"too many days":         {"policy", policy("retention", "99999"), "“99999” is not a number"},
		"nobody's quota":        {"policy", policy("quotas", "nobody: 5"), "No agency is called “nobody”."},
		"a quota in words":      {"policy", policy("quotas", "denver-pd: lots"), "The quota of “denver-pd” is not a number."},
		"a quota twice":         {"policy", policy("quotas", "denver-pd: 5\ndenver-pd: 6"), "“denver-pd” stands there twice."},
		"a line without colon":  {"policy", policy("groups", "rockies denver-pd"), "has no colon."},
		"a group's name":        {"policy", policy("groups", "The Rockies: denver-pd"), "This policy cannot be used."},
		"no card":               {"server-add", []string{"card", "hello", "reason", "x"}, "This is not a server card."},
		"half a card":           {"operator-add", []string{"card", `name = "x"`, "reason", "x"}, "The operator card cannot be used."},
		"no address":            {"server-move", []string{"server", "1", "reason", "x"}, "Name at least one address."},
		"a web address":         {"server-move", []string{"server", "1", "addresses", "https://x", "reason", "x"}, "“https://x” is not an address"},
		"no server":             {"server-move", []string{"server", "77", "addresses", "/ip4/1.2.3.4/tcp/1", "reason", "x"}, "Choose a server."},
		"no role":               {"operator-roles", []string{"operator", w.hub.copied().Operators[0].Key.Hex(), "reason", "x"}, "Tick at least one role."},
		"no agency":             {"agency-reinstate", []string{"reason", "x"}, "Choose an agency."},
		"no reason":             {"new-epoch", nil, "Write a reason."},
	} {
		got := c.post("/motions/new/"+row.kind, row.form...)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text, row.want) {
			t.Errorf("%s: %d: %s", name, got.status, between(got.text, `role="alert"`, "</div>"))
		}
	}
}
