package store

import (
	"encoding/binary"
	"errors"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// Position is how far this node has the feed of author, its own included.
func (tx *Tx) Position(author directory.AgencyID) (feed.Position, error) {
	h, err := tx.Head(author)
	if errors.Is(err, ErrNotFound) {
		return feed.Start(author), nil
	}
	return h.Position, err
}

// Head returns the last signed head held of author's feed, or ErrNotFound.
func (tx *Tx) Head(author directory.AgencyID) (feed.Head, error) {
	prefix := key(tableHead, name(author))
	k, v, err := tx.last(prefix)
	if err != nil {
		return feed.Head{}, err
	}
	return feed.DecodeHead(author, binary.BigEndian.Uint64(k[len(prefix):]), v)
}

// HeadAt returns the head that author signed at a number, or ErrNotFound.
func (tx *Tx) HeadAt(author directory.AgencyID, n uint64) (feed.Head, error) {
	v, err := tx.get(key(tableHead, name(author), number(n)))
	if err != nil {
		return feed.Head{}, err
	}
	return feed.DecodeHead(author, n, v)
}

// Heads returns up to limit heads that author signed, from a number on.
func (tx *Tx) Heads(author directory.AgencyID, from uint64, limit int) ([]feed.Head, error) {
	prefix := key(tableHead, name(author))
	var list []feed.Head
	err := tx.scan(prefix, key(tableHead, name(author), number(from)), func(k, v []byte) error {
		if len(list) == limit {
			return errStop
		}
		h, err := feed.DecodeHead(author, binary.BigEndian.Uint64(k[len(prefix):]), v)
		list = append(list, h)
		return err
	})
	return list, err
}

// PutHead keeps a signed head.
func (tx *Tx) PutHead(h feed.Head) error {
	tx.grown = true
	return tx.set(key(tableHead, name(h.Author), number(h.Number)), h.Encode())
}

// Grown reports whether a feed has grown in this transaction.
func (tx *Tx) Grown() bool { return tx.grown }

// PutEntry keeps an entry of author's feed and finds it by its tag from now
// on. Where an author uses a tag twice the first entry stands, and PutEntry
// reports that this one is not it.
func (tx *Tx) PutEntry(author directory.AgencyID, e feed.Entry) (first bool, err error) {
	if err := tx.set(key(tableEntry, name(author), number(e.Number)), e.Encode()); err != nil {
		return false, err
	}
	tagged := taggedKey(tableTagged, author, e.Epoch, e.Tag)
	if used, err := tx.has(tagged); err != nil || used {
		return false, err
	}
	return true, tx.set(tagged, number(e.Number))
}

func taggedKey(table byte, author directory.AgencyID, e token.Epoch, t token.Tag) []byte {
	return key(table, name(author), binary.BigEndian.AppendUint32(nil, uint32(e)), t[:])
}

// Entry returns one entry of a feed, or ErrNotFound.
func (tx *Tx) Entry(author directory.AgencyID, n uint64) (feed.Entry, error) {
	v, err := tx.get(key(tableEntry, name(author), number(n)))
	if err != nil {
		return feed.Entry{}, err
	}
	return feed.Decode(v)
}

// EntryTagged returns the entry in which author announced a tag, and whether
// there is one.
func (tx *Tx) EntryTagged(author directory.AgencyID, e token.Epoch, t token.Tag) (feed.Entry, bool, error) {
	v, err := tx.get(taggedKey(tableTagged, author, e, t))
	if errors.Is(err, ErrNotFound) {
		return feed.Entry{}, false, nil
	}
	if err != nil {
		return feed.Entry{}, false, err
	}
	entry, err := tx.Entry(author, binary.BigEndian.Uint64(v))
	return entry, err == nil, err
}

// Batch returns the entries of author's feed after since, up to the furthest
// signed head that fits in one batch; without entries where since is the end.
// ErrNotFound means that no head was signed at all.
func (tx *Tx) Batch(author directory.AgencyID, since uint64) (feed.Batch, error) {
	prefix := key(tableHead, name(author))
	end := feed.Head{}
	found := false
	err := tx.scan(prefix, key(tableHead, name(author), number(since)), func(k, v []byte) error {
		n := binary.BigEndian.Uint64(k[len(prefix):])
		if n > since+wire.MaxBatch {
			return errStop
		}
		h, err := feed.DecodeHead(author, n, v)
		end, found = h, err == nil
		return err
	})
	if err != nil || !found {
		return feed.Batch{}, errors.Join(err, notFoundUnless(found))
	}
	b := feed.Batch{Head: end, Entries: make([]feed.Entry, 0, end.Number-since)}
	prefix = key(tableEntry, name(author))
	err = tx.scan(prefix, key(tableEntry, name(author), number(since+1)), func(_, v []byte) error {
		e, err := feed.Decode(v)
		if err != nil {
			return err
		}
		if e.Number > end.Number {
			return errStop
		}
		b.Entries = append(b.Entries, e)
		return nil
	})
	return b, err
}

func notFoundUnless(found bool) error {
	if found {
		return nil
	}
	return ErrNotFound
}
