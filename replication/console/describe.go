package console

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/pages"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// described is what a motion does, in plain language.
type described struct {
	What  []string
	Diff  []change
	Grave bool // cannot be taken back
}

// change is one thing before and after.
type change struct{ What, From, To string }

// describe says what a motion would do as things stand.
func describe(s *centre.Status, m *wire.Motion) described {
	var d described
	switch of := m.GetOf().(type) {
	case *wire.Motion_Policy:
		d.policy(s, of.Policy)
	case *wire.Motion_Server:
		d.server(s, of.Server)
	case *wire.Motion_Operator:
		d.operator(s, of.Operator)
	case *wire.Motion_Agency:
		d.agency(of.Agency)
	case *wire.Motion_NewEpoch:
		d.What = []string{
			"The registry servers make a new token key among themselves; nobody ever holds it whole.",
			"Every agency then makes its tokens anew. Until the old epoch is retired both match, so no alert is missed.",
		}
		d.Diff = []change{{"Servers needed for a token", fmt.Sprint(thresholdOf(s)), fmt.Sprint(thresholdOr(of.NewEpoch.GetThreshold(), s))}}
	case *wire.Motion_RetireEpoch:
		d.What = []string{
			"Tags of this epoch match no more. What an agency has not made anew by then is compared with nobody until it has.",
			"This cannot be undone.",
		}
		d.Grave = true
	case *wire.Motion_Reshare:
		d.What = []string{"The servers exchange their shares of the token key for new ones. The key and every tag stay as they are; shares that were stolen before are worthless."}
		d.Diff = []change{{"Servers needed for a token", fmt.Sprint(thresholdOf(s)), fmt.Sprint(thresholdOr(of.Reshare.GetThreshold(), s))}}
	}
	return d
}

// titleOf names a motion on one line. A status of nothing will do.
func titleOf(s *centre.Status, m *wire.Motion) string {
	switch of := m.GetOf().(type) {
	case *wire.Motion_Policy:
		return "Change the policy"
	case *wire.Motion_Server:
		return serverTitle(s, of.Server)
	case *wire.Motion_Operator:
		name := of.Operator.GetOperator().GetName()
		if of.Operator.GetRemove() {
			return "End the roles of operator " + operatorName(s, of.Operator.GetOperator())
		}
		if _, ok := operatorOf(s, of.Operator.GetOperator().GetKey()); ok {
			return "Give operator " + name + " other roles"
		}
		return "Add operator " + name
	case *wire.Motion_Agency:
		if of.Agency.GetChange() == registry.ReinstateAgency {
			return "Reinstate agency " + of.Agency.GetAgency()
		}
		return "Remove agency " + of.Agency.GetAgency()
	case *wire.Motion_NewEpoch:
		return "Make a new token key"
	case *wire.Motion_RetireEpoch:
		return fmt.Sprintf("Retire key epoch %d", of.RetireEpoch.GetEpoch())
	case *wire.Motion_Reshare:
		return "Share the token key anew"
	}
	return "A motion that this console does not know"
}

func serverTitle(s *centre.Status, m *wire.ServerChange) string {
	name := m.GetServer().GetName()
	switch {
	case m.GetRemove():
		return "Remove registry server " + serverName(s, m.GetServer().GetIndex())
	case m.GetReplaces() != 0:
		return "Replace registry server " + serverName(s, m.GetReplaces()) + " with " + name
	case m.GetServer().GetIndex() != 0:
		return "Change how registry server " + serverName(s, m.GetServer().GetIndex()) + " is reached"
	}
	return "Add registry server " + name
}

func (d *described) server(s *centre.Status, m *wire.ServerChange) {
	wanted := m.GetServer()
	shares := "The servers share the token key anew among themselves; every tag stays as it is."
	old, _ := serverOf(s, wanted.GetIndex())
	switch {
	case m.GetRemove():
		d.What = []string{"The server takes part no more: it endorses nothing, holds no share and gets no request.", shares, "Its number is never given again."}
		d.Grave = true
	case wanted.GetIndex() != 0:
		d.What = []string{"Its keys stay the same. Every node dials it where this says."}
		d.Diff = []change{{"Name", old.Name, wanted.GetName()}, {"Addresses", strings.Join(old.Addresses, "\n"), strings.Join(wanted.GetAddresses(), "\n")}}
		return
	case m.GetReplaces() != 0:
		d.What = []string{"The new server joins as the old one leaves, in one step.", shares, "Before you approve, let whoever runs the new server read its fingerprint to you over the telephone."}
	default:
		d.What = []string{"The server joins the cluster and gets the next number.", shares, "Before you approve, let whoever runs it read its fingerprint to you over the telephone."}
	}
	if !m.GetRemove() {
		d.Diff = append(d.Diff, change{"Name", serverName(s, m.GetReplaces()), wanted.GetName()},
			change{"Fingerprint", "", fingerprintOf(wanted)}, change{"Addresses", "", strings.Join(wanted.GetAddresses(), "\n")})
	}
	if m.GetThreshold() != 0 {
		d.Diff = append(d.Diff, change{"Servers needed for a token", fmt.Sprint(thresholdOf(s)), fmt.Sprint(m.GetThreshold())})
	}
}

// fingerprintOf is what who runs a server reads over the telephone.
func fingerprintOf(m *wire.Server) string {
	recipient, err := vault.ParseRecipient(m.GetRecipient())
	if err != nil || len(m.GetKey()) == 0 {
		return "its keys cannot be read"
	}
	return vault.Fingerprint(m.GetKey(), recipient)
}

func (d *described) operator(s *centre.Status, m *wire.OperatorChange) {
	have, known := operatorOf(s, m.GetOperator().GetKey())
	from := ""
	if known {
		from = have.Roles.String()
	}
	to := registry.Role(m.GetOperator().GetRoles()).String()
	switch {
	case m.GetRemove():
		d.What = []string{"This person decides nothing any more. What the person put or approved and nobody has decided yet is dropped; what was decided stands."}
		to = "none"
	case known:
		d.What = []string{"From then on the person may do what these roles allow, and nothing else."}
	default:
		d.What = []string{"The holder of this key becomes an operator. Compare the key with the person, over the telephone or face to face, before you approve."}
		d.Diff = append(d.Diff, change{"Key", "", hex.EncodeToString(m.GetOperator().GetKey())})
	}
	d.Diff = append(d.Diff, change{"Roles", from, to})
}

func (d *described) agency(m *wire.AgencyChange) {
	if m.GetChange() == registry.ReinstateAgency {
		d.What = []string{"The agency takes part again: every node links with it, and its entries match."}
		return
	}
	d.What = []string{
		"The agency leaves the directory. Every node cuts it off, and what it announced matches no more.",
		"This cannot be undone: to come back it needs an invitation and applies anew.",
	}
	d.Grave = true
}

func (d *described) policy(s *centre.Status, m *wire.Policy) {
	d.What = []string{"The policy holds for every agency as soon as its node has the new directory."}
	p, err := directory.PolicyOf(m)
	if err != nil {
		d.What = append(d.What, "It cannot be read, so the registry will not carry it.")
		return
	}
	d.Diff = policyDiff(s.Policy, p)
	if len(d.Diff) == 0 {
		d.What = append(d.What, "It is what holds now: nothing would change.")
	}
}

// policyDiff says what differs between two policies.
func policyDiff(a, b directory.Policy) (list []change) {
	add := func(what, from, to string) {
		if from != to {
			list = append(list, change{what, from, to})
		}
	}
	add("Identifiers an agency may look up in a day", pages.Grouped(a.Daily), pages.Grouped(b.Daily))
	add("Days that members keep what another announced", days(a.Retention, "no limit"), days(b.Retention, "no limit"))
	add("Shares are made anew every", days(a.Refresh, "never by itself"), days(b.Refresh, "never by itself"))
	add("A forked feed suspends its author at once", yesNo(a.SuspendForks), yesNo(b.SuspendForks))
	groups := func(p directory.Policy) map[string]string {
		m := map[string]string{}
		for _, g := range p.Groups {
			m["Group "+g.Name] = strings.Join(idStrings(g.Agencies), ", ")
		}
		return m
	}
	quotas := func(p directory.Policy) map[string]string {
		m := map[string]string{}
		for _, q := range p.Quotas {
			m["Own quota of "+string(q.Agency)] = pages.Grouped(q.Daily) + " a day"
		}
		return m
	}
	list = append(list, mapDiff(groups(a), groups(b), "no such group")...)
	list = append(list, mapDiff(quotas(a), quotas(b), "none, as others")...)
	add("Muted values", fmt.Sprint(len(a.Muted)), fmt.Sprint(len(b.Muted)))
	if len(a.Muted) == len(b.Muted) && !slices.Equal(a.Muted, b.Muted) {
		list = append(list, change{"Muted values", fmt.Sprint(len(a.Muted)), fmt.Sprintf("%d, others", len(b.Muted))})
	}
	return list
}

// mapDiff says what differs between two maps, by key, and none where one has
// nothing.
func mapDiff(a, b map[string]string, none string) (list []change) {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	for k := range keys {
		if a[k] != b[k] {
			list = append(list, change{k, cmp.Or(a[k], none), cmp.Or(b[k], none)})
		}
	}
	slices.SortFunc(list, func(x, y change) int { return strings.Compare(x.What, y.What) })
	return list
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func idStrings(ids []directory.AgencyID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return list
}

// thresholdOf is how many servers a token takes now.
func thresholdOf(s *centre.Status) int {
	if n := len(s.Epochs); n > 0 {
		return s.Epochs[n-1].Keys.Threshold
	}
	return 0
}

func thresholdOr(wanted uint32, s *centre.Status) int {
	if wanted != 0 {
		return int(wanted)
	}
	return thresholdOf(s)
}

func serverOf(s *centre.Status, i uint32) (directory.Server, bool) {
	at := slices.IndexFunc(s.Servers, func(m directory.Server) bool { return m.Index == oprf.Index(i) })
	if at < 0 {
		return directory.Server{}, false
	}
	return s.Servers[at], true
}

// serverName names a server, present or former.
func serverName(s *centre.Status, i uint32) string {
	if i == 0 {
		return ""
	}
	if m, ok := serverOf(s, i); ok {
		return m.Name
	}
	return fmt.Sprintf("number %d", i)
}

func operatorOf(s *centre.Status, key []byte) (registry.Operator, bool) {
	at := slices.IndexFunc(s.Operators, func(o registry.Operator) bool { return string(o.Key[:]) == string(key) })
	if at < 0 {
		return registry.Operator{}, false
	}
	return s.Operators[at], true
}

// operatorName names whoever holds a key: as the registry does, else as the
// message does.
func operatorName(s *centre.Status, m *wire.Operator) string {
	if o, ok := operatorOf(s, m.GetKey()); ok {
		return o.Name
	}
	return m.GetName()
}
