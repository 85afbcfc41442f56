package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// Feed is what is held of a feed: a generation, and where it is being moved to a
// later one, the position reached in that. Entries up to the former generation's
// head are still held then.
type Feed struct {
	ID         feed.ID
	Generation uint32
	Moving     *feed.Position
}

// storedFeed is a Feed on the disk.
type storedFeed struct {
	Generation uint32
	Moving     *feed.Position `json:",omitempty"`
	Revived    bool           `json:",omitempty"` // see dropping.drop
}

func (tx *Tx) storedFeed(id feed.ID) (storedFeed, feedNumber, error) {
	f, ok := tx.numberOf(id)
	if !ok {
		return storedFeed{}, f, ErrNotFound
	}
	s, err := getJSON[storedFeed](tx, key(tableFeed, f.part()))
	return s, f, err
}

// Feed returns what is held of a feed; ErrNotFound if nothing ever was.
func (tx *Tx) Feed(id feed.ID) (Feed, error) {
	s, _, err := tx.storedFeed(id)
	return Feed{id, s.Generation, s.Moving}, err
}

// Feeds returns the feeds of author that are held, by audience.
func (tx *Tx) Feeds(author directory.AgencyID) ([]Feed, error) {
	n, ok := tx.authorOf(author)
	if !ok {
		return nil, nil
	}
	prefix := key(tableFeed, number32(n))
	var list []Feed
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		a, err := tx.audienceOf(feedNumber{n, binary.BigEndian.Uint16(k[len(prefix):])})
		if err != nil {
			return err
		}
		f, err := tx.Feed(feed.ID{Author: author, Audience: a})
		list = append(list, f)
		return err
	})
	slices.SortFunc(list, func(a, b Feed) int {
		return strings.Compare(a.ID.Audience.String(), b.ID.Audience.String())
	})
	return list, err
}

// Position is how far this node has a feed, its own included, in the generation
// that is complete here.
func (tx *Tx) Position(id feed.ID) (feed.Position, error) {
	f, err := tx.Feed(id)
	if errors.Is(err, ErrNotFound) {
		return feed.Start(id, 1), nil
	}
	if err != nil {
		return feed.Position{}, err
	}
	h, err := tx.Head(id)
	if errors.Is(err, ErrNotFound) {
		return feed.Start(id, f.Generation), nil
	}
	return h.Position, err
}

// headKeys is the prefix of the heads of a generation.
func headKeys(f feedNumber, generation uint32) []byte {
	return key(tableHead, f.part(), number32(generation))
}

// Head returns the last signed head held of the generation that is complete
// here, or ErrNotFound.
func (tx *Tx) Head(id feed.ID) (feed.Head, error) {
	s, f, err := tx.storedFeed(id)
	if err != nil {
		return feed.Head{}, err
	}
	prefix := headKeys(f, s.Generation)
	k, v, err := tx.last(prefix)
	if err != nil {
		return feed.Head{}, err
	}
	return feed.DecodeHead(id, s.Generation, binary.BigEndian.Uint64(k[len(prefix):]), v)
}

// HeadAt returns the head signed at a number of a generation, or ErrNotFound.
func (tx *Tx) HeadAt(id feed.ID, generation uint32, n uint64) (feed.Head, error) {
	f, ok := tx.numberOf(id)
	if !ok {
		return feed.Head{}, ErrNotFound
	}
	v, err := tx.get(append(headKeys(f, generation), number(n)...))
	if err != nil {
		return feed.Head{}, err
	}
	return feed.DecodeHead(id, generation, n, v)
}

// Heads returns up to limit heads of a generation, from a number on.
func (tx *Tx) Heads(id feed.ID, generation uint32, from uint64, limit int) ([]feed.Head, error) {
	f, ok := tx.numberOf(id)
	if !ok {
		return nil, nil
	}
	prefix := headKeys(f, generation)
	var list []feed.Head
	err := tx.scan(prefix, append(slices.Clip(prefix), number(from)...), func(k, v []byte) error {
		if len(list) == limit {
			return errStop
		}
		h, err := feed.DecodeHead(id, generation, binary.BigEndian.Uint64(k[len(prefix):]), v)
		list = append(list, h)
		return err
	})
	return list, err
}

// PutHead keeps a signed head. A feed of which nothing was held is held from now
// on, in the head's generation.
func (tx *Tx) PutHead(h feed.Head) error {
	f, err := tx.giveNumber(h.ID)
	if err != nil {
		return err
	}
	known, err := tx.has(key(tableFeed, f.part()))
	if err != nil {
		return err
	}
	if !known {
		if err := setJSON(tx, key(tableFeed, f.part()), storedFeed{Generation: h.Generation}); err != nil {
			return fmt.Errorf("feed of %s: %w", h.Author, err)
		}
	}
	return tx.set(append(headKeys(f, h.Generation), number(h.Number)...), h.Encode())
}
