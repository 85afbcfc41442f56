// Package rehearsal plays a node's flow for the tests of the desk and of its pages.
// What it holds, handles and purges is in the store as it is behind a real desk, with
// the record of each change; no token is made, no entry is written, and nobody hears
// of it. Only tests use it.
package rehearsal

import (
	"context"
	"errors"
	"time"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/identifier"
)

// Flow changes a store and nothing else. One test's goroutine at a time uses it.
type Flow struct {
	Store *store.Store
	Now   func() time.Time
	Fault error // what Handle and Purge fail with, where it is set

	withdrawn uint64 // entries that withdraw, so far, in all audiences together
}

// Hold puts what was found into a case, and reports whether it was not there before.
func (f *Flow) Hold(tx *store.Tx, c casefile.CaseID, found casefile.Found) (id casefile.IdentifierID, isNew bool, err error) {
	if id, err = tx.IdentifierID(found.Identifier); err != nil {
		return id, false, err
	}
	if isNew, err = tx.Hold(c, id, found.Sightings...); err != nil || !isNew {
		return id, isNew, err
	}
	return id, true, tx.PutSharing(c, id, found.Sharing)
}

// Handle has identifiers of a case handled as to says.
func (f *Flow) Handle(_ context.Context, c casefile.CaseID, ids []identifier.Identifier, to casefile.Sharing, by casefile.OfficerName) error {
	return f.change(c, ids, by, func(tx *store.Tx, id casefile.IdentifierID, change *casefile.Change) error {
		change.To = to
		return tx.PutSharing(c, id, to)
	})
}

// Purge takes identifiers out of a case.
func (f *Flow) Purge(_ context.Context, c casefile.CaseID, ids []identifier.Identifier, by casefile.OfficerName) error {
	return f.change(c, ids, by, func(tx *store.Tx, id casefile.IdentifierID, change *casefile.Change) error {
		change.Purged, change.Identifier = true, nil
		return tx.Unhold(c, id)
	})
}

// change records one change of each identifier, with a withdrawal where it was
// shared.
func (f *Flow) change(c casefile.CaseID, ids []identifier.Identifier, by casefile.OfficerName, do func(*store.Tx, casefile.IdentifierID, *casefile.Change) error) error {
	if f.Fault != nil {
		return f.Fault
	}
	return f.Store.Update(func(tx *store.Tx) error {
		for _, i := range ids {
			id, err := tx.Known(i)
			if err != nil {
				return err
			}
			change := casefile.Change{Case: c, By: by, At: f.Now()}
			if change.Identifier, err = i.MarshalBinary(); err != nil {
				return err
			}
			if change.From, err = tx.Sharing(c, id); err != nil {
				return err
			}
			if change.From.Way == casefile.Share {
				f.withdrawn++
				change.Withdrawn = []casefile.Withdrawal{{Audience: change.From.Audience, Number: f.withdrawn}}
			}
			if err := errors.Join(do(tx, id, &change), tx.AddChange(change)); err != nil {
				return err
			}
		}
		return nil
	})
}
