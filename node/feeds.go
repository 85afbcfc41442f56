package node

import (
	"errors"
	"fmt"

	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// signedAtOnce is how many heads are signed again in one transaction.
const signedAtOnce = 1024

// Begin makes our own feed ready to be served: the empty one is signed before the
// first entry, and one that was signed with a former key is signed again. The
// last head comes last, so that it says whether that was done to the end.
func (f *Flow) Begin() error {
	var last feed.Head
	err := f.store.Update(func(tx *store.Tx) (err error) {
		if last, err = tx.Head(f.self); errors.Is(err, store.ErrNotFound) {
			last = feed.Empty(f.self, f.key)
			return tx.PutHead(last)
		}
		return err
	})
	key := wire.PeerOf(f.key)
	if err != nil || last.Verified(key) {
		return err
	}
	for from := uint64(0); from <= last.Number; {
		err := f.store.Update(func(tx *store.Tx) error {
			heads, err := tx.Heads(f.self, from, signedAtOnce)
			if err != nil {
				return err
			}
			for _, h := range heads {
				if err := tx.PutHead(feed.Sign(f.self, f.key, h.Position)); err != nil {
					return err
				}
				from = h.Number + 1
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("sign our feed with the new key: %w", err)
		}
	}
	return nil
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
