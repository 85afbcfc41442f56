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

// storedAlert and storedGround are an alert on the disk.
type storedAlert struct {
	Pair    alert.Pair
	Grounds []storedGround
	Raised  time.Time
	SeenBy  []casefile.OfficerName `json:",omitempty"`
}

type storedGround struct {
	Identifier []byte
	Handling   token.Handling
	At         time.Time
}

// Raise adds g to the alert of pair p, raising it if there is none yet. Doing
// so again changes nothing.
func (tx *Tx) Raise(p alert.Pair, g alert.Ground) error {
	a, err := tx.Alert(p.ID())
	if errors.Is(err, ErrNotFound) {
		a = alert.New(p, g.At)
		id := a.ID
		if err := tx.set(key(tableCaseAlert, number(uint64(p.Case)), id[:]), nil); err != nil {
			return err
		}
		if err := tx.set(key(tableRecent, number(uint64(a.Raised.UnixNano())), id[:]), nil); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if !a.Add(g) {
		return nil
	}
	tx.note(a)
	return tx.PutAlert(a)
}

// note remembers that a was raised or grew in this transaction.
func (tx *Tx) note(a alert.Alert) {
	i := slices.IndexFunc(tx.raised, func(have alert.Alert) bool { return have.ID == a.ID })
	if i < 0 {
		tx.raised = append(tx.raised, a)
		return
	}
	tx.raised[i] = a
}

// Raised returns the alerts that this transaction raised or added to.
func (tx *Tx) Raised() []alert.Alert { return tx.raised }

// PutAlert writes an alert that is there already.
func (tx *Tx) PutAlert(a alert.Alert) error {
	s := storedAlert{Pair: a.Pair, Raised: a.Raised, SeenBy: a.SeenBy}
	for _, g := range a.Grounds {
		b, err := g.Identifier.MarshalBinary()
		if err != nil {
			return err
		}
		s.Grounds = append(s.Grounds, storedGround{b, g.Handling, g.At})
	}
	return setJSON(tx, key(tableAlert, a.ID[:]), s)
}

// Alert returns an alert, or ErrNotFound.
func (tx *Tx) Alert(id alert.ID) (alert.Alert, error) {
	s, err := getJSON[storedAlert](tx, key(tableAlert, id[:]))
	if err != nil {
		return alert.Alert{}, err
	}
	a := alert.Alert{ID: id, Pair: s.Pair, Raised: s.Raised, SeenBy: s.SeenBy}
	for _, g := range s.Grounds {
		i, err := identifier.Decode(g.Identifier)
		if err != nil {
			return alert.Alert{}, err
		}
		a.Grounds = append(a.Grounds, alert.Ground{Identifier: i, Handling: g.Handling, At: g.At})
	}
	return a, nil
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
	var ids []alert.ID
	prefix := []byte{tableRecent}
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		ids = append(ids, alert.ID(k[9:]))
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range slices.Backward(ids) {
		a, err := tx.Alert(id)
		if err != nil {
			return err
		}
		if more, err := f(a); err != nil || !more {
			return err
		}
	}
	return nil
}
