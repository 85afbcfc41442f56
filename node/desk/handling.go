package desk

import (
	"context"
	"slices"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// What is wrong with a wish to handle identifiers otherwise.
var (
	errNotOffered = &casefile.Sentence{
		Text: "This agency cannot share with that group or agency now.",
		Hint: "The directory may have changed. Choose again from what the page offers.",
	}
	errNotYours = &casefile.Sentence{
		Text: "Only the officer who opened the case and supervisors can purge.",
		Hint: "You can withdraw instead: that stops matching as well, and keeps the identifiers in the case.",
	}
	errNoneChosen = &casefile.Sentence{
		Text: "No identifier of this case is chosen.", Hint: "Tick at least one, and choose again what to do with it.",
	}
)

// Audiences are those with which this agency can share, beside everyone.
type Audiences struct {
	Groups   []directory.Group  // of the directory, with this agency in them
	Agencies []directory.Agency // active members other than this one, up to directory.MaxListed of which can be listed
}

// Audiences returns those that the directory in force allows.
func (d *Desk) Audiences() (a Audiences) {
	dir := d.network.Directory()
	if dir == nil {
		return a
	}
	for _, g := range dir.Policy.Groups {
		if slices.Contains(g.Agencies, d.agency.ID) {
			a.Groups = append(a.Groups, g)
		}
	}
	for _, m := range dir.Agencies {
		if m.Status == directory.Active && m.ID != d.agency.ID {
			a.Agencies = append(a.Agencies, m)
		}
	}
	return a
}

// offers refuses a sharing that Audiences does not allow.
func (d *Desk) offers(s casefile.Sharing) error {
	if s.Check() != nil {
		return errNotOffered
	}
	if s.Audience == directory.Everyone {
		return nil
	}
	offered := d.Audiences()
	if name, ok := s.Audience.Group(); ok {
		if slices.ContainsFunc(offered.Groups, func(g directory.Group) bool { return g.Name == name }) {
			return nil
		}
		return errNotOffered
	}
	for _, id := range s.Audience.Listed() {
		if !slices.ContainsFunc(offered.Agencies, func(m directory.Agency) bool { return m.ID == id }) {
			return errNotOffered
		}
	}
	return nil
}

// Handle changes how a case handles identifiers that it holds. Whoever may read
// the case may do so. It goes in steps, each on the disk before the next; doing it
// again does what is left.
func (d *Desk) Handle(ctx context.Context, by casefile.Officer, id casefile.CaseID, ids []identifier.Identifier, to casefile.Sharing) error {
	if err := d.offers(to); err != nil {
		return err
	}
	if _, err := d.holding(by, id, ids); err != nil {
		return err
	}
	return d.disk(d.flow.Handle(ctx, id, ids, to, by.Name))
}

// Purge lets a case forget identifiers, with where they were found. A supervisor
// may do so, and the officer who opened the case: what is gone comes back to
// nobody. It goes in steps like Handle.
func (d *Desk) Purge(ctx context.Context, by casefile.Officer, id casefile.CaseID, ids []identifier.Identifier) error {
	c, err := d.holding(by, id, ids)
	if err != nil {
		return err
	}
	if !MayPurge(by, c) {
		return errNotYours
	}
	return d.disk(d.flow.Purge(ctx, id, ids, by.Name))
}

// MayPurge reports whether an officer may purge what a case holds.
func MayPurge(by casefile.Officer, c casefile.Case) bool {
	return by.MayRead(c) && (by.Role == casefile.Supervisor || c.Officers[0] == by.Name)
}

// holding returns a case that the officer may see and that holds one of ids.
func (d *Desk) holding(by casefile.Officer, id casefile.CaseID, ids []identifier.Identifier) (c casefile.Case, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		if c, err = readable(tx, by, id); err != nil {
			return err
		}
		for _, i := range ids {
			if held, err := holds(tx, id, i); err != nil || held {
				return err
			}
		}
		return errNoneChosen
	})
	return c, err
}

// Identifiers returns everything that a case holds, in the order in which
// Holdings has it.
func (d *Desk) Identifiers(by casefile.Officer, id casefile.CaseID) (ids []identifier.Identifier, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		if _, err := readable(tx, by, id); err != nil {
			return err
		}
		n, err := tx.Held(id)
		if err != nil {
			return err
		}
		list, err := tx.Holdings(id, n)
		for _, h := range list {
			ids = append(ids, h.Identifier)
		}
		return err
	})
	return ids, err
}

// Holdings returns a case with up to ShownHoldings of its identifiers, those after
// the first ones, and what belongs to them. Notes and alerts are not in it.
func (d *Desk) Holdings(by casefile.Officer, id casefile.CaseID, after int) (f CaseFile, err error) {
	after = max(after, 0)
	err = d.store.View(func(tx *store.Tx) error {
		if f.Case, err = readable(tx, by, id); err != nil {
			return err
		}
		if f.Total, err = tx.Held(id); err != nil || after >= f.Total {
			return err
		}
		list, err := tx.Holdings(id, min(f.Total, after+ShownHoldings))
		if err != nil {
			return err
		}
		f.Holdings = list[min(after, len(list)):]
		return f.readMutes(tx)
	})
	return f, err
}
