package testnet

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"interlock/node/casefile"
	"interlock/protocol/directory"
)

// holding is that a case of an agency holds an identifier, by kind and value.
type holding struct {
	agency     directory.AgencyID
	id         casefile.CaseID
	identifier string
}

// ground is that a case was alerted of an identifier that another agency holds too.
type ground struct {
	holding
	with directory.AgencyID
}

// ledger is what was done to a federation: what its nodes have acknowledged, and
// what could have been so at some time since it was settled last.
type ledger struct {
	acknowledged map[holding]casefile.Sharing
	unsure       map[holding]bool // something that was asked for ended with an error
	possible     map[holding]map[casefile.Sharing]bool
	groups       map[string][][]directory.AgencyID // by name: how it was composed
	alerted      map[ground]bool                   // when it was settled last
	always       map[holding]casefile.Sharing      // of who is not audited, and stays as it is
}

func newLedger() *ledger {
	return &ledger{
		acknowledged: map[holding]casefile.Sharing{}, unsure: map[holding]bool{},
		possible: map[holding]map[casefile.Sharing]bool{}, groups: map[string][][]directory.AgencyID{}, alerted: map[ground]bool{}, always: map[holding]casefile.Sharing{},
	}
}

// composes notes how a group is composed, or about to be.
func (l *ledger) composes(group string, members []directory.AgencyID) {
	l.groups[group] = append(l.groups[group], members)
}

// asks notes that a holding is asked to be handled so. What becomes of it, ended
// notes.
func (l *ledger) asks(h holding, to casefile.Sharing) {
	if l.possible[h] == nil {
		l.possible[h] = map[casefile.Sharing]bool{}
	}
	l.possible[h][to] = true
}

// ended notes what became of what was asked for.
func (l *ledger) ended(h holding, to casefile.Sharing, gone bool, err error) {
	switch {
	case err != nil:
		l.unsure[h] = true
	case gone:
		delete(l.acknowledged, h)
	default:
		l.acknowledged[h] = to
	}
}

// held are the holdings of an agency as acknowledged, in order.
func (l *ledger) held(agency directory.AgencyID) []holding {
	var list []holding
	for h := range l.acknowledged {
		if h.agency == agency {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b holding) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.identifier, b.identifier))
	})
	return list
}

// audit compares the books of a settled federation with the ledger: what was
// acknowledged is there, and every alert that is new stands for a pair that could
// have met since it was settled before. Then it begins anew.
func (l *ledger) audit(all []books) error {
	now, alerted := map[holding]casefile.Sharing{}, map[ground]bool{}
	var errs []error
	for i := range all {
		b := &all[i]
		for k, holders := range b.holders {
			for _, h := range holders {
				now[holding{directory.AgencyID(b.agency.ID), h.CaseID, k}] = h.Sharing
			}
		}
		for _, g := range b.grounds() {
			alerted[g] = true
			if !l.alerted[g] && !l.justified(g) {
				errs = append(errs, fmt.Errorf("%s case %d is newly alerted of %s at %s, and that pair could not meet since", g.agency, g.id, g.identifier, g.with))
			}
		}
	}
	for g := range l.alerted {
		if !alerted[g] && slices.ContainsFunc(all, func(b books) bool { return b.agency.ID == string(g.agency) }) {
			errs = append(errs, fmt.Errorf("%s case %d was alerted of %s at %s, and is no more", g.agency, g.id, g.identifier, g.with))
		}
	}
	errs = append(errs, l.compare(now))
	l.begin(now, alerted)
	return errors.Join(errs...)
}

// compare finds acknowledged holdings that are not as they were acknowledged.
func (l *ledger) compare(now map[holding]casefile.Sharing) error {
	var errs []error
	for h, want := range l.acknowledged {
		if got, is := now[h]; !l.unsure[h] && (!is || got != want) {
			errs = append(errs, fmt.Errorf("%s case %d holds %s: %v %v, acknowledged was %v", h.agency, h.id, h.identifier, is, got, want))
		}
	}
	for h := range now {
		if _, was := l.acknowledged[h]; !l.unsure[h] && !was {
			errs = append(errs, fmt.Errorf("%s case %d holds %s, which is not what was acknowledged", h.agency, h.id, h.identifier))
		}
	}
	return errors.Join(errs...)
}

func (l *ledger) begin(now map[holding]casefile.Sharing, alerted map[ground]bool) {
	for name, list := range l.groups {
		l.groups[name] = list[len(list)-1:]
	}
	l.acknowledged, l.alerted = now, alerted
	clear(l.unsure)
	clear(l.possible)
	for _, holdings := range []map[holding]casefile.Sharing{now, l.always} {
		for h, s := range holdings {
			l.asks(h, s)
		}
	}
}

// justified reports whether a pair could have met: the case could match, and a
// case of the other agency could show it the identifier.
func (l *ledger) justified(g ground) bool {
	if !slices.ContainsFunc(slices.Collect(maps.Keys(l.possible[g.holding])), casefile.Sharing.Matches) {
		return false
	}
	for h, ways := range l.possible {
		if h.agency != g.with || h.identifier != g.identifier {
			continue
		}
		for s := range ways {
			if s.Way == casefile.Share && l.admits(s.Audience, h.agency, g.agency) {
				return true
			}
		}
	}
	return false
}

// admits reports whether a reader could be in an author's audience.
func (l *ledger) admits(a directory.Audience, author, reader directory.AgencyID) bool {
	if name, ok := a.Group(); ok {
		return slices.ContainsFunc(l.groups[name], func(members []directory.AgencyID) bool {
			return slices.Contains(members, author) && slices.Contains(members, reader)
		})
	}
	return a == directory.Everyone || slices.Contains(a.Listed(), reader)
}

// grounds are those of every alert.
func (b *books) grounds() []ground {
	var list []ground
	for _, al := range slices.Concat(b.alerts, b.summed) {
		for _, g := range al.Grounds {
			h := holding{directory.AgencyID(b.agency.ID), al.Pair.Case, identifierKey(g.Identifier.Kind(), g.Identifier.Value())}
			list = append(list, ground{h, al.Pair.Agency})
		}
	}
	return list
}
