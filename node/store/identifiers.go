package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

// IdentifierID returns the number of an identifier, giving it one if it is
// new to this agency.
func (tx *Tx) IdentifierID(i identifier.Identifier) (casefile.IdentifierID, error) {
	b, err := i.MarshalBinary()
	if err != nil {
		return 0, err
	}
	have, err := tx.get(key(tableNumberOf, b))
	if err == nil {
		return casefile.IdentifierID(binary.BigEndian.Uint64(have)), nil
	}
	if !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	n, err := tx.next("identifier")
	if err != nil {
		return 0, err
	}
	if err := tx.set(key(tableNumberOf, b), number(n)); err != nil {
		return 0, err
	}
	return casefile.IdentifierID(n), tx.set(key(tableIdentifier, number(n)), b)
}

// Known returns the number of an identifier, or ErrNotFound if no case of this
// agency holds it.
func (tx *Tx) Known(i identifier.Identifier) (casefile.IdentifierID, error) {
	b, err := i.MarshalBinary()
	if err != nil {
		return 0, err
	}
	v, err := tx.get(key(tableNumberOf, b))
	if err != nil {
		return 0, err
	}
	return casefile.IdentifierID(binary.BigEndian.Uint64(v)), nil
}

// Identifier returns the identifier with this number.
func (tx *Tx) Identifier(id casefile.IdentifierID) (identifier.Identifier, error) {
	b, err := tx.get(key(tableIdentifier, number(uint64(id))))
	if err != nil {
		return identifier.Identifier{}, err
	}
	return identifier.Decode(b)
}

// LastIdentifier is the highest number given.
func (tx *Tx) LastIdentifier() (casefile.IdentifierID, error) {
	n, err := tx.sequence("identifier")
	return casefile.IdentifierID(n), err
}

// sightings is a holding as it is stored.
type sightings struct {
	Sightings []casefile.Sighting
	Seen      int
}

// Hold records that a case holds an identifier, as seen at at; it reports
// whether the case did not hold it before.
func (tx *Tx) Hold(c casefile.CaseID, id casefile.IdentifierID, at ...casefile.Sighting) (bool, error) {
	k := key(tableHolding, number(uint64(c)), number(uint64(id)))
	have, err := getJSON[sightings](tx, k)
	isNew := errors.Is(err, ErrNotFound)
	if err != nil && !isNew {
		return false, err
	}
	have.Seen += len(at)
	room := casefile.MaxSightings - len(have.Sightings)
	have.Sightings = append(have.Sightings, at[:min(room, len(at))]...)
	if err := setJSON(tx, k, have); err != nil || !isNew {
		return false, err
	}
	count := fmt.Sprintf("case %d holds", c)
	if _, err := tx.next(count); err != nil {
		return false, err
	}
	return true, tx.set(key(tableHolder, number(uint64(id)), number(uint64(c))), nil)
}

// Held is the number of identifiers in a case.
func (tx *Tx) Held(c casefile.CaseID) (int, error) {
	n, err := tx.sequence(fmt.Sprintf("case %d holds", c))
	return int(n), err
}

// Holds reports whether a case holds an identifier.
func (tx *Tx) Holds(c casefile.CaseID, id casefile.IdentifierID) (bool, error) {
	return tx.has(key(tableHolding, number(uint64(c)), number(uint64(id))))
}

// Holdings returns the first limit identifiers of a case, in the order in
// which the agency first met them.
func (tx *Tx) Holdings(c casefile.CaseID, limit int) ([]casefile.Holding, error) {
	prefix := key(tableHolding, number(uint64(c)))
	var list []casefile.Holding
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		if len(list) == limit {
			return errStop
		}
		id := casefile.IdentifierID(binary.BigEndian.Uint64(k[len(prefix):]))
		s, err := getJSON[sightings](tx, k)
		if err != nil {
			return err
		}
		h := casefile.Holding{Sightings: s.Sightings, Seen: s.Seen, State: casefile.Announced}
		if h.Identifier, err = tx.Identifier(id); err != nil {
			return err
		}
		if h.Sharing, err = tx.Sharing(c, id); err != nil {
			return err
		}
		waiting, err := tx.has(key(tableWaiting, number(uint64(id))))
		if waiting {
			h.State = casefile.Waiting
		}
		list = append(list, h)
		return err
	})
	return list, err
}

// CasesHolding returns the cases that hold an identifier, by number.
func (tx *Tx) CasesHolding(id casefile.IdentifierID) ([]casefile.CaseID, error) {
	prefix := key(tableHolder, number(uint64(id)))
	var cases []casefile.CaseID
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		cases = append(cases, casefile.CaseID(binary.BigEndian.Uint64(k[len(prefix):])))
		return nil
	})
	return cases, err
}
