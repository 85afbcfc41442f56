package node

import (
	"errors"
	"fmt"
	"sync"

	"interlock/node/exchange"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// changes wakes those who wait for a feed of an author to grow or move.
type changes struct {
	mu sync.Mutex
	of map[directory.AgencyID]chan struct{} // owned by mu; closed and dropped at a change
}

func (c *changes) wait(author directory.AgencyID) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[directory.AgencyID]chan struct{}{}
	}
	if c.of[author] == nil {
		c.of[author] = make(chan struct{})
	}
	return c.of[author]
}

func (c *changes) tell(author directory.AgencyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.of[author]; ch != nil {
		close(ch)
		delete(c.of, author)
	}
}

// tellAll wakes everybody: who may have what has changed.
func (c *changes) tellAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.of {
		close(ch)
	}
	clear(c.of)
}

// Changed returns a channel that is closed when a feed of author held here has
// grown or moved.
func (f *Flow) Changed(author directory.AgencyID) <-chan struct{} { return f.changes.wait(author) }

// signedAtOnce is how many heads are signed again in one transaction.
const signedAtOnce = 1024

// Begin makes our own feeds ready to be served: the one for every member is signed
// before its first entry, and those that were signed with a former key are signed
// again. The last head comes last, so that it says whether that was done to the end.
func (f *Flow) Begin() error {
	var own []store.Feed
	err := f.store.Update(func(tx *store.Tx) (err error) {
		everyone := feed.ID{Author: f.self}
		if _, err := tx.Feed(everyone); errors.Is(err, store.ErrNotFound) {
			err = tx.PutHead(feed.Empty(everyone, 1, f.key))
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		own, err = tx.Feeds(f.self)
		return err
	})
	if err != nil {
		return err
	}
	for _, o := range own {
		if err := f.signAgain(o); err != nil {
			return fmt.Errorf("sign our feed with the new key: %w", err)
		}
	}
	return nil
}

// signAgain signs the heads of a feed, and of the generation that it is moving to,
// unless they are under our key.
func (f *Flow) signAgain(s store.Feed) error {
	var ends []feed.Position
	err := f.store.View(func(tx *store.Tx) error {
		at, err := tx.Position(s.ID)
		if ends = append(ends, at); s.Moving != nil {
			ends = append(ends, *s.Moving)
		}
		return err
	})
	for _, end := range ends {
		err = errors.Join(err, f.signUpTo(s.ID, end))
	}
	return err
}

func (f *Flow) signUpTo(id feed.ID, end feed.Position) error {
	last, ok, err := f.HeadAt(id, end.Generation, end.Number)
	if err != nil || !ok || last.Verified(wire.PeerOf(f.key)) {
		return err
	}
	for from := uint64(0); err == nil && from <= end.Number; {
		err = f.store.Update(func(tx *store.Tx) error {
			heads, err := tx.Heads(id, end.Generation, from, signedAtOnce)
			if err != nil {
				return err
			}
			from = end.Number + 1
			for _, h := range heads {
				if err := tx.PutHead(feed.Sign(id, f.key, h.Position)); err != nil {
					return err
				}
				if h.Number < end.Number {
					from = h.Number + 1
				}
			}
			return nil
		})
	}
	return err
}

// Servable are the feeds of author that are held here whole, and that reader is
// in the audience of.
func (f *Flow) Servable(author, reader directory.AgencyID) (list []exchange.Held, err error) {
	d := f.directory.Load()
	err = f.held(author, func(tx *store.Tx, s store.Feed) error {
		if s.Moving != nil || !s.ID.Audience.Admits(d, author, reader) {
			return nil
		}
		at, err := tx.Position(s.ID)
		list = append(list, exchange.Held{ID: s.ID, Position: at})
		return err
	})
	return list, err
}

// Holds is how far the feeds of author are held here, as their subscriber.
func (f *Flow) Holds(author directory.AgencyID) (list []exchange.Held, err error) {
	d := f.directory.Load()
	err = f.held(author, func(tx *store.Tx, s store.Feed) error {
		if !s.ID.Audience.Admits(d, author, f.self) {
			return nil
		}
		at, err := tx.Position(s.ID)
		h := exchange.Held{ID: s.ID, Position: at}
		if s.Moving != nil {
			h.Position, h.Former = *s.Moving, at.Number
		}
		list = append(list, h)
		return err
	})
	return list, err
}

// held calls do with each feed of author that is held here, by audience.
func (f *Flow) held(author directory.AgencyID, do func(*store.Tx, store.Feed) error) error {
	return f.store.View(func(tx *store.Tx) error {
		feeds, err := tx.Feeds(author)
		if err != nil {
			return err
		}
		for _, s := range feeds {
			if err := do(tx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// HeadAt is the head that a feed's author signed at a number of a generation.
func (f *Flow) HeadAt(id feed.ID, generation uint32, n uint64) (h feed.Head, ok bool, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		h, err = tx.HeadAt(id, generation, n)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return feed.Head{}, false, nil
	}
	return h, err == nil, err
}

// Batch is what follows since in a feed, up to one batch.
func (f *Flow) Batch(id feed.ID, since uint64) (b feed.Batch, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		b, err = tx.Batch(id, since)
		return err
	})
	return unlessMoving(b, err)
}

// KeptBatch says which entries of a feed after since are of its generation.
func (f *Flow) KeptBatch(id feed.ID, since, until uint64) (b feed.Batch, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		b, err = tx.KeptBatch(id, since, until)
		return err
	})
	return unlessMoving(b, err)
}

// unlessMoving is nothing of a feed that has just begun to move.
func unlessMoving(b feed.Batch, err error) (feed.Batch, error) {
	if errors.Is(err, store.ErrMoving) {
		return feed.Batch{}, nil
	}
	return b, err
}
