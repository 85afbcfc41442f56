package store

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"interlock/protocol/feed"
)

// ErrMove refuses a step to a later generation that does not follow on.
var ErrMove = errors.New("not the next step to a later generation")

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
		return fmt.Errorf("%w: from %d of generation %d to %d of %d", ErrMove, from.Number, from.Generation, to.Number, to.Generation)
	}
	revived, err := tx.dropEntries(id, f, from.Number, to.Number, b.Kept)
	if err != nil {
		return err
	}
	s.Moving, s.Revived = &to, s.Revived || revived
	if err := setJSON(tx, feedKey(tableFeed, f), s); err != nil || len(b.Head.Signature) == 0 {
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
		return fmt.Errorf("%w: no generation is being moved to", ErrMove)
	}
	revived, err := tx.dropEntries(id, f, s.Moving.Number, math.MaxUint64, nil)
	if err != nil {
		return err
	}
	if s.Revived || revived {
		if err := tx.withdrawAgain(id, f, s.Moving.Number); err != nil {
			return err
		}
	}
	tx.grown = true
	return errors.Join(
		tx.deleteRange(feedKey(tableHead, f), headKeys(f, s.Moving.Generation)),
		setJSON(tx, feedKey(tableFeed, f), storedFeed{Generation: s.Moving.Generation}))
}

// dropEntries removes the entries after one number and up to another that are not
// kept. Where a withdrawal goes and what it withdrew stays, that stands again, as
// it does for who reads the generation from its start; unless a withdrawal that
// stays says otherwise, which is for the caller to see to.
func (tx *Tx) dropEntries(id feed.ID, f feedNumber, after, to uint64, kept []feed.Run) (revived bool, err error) {
	var dropped, again []reference
	var stays, goes []feed.Entry
	err = tx.entries(f, after+1, to, func(e feed.Entry) error {
		for len(kept) > 0 && kept[0].Last < e.Number {
			kept = kept[1:]
		}
		if len(kept) > 0 && kept[0].First <= e.Number {
			stays = append(stays, e)
			return nil
		}
		if goes = append(goes, e); e.Kind == feed.Announce {
			dropped = append(dropped, referTo(f, e, true))
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, e := range goes {
		if e.Kind != feed.Withdraw {
			continue
		}
		switch of, err := tx.staying(id, stays, after, e.Withdraws()); {
		case err == nil && of.Kind == feed.Announce:
			again = append(again, referTo(f, of, false))
		case err != nil && !errors.Is(err, ErrNotFound):
			return false, err
		}
	}
	for _, e := range goes {
		if err := tx.delete(entryKey(f, e.Number)); err != nil {
			return false, err
		}
	}
	return len(again) > 0, errors.Join(tx.unrefer(dropped), tx.referAll(again))
}

// staying is the entry with a number, among those that stay or not after the number
// up to which everything does.
func (tx *Tx) staying(id feed.ID, stays []feed.Entry, after, n uint64) (feed.Entry, error) {
	if n <= after {
		return tx.Entry(id, n)
	}
	if e, ok := numbered(stays, n); ok {
		return e, nil
	}
	return feed.Entry{}, ErrNotFound
}

// unrefer takes references away, and with the last one the row.
func (tx *Tx) unrefer(refs []reference) error {
	slices.SortStableFunc(refs, compareReferences)
	keys := make([]tagKey, len(refs))
	for i, r := range refs {
		keys[i] = r.tagKey
	}
	keys = slices.Compact(keys)
	rows, err := tx.lookUp(tableTagged, keys)
	if err != nil {
		return err
	}
	for i, k := range keys {
		left := rows[i]
		var goes []reference
		for ; len(refs) > 0 && refs[0].tagKey == k; refs = refs[1:] {
			goes = append(goes, refs[0])
			left = slices.DeleteFunc(left, func(r ref) bool {
				return r.number == refs[0].number && r.audience == refs[0].audience
			})
		}
		if len(left) == 0 {
			err = tx.delete(k[:])
		} else {
			err = tx.referAll(goes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// withdrawAgain takes away what the withdrawals that are held withdraw.
func (tx *Tx) withdrawAgain(id feed.ID, f feedNumber, to uint64) error {
	var refs []reference
	err := tx.entries(f, 1, to, func(e feed.Entry) error {
		if e.Kind != feed.Withdraw {
			return nil
		}
		of, err := tx.Entry(id, e.Withdraws())
		if err == nil && of.Kind == feed.Announce {
			refs = append(refs, referTo(f, of, true))
		}
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	return errors.Join(err, tx.referAll(refs))
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
		author := key(tableTagged, number32(f.author))
		err = tx.deleteRange(author, after(author))
	}
	if err != nil {
		return err
	}
	for _, table := range []byte{tableEntry, tableHead, tableFeed} {
		prefix := feedKey(table, f)
		if err := tx.deleteRange(prefix, after(prefix)); err != nil {
			return err
		}
	}
	return nil
}

// unreferFeed takes away the references to the entries of one feed of several of
// an author.
func (tx *Tx) unreferFeed(f feedNumber) error {
	var refs []reference
	err := tx.entries(f, 1, math.MaxUint64, func(e feed.Entry) error {
		if e.Kind == feed.Announce {
			refs = append(refs, referTo(f, e, true))
		}
		if len(refs) < orderedAtOnce {
			return nil
		}
		err := tx.unrefer(refs)
		refs = refs[:0]
		return err
	})
	return errors.Join(err, tx.unrefer(refs))
}
