package node

import (
	"encoding/binary"
	"errors"

	"interlock/node/store"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// A feed is compacted once something in it was purged: a new generation begins
// without what was withdrawn until then. The numbers stay, and the last entry
// stays whatever it is, so that no number is given twice.
const (
	metaPurged  = "purged in "        // with an audience: set while a compaction is wished
	metaCompact = "compacting up to " // with an audience: the number up to which withdrawals count in the one under way
)

// forget asks that our feeds forget what was withdrawn from them: not only those from
// which an identifier is withdrawn now, since it may have been in others before.
func (p *pen) forget() error {
	feeds, err := p.tx.Feeds(p.f.self)
	for _, s := range feeds {
		err = errors.Join(err, p.tx.PutMeta(metaPurged+s.ID.Audience.String(), []byte{1}))
	}
	return err
}

// compaction is one that is under way.
type compaction struct {
	feed  store.Feed
	until uint64
	gone  map[uint64]bool // entries that the new generation leaves out
}

// Compact takes one step: it begins a compaction that is wished, or carries one
// on, and reports whether there is more to do. Every step can be repeated after a
// crash.
func (f *Flow) Compact() (more bool, err error) {
	feeds, err := f.ownFeeds()
	if err != nil {
		return false, err
	}
	for _, s := range feeds {
		c, err := f.underWay(s)
		if err != nil {
			return false, err
		}
		if c == nil {
			continue
		}
		for moved := false; !moved; {
			if moved, err = f.step(c); err != nil {
				return false, err
			}
		}
		f.changes.tell(f.self)
		more = true
	}
	return more, nil
}

func (f *Flow) ownFeeds() (list []store.Feed, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		list, err = tx.Feeds(f.self)
		return err
	})
	return list, err
}

// underWay returns the compaction of a feed, begun now if one is wished and there
// is something to leave out; nil if there is none.
func (f *Flow) underWay(s store.Feed) (*compaction, error) {
	c := &compaction{feed: s}
	audience := s.ID.Audience.String()
	began := false
	err := f.store.View(func(tx *store.Tx) error {
		b, err := tx.Meta(metaCompact + audience)
		if err == nil {
			c.until, began = binary.BigEndian.Uint64(b), true
			return nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if _, err := tx.Meta(metaPurged + audience); err != nil {
			return err
		}
		at, err := tx.Position(s.ID)
		c.until = at.Number
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if c.gone, err = f.withdrawn(s.ID, c.until); err != nil || began {
		return c, err
	}
	if len(c.gone) == 0 {
		return nil, f.store.Update(func(tx *store.Tx) error { return tx.DeleteMeta(metaPurged + audience) })
	}
	return c, f.store.Update(func(tx *store.Tx) error {
		if err := tx.DeleteMeta(metaPurged + audience); err != nil {
			return err
		}
		empty := feed.Batch{Head: feed.Empty(s.ID, s.Generation+1, f.key)}
		return errors.Join(
			tx.PutMeta(metaCompact+audience, binary.BigEndian.AppendUint64(nil, c.until)),
			tx.Move(s.ID, empty, empty.Head.Position, empty.Head.Position))
	})
}

// scannedAtOnce is how many of our entries are read at once.
const scannedAtOnce = 8192

// withdrawn are the entries up to a number that a new generation leaves out: those
// that were withdrawn, and their withdrawals.
func (f *Flow) withdrawn(id feed.ID, until uint64) (map[uint64]bool, error) {
	gone := map[uint64]bool{}
	for after := uint64(0); after < until; {
		err := f.store.View(func(tx *store.Tx) error {
			list, err := tx.EntriesAfter(id, after, scannedAtOnce)
			if err != nil || len(list) == 0 {
				after = until
				return err
			}
			for _, e := range list {
				after = e.Number
				if e.Kind == feed.Withdraw && e.Number <= until {
					gone[e.Withdraws()], gone[e.Number] = true, true
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	delete(gone, until) // the numbers go on from it
	return gone, nil
}

// step signs the next head of the new generation, or ends the compaction.
func (f *Flow) step(c *compaction) (done bool, err error) {
	id := c.feed.ID
	err = f.store.Update(func(tx *store.Tx) error {
		s, err := tx.Feed(id)
		if err != nil {
			return err
		}
		at, err := tx.Position(id)
		if err != nil {
			return err
		}
		from := *s.Moving
		if from.Number == at.Number {
			done = true
			return errors.Join(tx.Moved(id), tx.DeleteMeta(metaCompact+id.Audience.String()))
		}
		kept, err := c.keep(tx, from.Number, at.Number)
		if err != nil {
			return err
		}
		w := feed.NewWriter(id, f.key, from)
		for _, e := range kept {
			w.Keep(e)
		}
		b := feed.Batch{Kept: feed.RunsOf(kept), Head: w.Close()[0]}
		return tx.Move(id, b, from, w.At())
	})
	return done, err
}

// keep reads the next entries that stay, up to one batch.
func (c *compaction) keep(tx *store.Tx, after, last uint64) (kept []feed.Entry, err error) {
	for after < last && len(kept) < wire.MaxBatch {
		list, err := tx.EntriesAfter(c.feed.ID, after, scannedAtOnce)
		if err != nil || len(list) == 0 {
			return kept, err
		}
		for _, e := range list {
			if len(kept) == wire.MaxBatch {
				break
			}
			if after = e.Number; !c.gone[e.Number] {
				kept = append(kept, e)
			}
		}
	}
	return kept, nil
}
