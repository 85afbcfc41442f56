package registry

import (
	"errors"
	"maps"
	"math"
	"slices"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// accountMessages are the budgets as a snapshot holds them.
func (s *State) accountMessages() []*wire.Account {
	var list []*wire.Account
	for _, id := range slices.Sorted(maps.Keys(s.accounts)) {
		a := s.accounts[id]
		m := &wire.Account{Agency: string(id), Average: a.average, Flagged: a.flagged, Cleared: a.cleared}
		for _, i := range slices.Sorted(maps.Keys(a.grants)) {
			g := a.grants[i]
			m.Grants = append(m.Grants, &wire.Grant{Server: uint32(i), Number: g.number, Amount: g.amount, Last: g.last})
		}
		list = append(list, m)
	}
	return list
}

func (s *State) restoreAccounts(list []*wire.Account) error {
	last := ""
	for _, m := range list {
		if m.GetAgency() <= last {
			return errors.New("out of order or twice")
		}
		last = m.Agency
		a := account{average: m.Average, flagged: m.Flagged, cleared: m.Cleared}
		for i, g := range m.Grants {
			index := oprf.Index(g.GetServer())
			if i > 0 && m.Grants[i-1].Server >= g.GetServer() || g.GetServer() > math.MaxUint16 {
				return errors.New("grants out of order, twice or of an unknown server")
			}
			if a.grants == nil {
				a.grants = map[oprf.Index]grant{}
			}
			a.grants[index] = grant{number: g.Number, amount: g.Amount, last: g.Last}
		}
		s.accounts[directory.AgencyID(m.Agency)] = a
	}
	return nil
}

func (s *State) restoreDays(list []*wire.ServerDay) error {
	last := uint32(0)
	for _, m := range list {
		if m.GetServer() <= last || m.Server > math.MaxUint16 {
			return errors.New("out of order or twice")
		}
		last = m.Server
		s.days[oprf.Index(m.Server)] = m.Day
	}
	return nil
}
