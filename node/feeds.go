package node

import (
	"errors"

	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// Begin signs the empty feed, so that it can be served before the first entry.
func (f *Flow) Begin() error {
	return f.store.Update(func(tx *store.Tx) error {
		if _, err := tx.Head(f.self); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return tx.PutHead(feed.Empty(f.self, f.key))
	})
}

// Head is the last signed head held of a feed.
func (f *Flow) Head(author directory.AgencyID) (feed.Head, bool, error) {
	return f.head(func(tx *store.Tx) (feed.Head, error) { return tx.Head(author) })
}

// HeadAt is the head that author signed at a number.
func (f *Flow) HeadAt(author directory.AgencyID, n uint64) (feed.Head, bool, error) {
	return f.head(func(tx *store.Tx) (feed.Head, error) { return tx.HeadAt(author, n) })
}

func (f *Flow) head(get func(*store.Tx) (feed.Head, error)) (h feed.Head, ok bool, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		h, err = get(tx)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return feed.Head{}, false, nil
	}
	return h, err == nil, err
}

// Batch is what follows since in a feed, up to one batch.
func (f *Flow) Batch(author directory.AgencyID, since uint64) (b feed.Batch, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		if b, err = tx.Batch(author, since); err != nil {
			return err
		}
		end, err := tx.Head(author)
		b.Last = end.Number
		return err
	})
	return b, err
}
