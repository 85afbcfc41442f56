package console

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"interlock/protocol/directory"
	"interlock/protocol/pages"
	"interlock/protocol/wire"
)

func policyFields(v *visit, q url.Values) []field {
	p := v.status.Policy
	fork := "suspend"
	if !p.SuspendForks {
		fork = ""
	}
	var groups, quotas []string
	for _, g := range p.Groups {
		groups = append(groups, g.Name+": "+strings.Join(idStrings(g.Agencies), ", "))
	}
	for _, o := range p.Quotas {
		quotas = append(quotas, string(o.Agency)+": "+pages.Grouped(o.Daily))
	}
	if id := q.Get("quota"); id != "" && !slices.ContainsFunc(p.Quotas, func(o directory.Quota) bool { return string(o.Agency) == id }) {
		quotas = append(quotas, id+": "+pages.Grouped(p.Daily))
		slices.Sort(quotas)
	}
	return []field{
		{Name: "base", Kind: "hidden", Value: policyMark(p)},
		{Name: "daily", Label: "Identifiers an agency may look up in a day", Kind: "number", Value: pages.Grouped(p.Daily)},
		{Name: "quotas", Label: "Agencies with a quota of their own", Kind: "area", Optional: true, Value: strings.Join(quotas, "\n"), Hint: "One a line, for example denver-pd: 500,000. 0 lets an agency look up nothing new."},
		{Name: "retention", Label: "Days that members keep what another announced", Kind: "number", Value: pages.Grouped(p.Retention), Hint: "0: no limit."},
		{Name: "groups", Label: "Groups of agencies that share with one another", Kind: "area", Optional: true, Value: strings.Join(groups, "\n"), Hint: "One a line, for example rockies: boulder-so, denver-pd."},
		{Name: "refresh", Label: "Days between refreshes of the key’s shares", Kind: "number", Value: pages.Grouped(p.Refresh), Hint: "0: never by itself."},
		{Name: "forks", Label: "A forked feed suspends its author at once", Kind: "check", Value: fork, Hint: "A feed is forked when its author signed two different ones: proof of a fault or of fraud."},
		{Kind: "note", Label: "Muted values", Value: pages.Many(len(p.Muted), "value is", "values are") + " muted, and stay so.", Hint: "Values too common to mean anything. They are kept as tags, which nobody can read."},
	}
}

func buildPolicy(v *visit, q url.Values) (*wire.Motion, error) {
	now := v.status.Policy
	if q.Get("base") != policyMark(now) {
		return nil, wrong("The policy was changed since you opened this form.", "Open the form anew, so that you do not undo what was decided.")
	}
	p := directory.Policy{Muted: now.Muted, SuspendForks: q.Get("forks") != ""}
	var err error
	if p.Daily, err = numberIn(q, "daily", directory.MaxDaily); err != nil {
		return nil, err
	}
	for name, into := range map[string]*int{"retention": &p.Retention, "refresh": &p.Refresh} {
		n, err := numberIn(q, name, directory.MaxDays)
		if err != nil {
			return nil, err
		}
		*into = int(n)
	}
	if p.Quotas, err = quotasIn(q.Get("quotas")); err != nil {
		return nil, err
	}
	if p.Groups, err = groupsIn(q.Get("groups")); err != nil {
		return nil, err
	}
	for _, id := range named(p) {
		if !slices.ContainsFunc(v.status.Agencies, func(a subject) bool { return a.Agency.ID == id }) {
			return nil, wrong("No agency is called “"+string(id)+"”.", "Groups and quotas name agencies by their short names.")
		}
	}
	m := p.Message()
	if _, err := directory.PolicyOf(m); err != nil {
		return nil, wrong("This policy cannot be used.", sentenceOf(err.Error()))
	}
	if len(policyDiff(now, p)) == 0 {
		return nil, wrong("This is what holds now.", "Change something first.")
	}
	return &wire.Motion{Of: &wire.Motion_Policy{Policy: m}}, nil
}

// policyMark tells one policy from another.
func policyMark(p directory.Policy) string {
	b, err := wire.Marshal(p.Message())
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// named are the agencies that a policy names.
func named(p directory.Policy) (ids []directory.AgencyID) {
	for _, q := range p.Quotas {
		ids = append(ids, q.Agency)
	}
	for _, g := range p.Groups {
		ids = append(ids, g.Agencies...)
	}
	return ids
}

// pairs reads lines of a name, a colon and the rest.
func pairs(text string) (list [][2]string, err error) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, rest, ok := strings.Cut(line, ":")
		if !ok {
			return nil, wrong("“"+line+"” has no colon.", "Write a name, a colon and the rest, one a line.")
		}
		list = append(list, [2]string{strings.TrimSpace(name), strings.TrimSpace(rest)})
	}
	slices.SortFunc(list, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	for i := 1; i < len(list); i++ {
		if list[i][0] == list[i-1][0] {
			return nil, wrong("“"+list[i][0]+"” stands there twice.", "Write each name once.")
		}
	}
	return list, nil
}

func quotasIn(text string) (quotas []directory.Quota, err error) {
	list, err := pairs(text)
	for _, p := range list {
		n, err := numberIn(url.Values{"n": {p[1]}}, "n", directory.MaxDaily)
		if err != nil || p[1] == "" {
			return nil, wrong("The quota of “"+p[0]+"” is not a number.", "Want 0 to "+pages.Grouped(directory.MaxDaily)+".")
		}
		quotas = append(quotas, directory.Quota{Agency: directory.AgencyID(p[0]), Daily: n})
	}
	return quotas, err
}

func groupsIn(text string) (groups []directory.Group, err error) {
	list, err := pairs(text)
	for _, p := range list {
		g := directory.Group{Name: p[0]}
		for _, id := range strings.FieldsFunc(p[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			g.Agencies = append(g.Agencies, directory.AgencyID(id))
		}
		slices.Sort(g.Agencies)
		g.Agencies = slices.Compact(g.Agencies)
		groups = append(groups, g)
	}
	return groups, err
}
