package testnet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
)

// books is what one node has on its disk, read in one view.
type books struct {
	agency   *Agency
	cases    map[casefile.CaseID]casefile.Case
	holders  map[string][]holder // by identifier, kind and value
	purged   map[casefile.CaseID]bool
	alerts   []alert.Alert
	summed   []alert.Alert // the pairs that summaries are of, as if each had an alert
	feeds    map[feed.ID]feed.Head
	standing map[string][]directory.Audience // by identifier: to whom it is announced under the newest key
	waiting  int
	deriving bool
}

// holder is a case that holds an identifier, and how it handles it.
type holder struct {
	casefile.CaseID
	casefile.Sharing
}

func identifierKey(kind fmt.Stringer, value string) string { return kind.String() + " " + value }

// progress reads how far the agency's feeds are, and no cases.
func (a *Agency) progress(others []*Agency) (books, error) {
	b := books{agency: a, feeds: map[feed.ID]feed.Head{}}
	err := a.Node().View(func(tx *store.Tx) error { return b.readFeeds(tx, others) })
	return b, err
}

func (a *Agency) books(others []*Agency) (books, error) {
	b := books{
		agency: a, cases: map[casefile.CaseID]casefile.Case{}, holders: map[string][]holder{},
		purged: map[casefile.CaseID]bool{}, feeds: map[feed.ID]feed.Head{}, standing: map[string][]directory.Audience{},
	}
	err := a.Node().View(func(tx *store.Tx) error {
		return errors.Join(b.readCases(tx), b.readFeeds(tx, others), tx.RecentAlerts(func(al alert.Alert) (bool, error) {
			var err error
			al.Grounds, err = tx.Grounds(al.ID, math.MaxInt)
			if !al.IsSummary() {
				b.alerts = append(b.alerts, al)
				return true, err
			}
			met, err2 := tx.Met(al.ID, math.MaxInt)
			for _, m := range met {
				pair := alert.Pair{Case: al.Pair.Case, Agency: m.Agency, Theirs: m.Theirs}
				b.summed = append(b.summed, alert.Alert{Pair: pair, Grounds: al.Grounds})
			}
			return true, errors.Join(err, err2)
		}))
	})
	return b, err
}

func (b *books) readCases(tx *store.Tx) error {
	return tx.Cases(func(c casefile.Case) error {
		b.cases[c.ID] = c
		list, err := tx.Holdings(c.ID, math.MaxInt)
		for _, h := range list {
			k := identifierKey(h.Identifier.Kind(), h.Identifier.Value())
			b.holders[k] = append(b.holders[k], holder{c.ID, h.Sharing})
			err = errors.Join(err, b.readStanding(tx, k, h.Identifier))
		}
		changes, err2 := tx.Changes(c.ID, math.MaxInt)
		for _, ch := range changes {
			b.purged[c.ID] = b.purged[c.ID] || ch.Purged
		}
		return errors.Join(err, err2)
	})
}

func (b *books) readStanding(tx *store.Tx, k string, i identifier.Identifier) error {
	epochs, err := tx.Epochs()
	if err != nil || b.standing[k] != nil {
		return err
	}
	id, err := tx.Known(i)
	if err != nil {
		return err
	}
	list, err := tx.Standing(id)
	b.standing[k] = []directory.Audience{}
	for _, s := range list {
		if s.Epoch == epochs.Current() {
			b.standing[k] = append(b.standing[k], s.Audience)
		}
	}
	return err
}

func (b *books) readFeeds(tx *store.Tx, all []*Agency) error {
	for _, a := range all {
		feeds, err := tx.Feeds(directory.AgencyID(a.ID))
		if err != nil {
			return err
		}
		for _, f := range feeds {
			h, err := tx.Head(f.ID)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			h.ID, h.Generation = f.ID, f.Generation
			if f.Moving != nil {
				b.deriving = true
			}
			b.feeds[f.ID] = h
		}
	}
	ids, err := tx.Waiting(math.MaxInt)
	if err != nil {
		return err
	}
	b.waiting = len(ids)
	epochs, err := tx.Epochs()
	if err != nil {
		return err
	}
	b.deriving = b.deriving || epochs.Done < epochs.Until || epochs.Sweeping
	members, err := tx.Members()
	for _, m := range members {
		b.deriving = b.deriving || m.Active && m.Done < m.Until
	}
	return err
}

// active are the running agencies that the directory lets take part.
func (n *Net) active() []*Agency {
	var list []*Agency
	for _, a := range n.Agencies() {
		if nd := a.Node(); nd != nil && nd.Status().Standing == directory.Active {
			list = append(list, a)
		}
	}
	return list
}

func (n *Net) read(one func(*Agency, []*Agency) (books, error)) ([]books, error) {
	active := n.active()
	var all []books
	for _, a := range active {
		b, err := one(a, active)
		if err != nil {
			return nil, fmt.Errorf("read the books of %s: %w", a.ID, err)
		}
		all = append(all, b)
	}
	return all, nil
}

// Settle returns once nothing is on its way: every active agency has every
// other's whole feed, no identifier waits for its token or is to get a newer one,
// and every tag is derived.
func (n *Net) Settle(ctx context.Context) error {
	return n.await(ctx, "the network to settle", func() (bool, error) {
		all, err := n.read((*Agency).progress)
		if err != nil {
			return false, err
		}
		for _, b := range all {
			if b.waiting > 0 || b.deriving {
				return false, nil
			}
			for j := range all {
				if !b.hasAllOf(&all[j]) {
					return false, nil
				}
			}
		}
		return true, nil
	})
}

// Check reports everything that breaks an invariant of a settled network:
// feeds that differ from their author's, what is announced to others than its
// cases say, an alert without a pair of holders, a pair without its alert, and a
// pair alerted twice.
func (n *Net) Check() error {
	all, err := n.read((*Agency).books)
	if err != nil {
		return err
	}
	var errs []error
	for i := range all {
		errs = append(errs, checkStanding(&all[i]))
		for j := range all {
			if i != j {
				errs = append(errs, checkFeed(&all[i], &all[j]), checkAlerts(&all[i], &all[j]))
			}
		}
	}
	return errors.Join(errs...)
}

// mayHold reports whether b may hold a feed, as it knows the directory itself.
func (b *books) mayHold(id feed.ID) bool {
	return id.Audience.Admits(b.agency.Node().Directory(), id.Author, directory.AgencyID(b.agency.ID))
}

// hasAllOf reports whether b has every feed of the other that it may hold, as far
// as the other has it, and none that it may not.
func (b *books) hasAllOf(other *books) bool {
	for id, h := range other.feeds {
		if id.Author != directory.AgencyID(other.agency.ID) || !b.mayHold(id) {
			continue
		}
		if have := b.feeds[id]; have.Number != h.Number || h.Number > 0 && have.Generation != h.Generation {
			return false
		}
	}
	for id := range b.feeds {
		if id.Author == directory.AgencyID(other.agency.ID) && !b.mayHold(id) {
			return false
		}
	}
	return true
}

// checkFeed compares how a has b's feeds with how b has them.
func checkFeed(a, b *books) error {
	var errs []error
	for id, have := range a.feeds {
		if id.Author != directory.AgencyID(b.agency.ID) {
			continue
		}
		want := b.feeds[id]
		switch {
		case !a.mayHold(id):
			errs = append(errs, fmt.Errorf("%s holds a feed of %s for an audience that it is not in", a.agency.ID, b.agency.ID))
		case have.Generation != want.Generation:
		case have.Number == want.Number && have.Number > 0 && have.Hash != want.Hash:
			errs = append(errs, fmt.Errorf("%s has another feed of %s at %d than %s itself", a.agency.ID, b.agency.ID, have.Number, b.agency.ID))
		case have.Number > want.Number:
			errs = append(errs, fmt.Errorf("%s has %d entries of %s, which has only %d itself", a.agency.ID, have.Number, b.agency.ID, want.Number))
		}
	}
	return errors.Join(errs...)
}

// checkAlerts compares a's alerts with b against what both hold.
func checkAlerts(a, b *books) error {
	theirs := map[token.CasePointer]casefile.CaseID{}
	for id, c := range b.cases {
		theirs[c.Pointer] = id
	}
	type meeting struct {
		ours  casefile.CaseID
		value string
	}
	met := map[meeting]int{}
	pairs := map[alert.Pair]bool{}
	var errs []error
	for n, al := range slices.Concat(a.alerts, a.summed) {
		if al.Pair.Agency != directory.AgencyID(b.agency.ID) {
			continue
		}
		if n < len(a.alerts) && pairs[al.Pair] {
			errs = append(errs, fmt.Errorf("%s has two alerts for one pair of cases with %s", a.agency.ID, b.agency.ID))
		}
		pairs[al.Pair] = true
		their := theirs[al.Pair.Theirs]
		for _, g := range al.Grounds {
			k := identifierKey(g.Identifier.Kind(), g.Identifier.Value())
			if !a.holds(k, al.Pair.Case) || !b.holds(k, their) {
				errs = append(errs, fmt.Errorf("%s has an alert with %s without a pair of holders", a.agency.ID, b.agency.ID))
			}
			met[meeting{al.Pair.Case, k}]++
		}
	}
	for k, ours := range a.holders {
		if !b.shows(k, a) {
			continue
		}
		for _, c := range ours {
			if got := met[meeting{c.CaseID, k}]; c.Matches() && got < 1 {
				errs = append(errs, fmt.Errorf("%s case %d shares an identifier with %s: %d alerts name it, want 1", a.agency.ID, c.CaseID, b.agency.ID, got))
			}
		}
	}
	return errors.Join(errs...)
}

// checkStanding compares to whom an agency announces its identifiers with what its
// cases wish.
func checkStanding(b *books) error {
	var errs []error
	for k, holders := range b.holders {
		wished := map[directory.Audience]bool{}
		for _, h := range holders {
			if h.Way == casefile.Share {
				wished[h.Audience] = true
			}
		}
		if wished[directory.Everyone] {
			wished = map[directory.Audience]bool{directory.Everyone: true}
		}
		announced := map[directory.Audience]bool{}
		for _, a := range b.standing[k] {
			announced[a] = true
		}
		if !maps.Equal(announced, wished) {
			errs = append(errs, fmt.Errorf("%s announces %s to %v, and its cases wish %v", b.agency.ID, k, announced, wished))
		}
	}
	return errors.Join(errs...)
}

// shows reports whether b announces an identifier to an audience that a is in.
func (b *books) shows(k string, a *books) bool {
	for _, h := range b.holders[k] {
		if h.Way == casefile.Share && a.mayHold(feed.ID{Author: directory.AgencyID(b.agency.ID), Audience: h.Audience}) {
			return true
		}
	}
	return false
}

// holds reports whether a case holds an identifier, or may have before a purge.
func (b *books) holds(k string, c casefile.CaseID) bool {
	for _, have := range b.holders[k] {
		if have.CaseID == c {
			return true
		}
	}
	return b.purged[c]
}
