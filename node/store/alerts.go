package store

import (
	"errors"
	"slices"
	"time"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

// storedAlert is an alert on the disk; its grounds lie beside it, each under
// its identifier, so that one more costs the same however many there are.
type storedAlert struct {
	Pair   alert.Pair
	Total  int
	Raised time.Time
	SeenBy []casefile.OfficerName `json:",omitempty"`
	Spread *alert.Spread          `json:",omitempty"` // of a summary
}

type storedGround struct {
	Handling token.Handling
	At       time.Time
}

// Raise adds g to the alert of pair p, raising it if there is none yet. Where g
// is beyond the caps of package alert it goes into the summary of its
// identifier. Doing so again changes nothing.
func (tx *Tx) Raise(p alert.Pair, g alert.Ground) error {
	id := p.ID()
	b, err := g.Identifier.MarshalBinary()
	if err != nil {
		return err
	}
	ground := key(tableGround, id[:], b)
	if have, err := tx.has(ground); err != nil || have {
		return err
	}
	if full, err := tx.full(p.Case, g.Identifier); err != nil {
		return err
	} else if full {
		return tx.spread(p, g)
	}
	if err := setJSON(tx, ground, storedGround{g.Handling, g.At}); err != nil {
		return err
	}
	of := markOf(g.Identifier)
	if err := tx.set(key(tableGroundOf, of[:], number(uint64(p.Case)), id[:]), nil); err != nil {
		return err
	}
	a, err := tx.storedAlert(id, p, g.At)
	if err != nil {
		return err
	}
	a.Total++
	tx.tell(id)
	return setJSON(tx, key(tableAlert, id[:]), a)
}

// storedAlert returns an alert to be written again, entering it into the lists
// if there is none yet.
func (tx *Tx) storedAlert(id alert.ID, p alert.Pair, at time.Time) (storedAlert, error) {
	a, err := getJSON[storedAlert](tx, key(tableAlert, id[:]))
	if !errors.Is(err, ErrNotFound) {
		return a, err
	}
	a = storedAlert{Pair: p, Raised: at}
	if err := tx.set(key(tableCaseAlert, number(uint64(p.Case)), id[:]), nil); err != nil {
		return a, err
	}
	return a, tx.set(key(tableRecent, number(uint64(at.UnixNano())), id[:]), nil)
}

// tell has Raised return an alert.
func (tx *Tx) tell(id alert.ID) {
	if !slices.Contains(tx.raised, id) {
		tx.raised = append(tx.raised, id)
	}
}

// Raised returns the alerts that this transaction raised or added to.
func (tx *Tx) Raised() ([]alert.Alert, error) {
	var list []alert.Alert
	for _, id := range tx.raised {
		a, err := tx.Alert(id)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// SeeAlert records that an officer has read an alert.
func (tx *Tx) SeeAlert(id alert.ID, by casefile.OfficerName) error {
	k := key(tableAlert, id[:])
	a, err := getJSON[storedAlert](tx, k)
	if err != nil || slices.Contains(a.SeenBy, by) {
		return err
	}
	a.SeenBy = append(a.SeenBy, by)
	return setJSON(tx, k, a)
}

// Alert returns an alert with the first alert.Shown of its grounds, or
// ErrNotFound.
func (tx *Tx) Alert(id alert.ID) (alert.Alert, error) {
	s, err := getJSON[storedAlert](tx, key(tableAlert, id[:]))
	if err != nil {
		return alert.Alert{}, err
	}
	a := alert.Alert{ID: id, Pair: s.Pair, Total: s.Total, Raised: s.Raised, SeenBy: s.SeenBy}
	if s.Spread != nil {
		a.Spread = *s.Spread
	}
	if a.Grounds, err = tx.Grounds(id, alert.Shown); err != nil {
		return a, err
	}
	a.Muted, err = tx.mutedOf(a.Grounds)
	return a, err
}

// Grounds returns the first limit grounds of an alert, by identifier.
func (tx *Tx) Grounds(id alert.ID, limit int) ([]alert.Ground, error) {
	prefix := key(tableGround, id[:])
	var list []alert.Ground
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		if len(list) == limit {
			return errStop
		}
		i, err := identifier.Decode(k[len(prefix):])
		if err != nil {
			return err
		}
		s, err := getJSON[storedGround](tx, k)
		list = append(list, alert.Ground{Identifier: i, Handling: s.Handling, At: s.At})
		return err
	})
	return list, err
}

// CaseAlerts calls f with every alert of a case.
func (tx *Tx) CaseAlerts(c casefile.CaseID, f func(alert.Alert) error) error {
	prefix := key(tableCaseAlert, number(uint64(c)))
	return tx.scan(prefix, prefix, func(k, _ []byte) error {
		a, err := tx.Alert(alert.ID(k[len(prefix):]))
		if err != nil {
			return err
		}
		return f(a)
	})
}

// RecentAlerts calls f with every alert, the newest first, until f returns
// false.
func (tx *Tx) RecentAlerts(f func(alert.Alert) (bool, error)) error {
	return tx.scanBack([]byte{tableRecent}, func(k []byte) error {
		a, err := tx.Alert(alert.ID(k[9:]))
		if err != nil {
			return err
		}
		if more, err := f(a); err != nil || !more {
			return errors.Join(err, stopUnless(more))
		}
		return nil
	})
}

func stopUnless(more bool) error {
	if more {
		return nil
	}
	return errStop
}
