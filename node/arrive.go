package node

import (
	"errors"
	"fmt"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/exchange"
	"interlock/node/match"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// Arrive takes batches of another member's feeds, in order: verified against
// the position held, stored, matched and alerted. Batches that follow on in one
// feed go into one transaction.
func (f *Flow) Arrive(author directory.Agency, batches []feed.Batch) error {
	for len(batches) > 0 {
		n := 1
		for n < len(batches) && followsOn(batches[n-1], batches[n]) {
			n++
		}
		if err := f.arrive(author, batches[:n]); err != nil {
			return err
		}
		batches = batches[n:]
	}
	return nil
}

// followsOn reports whether two batches are of one feed and generation, and do
// nothing but carry entries, both.
func followsOn(a, b feed.Batch) bool {
	return a.Head.ID == b.Head.ID && a.Head.Generation == b.Head.Generation &&
		a.Kept == nil && b.Kept == nil && len(a.Entries) > 0 && len(b.Entries) > 0
}

func (f *Flow) arrive(author directory.Agency, batches []feed.Batch) error {
	first := batches[0]
	if first.Head.Author != author.ID {
		return fmt.Errorf("%w: feed of another author", feed.ErrForged)
	}
	held, state, err := f.place(first.Head.ID)
	switch {
	case err != nil:
		return err
	case first.Head.Generation < state.Generation:
		return fmt.Errorf("%w: generation %d, held %d", feed.ErrStale, first.Head.Generation, state.Generation)
	case first.Kept != nil:
		return f.keep(author, first, state, held)
	case first.Head.Generation > state.Generation && state.Generation > 0:
		if held, err = f.moved(author, first, state); err != nil {
			return err
		}
	case state.Generation == 0:
		held = feed.Start(first.Head.ID, first.Head.Generation)
	}
	if len(first.Entries) == 0 {
		_, err := first.Verify(first.Head.ID, author.Key, held) // as heartbeats are: nothing to write
		return err
	}
	return f.append(author, batches, held)
}

// place is how far a feed is held here. It refuses the feed of who is not an
// active member, or has forked it, or speaks to an audience in which we are not.
func (f *Flow) place(id feed.ID) (held feed.Position, state store.Feed, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		if err := f.mayArrive(tx, id); err != nil {
			return err
		}
		if state, err = tx.Feed(id); errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		held, err = tx.Position(id)
		return err
	})
	return held, state, err
}

func (f *Flow) mayArrive(tx *store.Tx, id feed.ID) error {
	m, err := tx.Member(id.Author)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !m.Active:
		return wire.Refuse(wire.CodeRefused, errors.New("not an active member"))
	case err != nil:
		return err
	case !id.Audience.Admits(f.directory.Load(), id.Author, f.self):
		return exchange.ErrNotForUs
	}
	if forked, err := tx.Forked(id.Author); err != nil || !forked {
		return err
	}
	return errForked
}

// append takes batches that carry on from the position held.
func (f *Flow) append(author directory.Agency, batches []feed.Batch, held feed.Position) error {
	id := batches[0].Head.ID
	at := held
	var entries []feed.Entry
	for _, b := range batches {
		var err error
		if at, err = b.Verify(id, author.Key, at); err != nil {
			return err
		}
		entries = append(entries, b.Entries...)
	}
	err := f.commitWith(f.store.UpdateForeign, func(tx *store.Tx, _ *pen) error {
		if err := f.mayArrive(tx, id); err != nil {
			return err
		}
		if now, err := tx.Position(id); err != nil || now != held && (held.Number > 0 || now != feed.Start(id, 1)) {
			return errors.Join(err, fmt.Errorf("%w: they came on another way meanwhile", feed.ErrStale))
		}
		if err := roomFor(tx, id, exchange.ErrNotForUs); err != nil {
			return err
		}
		if err := tx.PutEntries(id, entries); err != nil {
			return err
		}
		for _, b := range batches {
			if err := tx.PutHead(b.Head); err != nil {
				return err
			}
		}
		return f.meet(tx, id, entries)
	})
	if err == nil {
		f.changes.tell(id.Author)
	}
	return err
}

// meet looks arrived entries up among our identifiers.
func (f *Flow) meet(tx *store.Tx, id feed.ID, entries []feed.Entry) error {
	epochs, err := tx.Epochs()
	if err != nil {
		return err
	}
	withdrawn := map[uint64]bool{}
	for _, e := range entries {
		if e.Kind == feed.Withdraw {
			withdrawn[e.Withdraws()] = true
		}
	}
	of := map[token.Epoch][]feed.Entry{}
	for _, e := range entries {
		// An epoch that matches not is retired; or to come, and then our own tokens
		// will look for it.
		if e.Kind == feed.Announce && epochs.Matches(e.Epoch) && !withdrawn[e.Number] {
			of[e.Epoch] = append(of[e.Epoch], e)
		}
	}
	open := func(id casefile.IdentifierID, e token.Epoch) (match.Own, error) { return f.own(tx, id, e) }
	for _, epoch := range epochs.Match {
		if err := match.Arrived(tx, id, epoch, of[epoch], open, f.now()); err != nil {
			return fmt.Errorf("match entries of %s: %w", id.Author, err)
		}
	}
	return nil
}

// keep takes one step of the move to a later generation: of the entries that
// are held, those that it names stay.
func (f *Flow) keep(author directory.Agency, b feed.Batch, state store.Feed, former feed.Position) error {
	if b.Head.Generation == state.Generation {
		return fmt.Errorf("%w: generation %d is held", feed.ErrStale, b.Head.Generation)
	}
	if len(b.Entries) > 0 && b.Entries[0].Number <= former.Number {
		return fmt.Errorf("%w: entry %d is held, or is gone", feed.ErrForged, b.Entries[0].Number)
	}
	id := b.Head.ID
	return f.commitWith(f.store.UpdateForeign, func(tx *store.Tx, _ *pen) error {
		if err := f.mayArrive(tx, id); err != nil {
			return err
		}
		from := feed.Start(id, b.Head.Generation)
		if m := state.Moving; m != nil && m.Generation == b.Head.Generation {
			from = *m
		}
		held, err := tx.EntriesOf(id, b.Kept)
		if err != nil {
			return err
		}
		to, err := b.VerifyKept(id, author.Key, from, held)
		if err != nil {
			return err
		}
		if err := tx.PutEntries(id, b.Entries); err != nil {
			return err
		}
		all := feed.Batch{Head: b.Head, Kept: feed.RunsOf(append(held, b.Entries...))}
		if err := tx.Move(id, all, from, to); err != nil {
			return err
		}
		return f.meet(tx, id, b.Entries)
	})
}

// moved ends the move to a later generation, as a batch that carries it on
// proves, and returns the position in it.
func (f *Flow) moved(author directory.Agency, b feed.Batch, state store.Feed) (feed.Position, error) {
	id := b.Head.ID
	at := feed.Start(id, b.Head.Generation)
	if m := state.Moving; m != nil && m.Generation == b.Head.Generation {
		at = *m
	}
	if _, err := b.Verify(id, author.Key, at); err != nil {
		return at, err
	}
	err := f.store.UpdateForeign(func(tx *store.Tx) error {
		if err := f.mayArrive(tx, id); err != nil {
			return err
		}
		if m := state.Moving; m == nil || *m != at {
			empty := feed.Batch{Head: feed.Head{ID: id, Position: at}}
			if err := tx.Move(id, empty, at, at); err != nil {
				return err
			}
		}
		return tx.Moved(id)
	})
	if err == nil {
		f.changes.tell(id.Author)
	}
	return at, err
}
