package store

import (
	"bytes"
	"errors"
	"fmt"

	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

// Sharing returns how a case handles an identifier: with everyone, where nothing
// else was put.
func (tx *Tx) Sharing(c casefile.CaseID, id casefile.IdentifierID) (casefile.Sharing, error) {
	s, err := getJSON[casefile.Sharing](tx, key(tableSharing, number(uint64(c)), number(uint64(id))))
	if errors.Is(err, ErrNotFound) {
		return casefile.Sharing{}, nil
	}
	return s, err
}

// PutSharing writes how a case handles an identifier.
func (tx *Tx) PutSharing(c casefile.CaseID, id casefile.IdentifierID, s casefile.Sharing) error {
	k := key(tableSharing, number(uint64(c)), number(uint64(id)))
	if s == (casefile.Sharing{}) {
		return tx.delete(k)
	}
	return setJSON(tx, k, s)
}

// Unhold records that a case holds an identifier no more, and takes it out of the
// case's changes. It is ErrNotFound where the case did not hold it.
func (tx *Tx) Unhold(c casefile.CaseID, id casefile.IdentifierID) error {
	holding := key(tableHolding, number(uint64(c)), number(uint64(id)))
	if held, err := tx.has(holding); err != nil {
		return err
	} else if !held {
		return ErrNotFound
	}
	n, err := tx.Held(c)
	if err != nil {
		return err
	}
	return errors.Join(
		tx.delete(holding),
		tx.delete(key(tableHolder, number(uint64(id)), number(uint64(c)))),
		tx.PutSharing(c, id, casefile.Sharing{}),
		tx.set(key(tableSequence, []byte(fmt.Sprintf("case %d holds", c))), number(uint64(n-1))),
		tx.blankChanges(c, id))
}

// blankChanges takes an identifier out of the changes of a case.
func (tx *Tx) blankChanges(c casefile.CaseID, id casefile.IdentifierID) error {
	b, err := tx.get(key(tableIdentifier, number(uint64(id))))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	prefix := key(tableChange, number(uint64(c)))
	blank := map[string]casefile.Change{}
	err = tx.scan(prefix, prefix, func(k, _ []byte) error {
		change, err := getJSON[casefile.Change](tx, k)
		if err == nil && bytes.Equal(change.Identifier, b) {
			change.Identifier = nil
			blank[string(k)] = change
		}
		return err
	})
	for k, change := range blank {
		err = errors.Join(err, setJSON(tx, []byte(k), change))
	}
	return err
}

// Forget removes an identifier that no case holds: its text, tokens and number,
// which is not given again, where it was announced, and whether and why it was muted.
// Alerts keep what officers were told, and how it is to be handled.
func (tx *Tx) Forget(id casefile.IdentifierID) error {
	n := number(uint64(id))
	b, err := tx.get(key(tableIdentifier, n))
	if err != nil {
		return err
	}
	i, err := identifier.Decode(b)
	if err != nil {
		return err
	}
	tx.muting = nil
	of := markOf(i)
	errs := []error{
		tx.delete(key(tableNumberOf, b)), tx.deleteAll(key(tableStanding, n)),
		tx.delete(key(tableMute, of[:])), tx.deleteAll(key(tableMuteEvent, of[:])),
	}
	for _, table := range []byte{tableIdentifier, tableToken, tableFormer, tableWaiting, tableAgain} {
		errs = append(errs, tx.delete(key(table, n)))
	}
	return errors.Join(errs...)
}

// AddChange appends to the changes of a case.
func (tx *Tx) AddChange(c casefile.Change) error {
	prefix := key(tableChange, number(uint64(c.Case)))
	n, err := tx.nextUnder(prefix)
	if err != nil {
		return err
	}
	return setJSON(tx, append(prefix, number(n)...), c)
}

// Changes returns up to limit changes of a case, the newest first.
func (tx *Tx) Changes(c casefile.CaseID, limit int) ([]casefile.Change, error) {
	var list []casefile.Change
	err := tx.scanBack(key(tableChange, number(uint64(c))), func(k []byte) error {
		if len(list) == limit {
			return errStop
		}
		change, err := getJSON[casefile.Change](tx, k)
		list = append(list, change)
		return err
	})
	return list, err
}

// CasesMatching returns the cases that hold an identifier and let it be met, by
// number.
func (tx *Tx) CasesMatching(id casefile.IdentifierID) ([]casefile.CaseID, error) {
	cases, err := tx.CasesHolding(id)
	if err != nil {
		return nil, err
	}
	var met []casefile.CaseID
	for _, c := range cases {
		s, err := tx.Sharing(c, id)
		if err != nil {
			return nil, err
		}
		if s.Matches() {
			met = append(met, c)
		}
	}
	return met, nil
}
