package store

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"interlock/protocol/feed"
)

// errMove refuses a step to a later generation that does not follow on.
var errMove = errors.New("not the next step to a later generation")

// Move takes a feed to a later generation up to one signed head: of the entries
// after from and up to to, those that are not in b's runs go. The caller has
// verified b. The first step is from the start of a generation that is later than
// the one held, and later than one that is being moved to.
func (tx *Tx) Move(id feed.ID, b feed.Batch, from, to feed.Position) error {
	s, f, err := tx.storedFeed(id)
	if err != nil {
		return err
	}
	first := from.Number == 0 && from.Generation > s.Generation && (s.Moving == nil || from.Generation >= s.Moving.Generation)
	next := s.Moving != nil && *s.Moving == from
	if !first && !next || to.Generation != from.Generation || to.Number < from.Number || b.Head.Position != to {
		return fmt.Errorf("%w: from %d of generation %d to %d of %d", errMove, from.Number, from.Generation, to.Number, to.Generation)
	}
	d, err := tx.dropping(f, without(b.Kept, from.Number, to.Number))
	if err != nil {
		return err
	}
	revived, err := d.drop(from.Number, to.Number)
	if err != nil {
		return err
	}
	s.Moving, s.Revived = &to, s.Revived || revived
	if err := setJSON(tx, key(tableFeed, f.part()), s); err != nil || len(b.Head.Signature) == 0 {
		return err // the start of a generation needs no head
	}
	return tx.PutHead(b.Head)
}

// Moved ends the move of a feed: the entries after the position reached go, and
// the heads of former generations.
func (tx *Tx) Moved(id feed.ID) error {
	s, f, err := tx.storedFeed(id)
	if err != nil {
		return err
	}
	if s.Moving == nil {
		return fmt.Errorf("%w: no generation is being moved to", errMove)
	}
	d, err := tx.dropping(f, without(nil, s.Moving.Number, math.MaxUint64))
	if err != nil {
		return err
	}
	revived, err := d.drop(s.Moving.Number, math.MaxUint64)
	if err != nil {
		return err
	}
	if s.Revived || revived {
		if err := d.withdrawAgain(s.Moving.Number); err != nil {
			return err
		}
	}
	return errors.Join(
		tx.deleteRange(key(tableHead, f.part()), headKeys(f, s.Moving.Generation)),
		setJSON(tx, key(tableFeed, f.part()), storedFeed{Generation: s.Moving.Generation}))
}

// DropFeed removes all that is held of a feed.
func (tx *Tx) DropFeed(id feed.ID) error {
	f, ok := tx.numberOf(id)
	if !ok {
		return nil
	}
	held, err := tx.Feeds(id.Author)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(held, func(other Feed) bool { return other.ID != id }) {
		err = tx.unreferFeed(f)
	} else {
		err = tx.deleteAll(key(tableTagged, number32(f.author)))
	}
	if err != nil {
		return err
	}
	for _, table := range []byte{tableEntry, tableHead, tableFeed} {
		if err := tx.deleteAll(key(table, f.part())); err != nil {
			return err
		}
	}
	return nil
}

// unreferFeed takes away the references to the entries of one feed of several of
// an author.
func (tx *Tx) unreferFeed(f feedNumber) error {
	d, err := tx.dropping(f, without(nil, 0, math.MaxUint64))
	if err != nil {
		return err
	}
	return errors.Join(readEntries(d.entries, f, 1, math.MaxUint64, d.unrefer), d.flush())
}
