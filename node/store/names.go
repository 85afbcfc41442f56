package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// feedNumber stands for a feed in the keys of the large tables: a number for the
// author, and one for the audience among the author's; 0 is every member.
type feedNumber struct {
	author   uint32
	audience uint16
}

// names is every number that was given. Numbers are never given twice, and what is
// reachable for other goroutines is never changed.
type names struct {
	authors   map[directory.AgencyID]uint32
	feeds     map[feed.ID]feedNumber
	audiences map[feedNumber]directory.Audience
	given     map[uint32]uint16 // the last audience of an author
}

// errNumbers refuses more audiences of one author than have a number.
var errNumbers = errors.New("too many audiences of one author")

func newNames() *names {
	return &names{
		authors: map[directory.AgencyID]uint32{}, feeds: map[feed.ID]feedNumber{},
		audiences: map[feedNumber]directory.Audience{}, given: map[uint32]uint16{},
	}
}

func (n *names) clone() *names {
	return &names{maps.Clone(n.authors), maps.Clone(n.feeds), maps.Clone(n.audiences), maps.Clone(n.given)}
}

func (n *names) add(id feed.ID, f feedNumber) {
	n.authors[id.Author] = f.author
	n.feeds[id], n.audiences[f] = f, id.Audience
	n.given[f.author] = max(n.given[f.author], f.audience)
}

// readNames fills the numbers from the disk.
func (s *Store) readNames(tx *Tx) error {
	list := newNames()
	prefix := []byte{tableName}
	err := tx.scan(prefix, prefix, func(k, v []byte) error {
		author, audience, ok := bytes.Cut(k[1:], []byte{0})
		if !ok || len(v) != 6 {
			return fmt.Errorf("record in table %q: %d bytes", tableName, len(v))
		}
		a, err := directory.ParseAudience(string(audience))
		if err != nil {
			return fmt.Errorf("record in table %q: %w", tableName, err)
		}
		id := feed.ID{Author: directory.AgencyID(author), Audience: a}
		list.add(id, feedNumber{binary.BigEndian.Uint32(v), binary.BigEndian.Uint16(v[4:])})
		return nil
	})
	s.names.Store(list)
	if _, ok := list.authors[""]; ok && s.ours != "" {
		return errors.Join(err, errAgency)
	}
	return err
}

// isOurs reports whether a feed is known to be one of this agency.
func (tx *Tx) isOurs(f feedNumber) bool {
	n, ok := tx.authorOf(tx.s.ours)
	return ok && tx.s.ours != "" && n == f.author
}

func (tx *Tx) numbers() *names {
	if tx.names == nil {
		tx.names = tx.s.names.Load()
	}
	return tx.names
}

// authorOf is the number of an author, and whether it has one.
func (tx *Tx) authorOf(author directory.AgencyID) (uint32, bool) {
	n, ok := tx.numbers().authors[author]
	return n, ok
}

// numberOf is the number of a feed, and whether it has one.
func (tx *Tx) numberOf(id feed.ID) (feedNumber, bool) {
	f, ok := tx.numbers().feeds[id]
	return f, ok
}

// audienceOf is the audience with a number.
func (tx *Tx) audienceOf(f feedNumber) (directory.Audience, error) {
	a, ok := tx.numbers().audiences[f]
	if !ok {
		return a, fmt.Errorf("audience %d of author %d has no name", f.audience, f.author)
	}
	return a, nil
}

// giveNumber is the number of a feed, which is given one if it has none.
func (tx *Tx) giveNumber(id feed.ID) (feedNumber, error) {
	f, ok := tx.numberOf(id)
	if ok {
		return f, nil
	}
	if f.author, ok = tx.authorOf(id.Author); !ok {
		f.author = uint32(len(tx.names.authors) + 1)
	}
	everyone := feed.ID{Author: id.Author}
	if !ok && id != everyone {
		if err := tx.setName(everyone, f); err != nil {
			return f, err
		}
	}
	if id != everyone {
		last := tx.names.given[f.author]
		if last == math.MaxUint16 {
			return f, fmt.Errorf("%w: %s", errNumbers, id.Author)
		}
		f.audience = last + 1
	}
	return f, tx.setName(id, f)
}

func (tx *Tx) setName(id feed.ID, f feedNumber) error {
	if !tx.named {
		tx.names, tx.named = tx.numbers().clone(), true
	}
	tx.names.add(id, f)
	v := binary.BigEndian.AppendUint32(nil, f.author)
	return tx.set(key(tableName, name(id.Author), []byte(id.Audience.String())), binary.BigEndian.AppendUint16(v, f.audience))
}

// giveAuthor is the number of an author, who is given one without any.
func (tx *Tx) giveAuthor(author directory.AgencyID) (uint32, error) {
	f, err := tx.giveNumber(feed.ID{Author: author})
	return f.author, err
}
