package desk

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

const (
	// ShownChanges is how many changes of a case the desk lists.
	ShownChanges = 50
	// ReadChanges is how many it reads for them, and for what is outstanding: the
	// newest.
	ReadChanges = 10_000
	// namedInChange is how many identifiers a change names.
	namedInChange = 3
	// oneAct is how far the steps of one change of many identifiers are apart.
	oneAct = time.Minute
)

// Change is what an officer changed at once in how a case handles identifiers.
type Change struct {
	By       casefile.OfficerName
	At       time.Time
	From, To casefile.Sharing
	Purged   bool
	Count    int                     // of identifiers
	Named    []identifier.Identifier // the last of them; none that was purged
}

// History is what officers changed in how a case handles identifiers, and what of
// that has not reached everybody.
type History struct {
	Changes     []Change // the newest first; what was done to many identifiers at once is one
	Outstanding Outstanding
}

// History returns the history of a case. Both parts are made from the same
// records, which are read once.
func (d *Desk) History(by casefile.Officer, id casefile.CaseID) (h History, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		if _, err := readable(tx, by, id); err != nil {
			return err
		}
		changes, err := tx.Changes(id, ReadChanges)
		if err != nil {
			return err
		}
		if h.Changes, err = together(changes); err != nil {
			return err
		}
		h.Outstanding, err = d.outstanding(tx, changes)
		return err
	})
	return h, err
}

func together(changes []casefile.Change) (list []Change, err error) {
	var earliest time.Time // of the last one in the list
	for _, c := range changes {
		n := len(list) - 1
		if n < 0 || !list[n].has(c) || earliest.Sub(c.At) > oneAct {
			if len(list) == ShownChanges {
				break
			}
			list = append(list, Change{By: c.By, At: c.At, From: c.From, To: c.To, Purged: c.Purged})
			n++
		}
		earliest = c.At
		list[n].Count++
		if len(c.Identifier) == 0 || len(list[n].Named) == namedInChange {
			continue
		}
		i, err := identifier.Decode(c.Identifier)
		if err != nil {
			return nil, err
		}
		list[n].Named = append(list[n].Named, i)
	}
	return list, nil
}

func (c Change) has(one casefile.Change) bool {
	return c.By == one.By && c.From == one.From && c.To == one.To && c.Purged == one.Purged
}

// Outstanding is what of a case's withdrawals members of the audience have not
// acknowledged. Until one has, what was withdrawn can still match there.
type Outstanding struct {
	Members     []OutstandingMember
	Identifiers map[identifier.Identifier]OutstandingIdentifier // what was purged is in none
	Partial     bool                                            // only the newest ReadChanges were looked at
}

// OutstandingMember is a member that has not acknowledged withdrawals.
type OutstandingMember struct {
	Agency directory.Agency
	Count  int       // of announcements withdrawn
	Since  time.Time // the first of them
}

// OutstandingIdentifier is the newest withdrawal of an identifier that members
// have not acknowledged.
type OutstandingIdentifier struct {
	Audience directory.Audience
	Members  []directory.Agency
}

func (d *Desk) outstanding(tx *store.Tx, changes []casefile.Change) (Outstanding, error) {
	o := Outstanding{Identifiers: map[identifier.Identifier]OutstandingIdentifier{}, Partial: len(changes) == ReadChanges}
	feeds := map[directory.Audience]readers{}
	members := map[directory.AgencyID]*OutstandingMember{}
	for _, c := range changes {
		for _, w := range c.Withdrawn {
			of, known := feeds[w.Audience]
			if !known {
				var err error
				if of, err = d.readers(tx, w.Audience); err != nil {
					return o, err
				}
				feeds[w.Audience] = of
			}
			missing := of.behind(w.Number)
			for _, m := range missing {
				if members[m.ID] == nil {
					members[m.ID] = &OutstandingMember{Agency: m}
				}
				members[m.ID].Count++
				members[m.ID].Since = c.At
			}
			if err := o.note(c.Identifier, w.Audience, missing); err != nil {
				return o, err
			}
		}
	}
	for _, m := range members {
		o.Members = append(o.Members, *m)
	}
	slices.SortFunc(o.Members, func(a, b OutstandingMember) int {
		return cmp.Or(strings.Compare(a.Agency.Name, b.Agency.Name), strings.Compare(string(a.Agency.ID), string(b.Agency.ID)))
	})
	return o, nil
}

// note keeps who misses the withdrawal of an identifier, unless a newer one is kept.
func (o *Outstanding) note(stored []byte, a directory.Audience, missing []directory.Agency) error {
	if len(stored) == 0 || len(missing) == 0 {
		return nil
	}
	i, err := identifier.Decode(stored)
	if err != nil {
		return err
	}
	if _, newer := o.Identifiers[i]; !newer {
		o.Identifiers[i] = OutstandingIdentifier{a, missing}
	}
	return nil
}

// readers are the members in an audience of ours, those who have acknowledged the
// least of that feed first, each with how much that is.
type readers struct {
	agencies []directory.Agency
	have     []uint64
}

// readers returns those who are in an audience now. One that left it gets nothing
// of it any more, withdrawals included.
func (d *Desk) readers(tx *store.Tx, a directory.Audience) (r readers, err error) {
	dir := d.network.Directory()
	if dir == nil {
		return r, nil
	}
	have := map[directory.AgencyID]uint64{}
	for _, m := range dir.Agencies {
		if m.ID == d.agency.ID || !a.Admits(dir, d.agency.ID, m.ID) {
			continue
		}
		_, n, err := tx.Acknowledged(m.ID, a)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
		have[m.ID] = n
		r.agencies = append(r.agencies, m)
	}
	slices.SortFunc(r.agencies, func(a, b directory.Agency) int {
		return cmp.Or(cmp.Compare(have[a.ID], have[b.ID]), strings.Compare(a.Name, b.Name))
	})
	for _, m := range r.agencies {
		r.have = append(r.have, have[m.ID])
	}
	return r, nil
}

// behind are those who have not acknowledged a number. Many withdrawals share it,
// so that each costs no memory.
func (r readers) behind(number uint64) []directory.Agency {
	n, _ := slices.BinarySearch(r.have, number)
	return r.agencies[:n:n]
}
