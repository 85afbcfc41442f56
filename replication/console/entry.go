package console

import (
	"fmt"
	"strings"

	"interlock/protocol/pages"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// entryLine is one entry of the record in plain language.
type entryLine struct {
	Index  uint64
	At     pages.Moment
	Mark   string // admission, cut, motion, key, notice, count, other
	Text   string
	Detail string
	agency string
}

// has reports whether the line has all words, and is about an agency where one
// is asked for.
func (l entryLine) has(words []string, agency string) bool {
	if agency != "" && l.agency != agency {
		return false
	}
	text := strings.ToLower(fmt.Sprint(l.Text, " ", l.Detail, " ", l.At.Text, " #", l.Index))
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func (c *Console) lineOf(v *visit, e *wire.RecordEntry) entryLine {
	line := entryLine{At: c.unix(e.Time), Mark: "other", Text: "An entry of a kind that this console does not know"}
	switch of := e.GetOf().(type) {
	case *wire.RecordEntry_Application:
		a := of.Application
		line.Mark, line.Text, line.agency = "admission", a.GetName()+" applied as "+a.GetId(), a.GetId()
		line.Detail = joined(a.GetJurisdiction(), a.GetContact())
		if len(a.GetReplaces()) > 0 {
			line.Text = a.GetName() + " applied with another key as " + a.GetId()
		}
	case *wire.RecordEntry_Decision:
		line.decision(v, of.Decision)
	case *wire.RecordEntry_Evidence:
		id := of.Evidence.GetFirst().GetAuthor()
		line.Mark, line.agency = "cut", id
		line.Text = "Evidence: " + id + " signed two different feeds"
	case *wire.RecordEntry_Evaluated:
		t := of.Evaluated
		line.Mark, line.Text = "count", "Server "+serverName(v.status, t.GetServer())+" counted the day before "+day(t.GetDay()).Text
		line.Detail = usage(t.GetUsage())
	case *wire.RecordEntry_Leased:
		line.Mark, line.Text, line.Detail = "count", "What was leased on "+day(of.Leased.GetDay()).Text, usage(of.Leased.GetLeased())
	case *wire.RecordEntry_Key:
		k := of.Key
		line.Mark, line.Text = "key", fmt.Sprintf("Key epoch %d, generation %d came into force", k.GetEpoch(), k.GetGeneration())
		line.Detail = fmt.Sprintf("%d of %d servers make a token", k.GetThreshold(), len(k.GetShares()))
	case *wire.RecordEntry_Notice:
		line.Mark, line.Text, line.agency = "notice", noticeText(of.Notice), of.Notice.GetAgency()
	}
	line.Text, line.Detail = legible(line.Text), legible(line.Detail)
	return line
}

func (l *entryLine) decision(v *visit, m *wire.Decision) {
	by, id := deciderOf(v, m), m.GetAgency()
	l.Detail, l.agency, l.Mark = m.GetReason(), id, "motion"
	title, moved := v.titles.get(m.GetApplication())
	if !moved && id == "" {
		title, moved = "a motion", true
	}
	switch verb := centre.Verb(m.GetVerb()); {
	case verb == registry.Move:
		l.Text = by + " put the motion: " + titleOf(v.status, m.GetMotion())
	case verb == registry.Approve && moved:
		l.Text = by + " approved: " + title + ". It was carried"
	case verb == registry.Refuse && moved:
		l.Text = by + " refused or withdrew: " + title
	case verb == registry.Approve:
		l.Mark, l.Text = "admission", by+" approved "+id
	case verb == registry.Refuse:
		l.Mark, l.Text = "cut", by+" refused "+id
	case verb == registry.Suspend:
		l.Mark, l.Text = "cut", by+" suspended "+id
	case verb == registry.Invite:
		l.Mark, l.Text = "admission", by+" made an invitation for "+m.GetInvitation().GetLabel()
		l.Detail = joined(m.GetReason(), "good until "+day(m.GetInvitation().GetExpires()).Text)
	case verb == registry.Clear:
		l.Mark, l.Text = "notice", by+" ended the throttling of "+id
	default:
		l.Text = by + " decided something that this console does not know"
	}
}

// deciderOf names who signed a decision.
func deciderOf(v *visit, m *wire.Decision) string {
	if o, ok := operatorOf(v.status, m.GetOperator()); ok {
		return o.Name
	}
	return "An unknown operator"
}

// usage sums up what was counted.
func usage(list []*wire.Usage) string {
	var sum uint64
	for _, u := range list {
		sum += u.GetElements()
	}
	if len(list) == 0 {
		return "no evaluations"
	}
	return pages.Many(sum, "evaluation", "evaluations") + " for " + pages.Many(len(list), "agency", "agencies")
}

// joined writes parts that are there with a dot between them.
func joined(parts ...string) string {
	var list []string
	for _, p := range parts {
		if p != "" {
			list = append(list, p)
		}
	}
	return strings.Join(list, " · ")
}

// legible takes out what cannot be shown.
func legible(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, text)
}
