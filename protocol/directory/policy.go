package directory

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/token"
	"interlock/protocol/wire"
)

// Limits of a policy.
const (
	MaxGroups = 500
	MaxMuted  = 1_500
	MaxDaily  = 100_000_000
	MaxDays   = 36_500        // of retention, and between refreshes
	MaxPolicy = 48 * wire.KiB // encoded

	groupNames = 32
)

// Policy is what the operators have decided for the whole federation.
type Policy struct {
	Daily        uint64 // identifiers a member may have evaluated in a day
	Retention    int    // days that members keep what another announced; 0 for no limit
	Groups       []Group
	Muted        []token.Tag // of common values, scoped to the directory, ascending
	SuspendForks bool        // evidence of a forked feed suspends its author at once
	Refresh      int         // days between refreshes of the shares; 0 for none by itself
	Quotas       []Quota     // by agency: instead of Daily
}

// Group is agencies that share with one another.
type Group struct {
	Name     string
	Agencies []AgencyID // ascending
}

// Quota is one agency's own budget of a day.
type Quota struct {
	Agency AgencyID
	Daily  uint64
}

// FirstPolicy is in force when a network is founded.
func FirstPolicy() Policy {
	return Policy{Daily: 200_000, SuspendForks: true, Refresh: 30}
}

// DailyOf is an agency's budget of a day, in identifiers.
func (p Policy) DailyOf(id AgencyID) uint64 {
	for _, q := range p.Quotas {
		if q.Agency == id {
			return q.Daily
		}
	}
	return p.Daily
}

// Message is the policy as messages carry it.
func (p Policy) Message() *wire.Policy {
	m := &wire.Policy{Daily: p.Daily, Retention: uint32(p.Retention), SuspendForks: p.SuspendForks, Refresh: uint32(p.Refresh)}
	for _, g := range p.Groups {
		group := &wire.Group{Name: g.Name}
		for _, id := range g.Agencies {
			group.Agencies = append(group.Agencies, string(id))
		}
		m.Groups = append(m.Groups, group)
	}
	for _, t := range p.Muted {
		m.Muted = append(m.Muted, t[:])
	}
	for _, q := range p.Quotas {
		m.Quotas = append(m.Quotas, &wire.AgencyQuota{Agency: string(q.Agency), Daily: q.Daily})
	}
	return m
}

// PolicyOf parses a policy. The error is a sentence for whoever wrote it.
func PolicyOf(m *wire.Policy) (Policy, error) {
	p := Policy{Daily: m.GetDaily(), Retention: int(m.GetRetention()), SuspendForks: m.GetSuspendForks(), Refresh: int(m.GetRefresh())}
	switch {
	case m == nil:
		return p, fmt.Errorf("%w: no policy", ErrMalformed)
	case p.Daily < 1 || p.Daily > MaxDaily:
		return p, fmt.Errorf("%w: daily: want 1 to %d identifiers", ErrMalformed, MaxDaily)
	case m.Retention > MaxDays || m.Refresh > MaxDays:
		return p, fmt.Errorf("%w: retention and refresh: want at most %d days", ErrMalformed, MaxDays)
	case proto.Size(m) > MaxPolicy:
		return p, fmt.Errorf("%w: more than %d bytes", ErrMalformed, MaxPolicy)
	case len(m.Groups) > MaxGroups || len(m.Muted) > MaxMuted || len(m.Quotas) > MaxAgencies:
		return p, fmt.Errorf("%w: too many groups, muted values or quotas", ErrMalformed)
	}
	var err error
	if p.Groups, err = groupsOf(m.Groups); err != nil {
		return p, fmt.Errorf("%w: groups: %w", ErrMalformed, err)
	}
	for i, b := range m.Muted {
		if len(b) != len(token.Tag{}) || i > 0 && bytes.Compare(m.Muted[i-1], b) >= 0 {
			return p, fmt.Errorf("%w: muted: want tags of %d bytes, ascending", ErrMalformed, len(token.Tag{}))
		}
		p.Muted = append(p.Muted, token.Tag(b))
	}
	for i, q := range m.Quotas {
		id, err := ParseAgencyID(q.GetAgency())
		if err != nil || q.Daily > MaxDaily || i > 0 && p.Quotas[i-1].Agency >= id {
			return p, fmt.Errorf("%w: quotas: %q: not an agency's id, too high or out of order", ErrMalformed, q.GetAgency())
		}
		p.Quotas = append(p.Quotas, Quota{Agency: id, Daily: q.Daily})
	}
	return p, nil
}

func groupsOf(list []*wire.Group) ([]Group, error) {
	var groups []Group
	for i, m := range list {
		name, err := ParseAgencyID(m.GetName())
		if err != nil || i > 0 && groups[i-1].Name >= string(name) {
			return nil, fmt.Errorf("%q: want names like those of agencies, at most %d bytes, in order", m.GetName(), groupNames)
		}
		g := Group{Name: string(name)}
		for _, s := range m.Agencies {
			id, err := ParseAgencyID(s)
			if err != nil {
				return nil, err
			}
			g.Agencies = append(g.Agencies, id)
		}
		if len(g.Agencies) > MaxAgencies || !slices.IsSorted(g.Agencies) || len(slices.Compact(slices.Clone(g.Agencies))) != len(g.Agencies) {
			return nil, errors.New("agencies out of order, twice or too many")
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// Day is the Unix day of a time: what budgets and invitations count in.
func Day(t time.Time) uint64 { return uint64(max(0, t.Unix()) / (24 * 60 * 60)) }
