package registry

import (
	"fmt"
	"strings"
	"time"

	"interlock/protocol/wire"
)

// Describe is an entry of the record in a sentence, for operators and auditors.
func Describe(e *wire.RecordEntry, name func(wire.Peer) string) string {
	switch of := e.GetOf().(type) {
	case *wire.RecordEntry_Application:
		return fmt.Sprintf("%s (%s) applied", of.Application.GetName(), of.Application.GetId())
	case *wire.RecordEntry_Decision:
		return describeDecision(of.Decision, name)
	case *wire.RecordEntry_Evidence:
		return fmt.Sprintf("%s signed two different feeds of %d entries", of.Evidence.GetFirst().GetAuthor(), of.Evidence.GetFirst().GetNumber())
	case *wire.RecordEntry_Evaluated:
		return fmt.Sprintf("server %d evaluated, until %s: %s", of.Evaluated.GetServer(), dayText(of.Evaluated.GetDay()), describeUsage(of.Evaluated.GetUsage()))
	case *wire.RecordEntry_Leased:
		return fmt.Sprintf("leased to all servers on %s: %s", dayText(of.Leased.GetDay()), describeUsage(of.Leased.GetLeased()))
	case *wire.RecordEntry_Key:
		return fmt.Sprintf("key epoch %d, generation %d of its shares, came into force: %d of %d servers make a token",
			of.Key.GetEpoch(), of.Key.GetGeneration(), of.Key.GetThreshold(), len(of.Key.GetShares()))
	case *wire.RecordEntry_Notice:
		return of.Notice.GetText()
	}
	return "an entry that this program does not know"
}

func describeDecision(d *wire.Decision, name func(wire.Peer) string) string {
	who := "somebody"
	if p, err := wire.ParsePeer(d.GetOperator()); err == nil {
		who = name(p)
	}
	what := "decided"
	switch Verb(d.GetVerb()) {
	case Approve:
		what = "approved " + subjectText(d)
	case Refuse:
		what = "refused " + subjectText(d)
	case Suspend:
		what = "suspended " + d.Agency
	case Move:
		what = "moved to " + DescribeMotion(d.GetMotion())
	case Invite:
		what = fmt.Sprintf("invited %s until %s", d.GetInvitation().GetLabel(), dayText(d.GetInvitation().GetExpires()))
	case Clear:
		what = "ended the throttling of " + d.Agency
	}
	if d.GetReason() == "" {
		return who + " " + what
	}
	return fmt.Sprintf("%s %s: %s", who, what, d.Reason)
}

func subjectText(d *wire.Decision) string {
	if d.GetAgency() == "" {
		return fmt.Sprintf("motion %d", d.GetNumber())
	}
	return d.Agency
}

// DescribeMotion says what a motion does, as in "moved to …".
func DescribeMotion(m *wire.Motion) string {
	switch of := m.GetOf().(type) {
	case *wire.Motion_Policy:
		return fmt.Sprintf("change the policy: %d identifiers a day, %d days of retention, shares refreshed every %d days, %d groups, %d muted values",
			of.Policy.GetDaily(), of.Policy.GetRetention(), of.Policy.GetRefresh(), len(of.Policy.GetGroups()), len(of.Policy.GetMuted()))
	case *wire.Motion_Server:
		return describeServerChange(of.Server)
	case *wire.Motion_Operator:
		o := of.Operator.GetOperator()
		if of.Operator.GetRemove() {
			return "remove operator " + o.GetName()
		}
		return fmt.Sprintf("give %s the roles %s", o.GetName(), Role(o.GetRoles()))
	case *wire.Motion_Agency:
		if of.Agency.GetChange() == RemoveAgency {
			return "remove " + of.Agency.GetAgency() + " for good"
		}
		return "reinstate " + of.Agency.GetAgency()
	case *wire.Motion_NewEpoch:
		return "make a new token key" + thresholdText(of.NewEpoch.GetThreshold())
	case *wire.Motion_RetireEpoch:
		return fmt.Sprintf("retire key epoch %d", of.RetireEpoch.GetEpoch())
	case *wire.Motion_Reshare:
		return "make new shares of the token key" + thresholdText(of.Reshare.GetThreshold())
	}
	return "do what this program does not know"
}

func describeServerChange(m *wire.ServerChange) string {
	s := m.GetServer()
	switch {
	case m.GetRemove():
		return fmt.Sprintf("remove server %d%s", s.GetIndex(), thresholdText(m.GetThreshold()))
	case s.GetIndex() != 0:
		return fmt.Sprintf("have server %d called %s at %s", s.GetIndex(), s.GetName(), strings.Join(s.GetAddresses(), ", "))
	case m.GetReplaces() != 0:
		return fmt.Sprintf("replace server %d by %s%s", m.GetReplaces(), s.GetName(), thresholdText(m.GetThreshold()))
	}
	return fmt.Sprintf("add server %s%s", s.GetName(), thresholdText(m.GetThreshold()))
}

func thresholdText(threshold uint32) string {
	if threshold == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of which make a token", threshold)
}

func describeUsage(list []*wire.Usage) string {
	parts := make([]string, len(list))
	for i, u := range list {
		parts[i] = fmt.Sprintf("%s %d", u.GetAgency(), u.GetElements())
	}
	return strings.Join(parts, ", ")
}

func dayText(day uint64) string {
	return time.Unix(int64(min(day, 1<<20))*24*60*60, 0).UTC().Format(time.DateOnly)
}
