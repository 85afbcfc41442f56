package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
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

// PutToken keeps the token of an identifier in an epoch; it waits no longer.
func (tx *Tx) PutToken(id casefile.IdentifierID, e token.Epoch, t oprf.Token) error {
	v := append(binary.BigEndian.AppendUint32(nil, uint32(e)), t[:]...)
	if err := tx.set(key(tableToken, number(uint64(id))), v); err != nil {
		return err
	}
	return tx.delete(key(tableWaiting, number(uint64(id))))
}

// Token returns the token of an identifier and its epoch, or ErrNotFound.
func (tx *Tx) Token(id casefile.IdentifierID) (oprf.Token, token.Epoch, error) {
	v, err := tx.get(key(tableToken, number(uint64(id))))
	if err != nil {
		return oprf.Token{}, 0, err
	}
	defer clear(v)
	if len(v) != 4+oprf.TokenSize {
		return oprf.Token{}, 0, fmt.Errorf("record in table %q: %d bytes", tableToken, len(v))
	}
	return oprf.Token(v[4:]), token.Epoch(binary.BigEndian.Uint32(v)), nil
}

// Wait records that an identifier's token is still to be had.
func (tx *Tx) Wait(id casefile.IdentifierID) error {
	return tx.set(key(tableWaiting, number(uint64(id))), nil)
}

// Waiting returns up to limit identifiers whose token is still to be had.
func (tx *Tx) Waiting(limit int) ([]casefile.IdentifierID, error) {
	prefix := []byte{tableWaiting}
	var ids []casefile.IdentifierID
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		if len(ids) == limit {
			return errStop
		}
		ids = append(ids, casefile.IdentifierID(binary.BigEndian.Uint64(k[1:])))
		return nil
	})
	return ids, err
}
