package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// Standing is where an identifier of ours is announced: the audience of our own
// feed, the epoch of the tag, and the number of the entry.
type Standing struct {
	Audience directory.Audience
	Epoch    token.Epoch
	Number   uint64
}

// ourAudience is the number of an audience of our own feeds. Where the agency is
// not known they are those of an author without a name.
func (tx *Tx) ourAudience(a directory.Audience) ([]byte, error) {
	f, err := tx.giveNumber(feed.ID{Author: tx.s.ours, Audience: a})
	return binary.BigEndian.AppendUint16(nil, f.audience), err
}

// ourKey is a key of a table that has something for each audience of ours; without
// one if nothing was ever written for the audience.
func (tx *Tx) ourKey(table byte, reader directory.AgencyID, a directory.Audience) ([]byte, error) {
	f, ok := tx.numberOf(feed.ID{Author: tx.s.ours, Audience: a})
	if !ok {
		return nil, ErrNotFound
	}
	return key(table, name(reader), binary.BigEndian.AppendUint16(nil, f.audience)), nil
}

func (tx *Tx) standingKey(id casefile.IdentifierID, s Standing) ([]byte, error) {
	a, err := tx.ourAudience(s.Audience)
	return key(tableStanding, number(uint64(id)), a, number32(s.Epoch)), err
}

// Standing returns where an identifier is announced.
func (tx *Tx) Standing(id casefile.IdentifierID) ([]Standing, error) {
	ours, ok := tx.authorOf(tx.s.ours)
	if !ok {
		return nil, nil
	}
	prefix := key(tableStanding, number(uint64(id)))
	var list []Standing
	err := tx.scan(prefix, prefix, func(k, v []byte) error {
		k = k[len(prefix):]
		if len(k) != 6 || len(v) != 8 {
			return fmt.Errorf("record in table %q: %d bytes", tableStanding, len(v))
		}
		a, err := tx.audienceOf(feedNumber{ours, binary.BigEndian.Uint16(k)})
		list = append(list, Standing{a, token.Epoch(binary.BigEndian.Uint32(k[2:])), binary.BigEndian.Uint64(v)})
		return err
	})
	return list, err
}

// PutStanding records where an identifier is announced; one place for each
// audience and epoch.
func (tx *Tx) PutStanding(id casefile.IdentifierID, s Standing) error {
	k, err := tx.standingKey(id, s)
	if err != nil {
		return err
	}
	return tx.set(k, number(s.Number))
}

// DropStanding records that an identifier is announced there no more.
func (tx *Tx) DropStanding(id casefile.IdentifierID, s Standing) error {
	k, err := tx.standingKey(id, s)
	if err != nil {
		return err
	}
	return tx.delete(k)
}

// Acknowledge records that a member has our feed up to a number of a generation.
// What lies before what it has acknowledged already changes nothing.
func (tx *Tx) Acknowledge(reader directory.AgencyID, a directory.Audience, generation uint32, n uint64) error {
	g, have, err := tx.Acknowledged(reader, a)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && cmp.Or(cmp.Compare(generation, g), cmp.Compare(n, have)) <= 0 {
		return nil
	}
	audience, err := tx.ourAudience(a)
	if err != nil {
		return err
	}
	return tx.set(key(tableAcked, name(reader), audience), append(number32(generation), number(n)...))
}

// Acknowledged returns how far a member has acknowledged our feed, or ErrNotFound.
func (tx *Tx) Acknowledged(reader directory.AgencyID, a directory.Audience) (generation uint32, n uint64, err error) {
	k, err := tx.ourKey(tableAcked, reader, a)
	if err != nil {
		return 0, 0, err
	}
	v, err := tx.get(k)
	if err != nil {
		return 0, 0, err
	}
	if len(v) != 12 {
		return 0, 0, fmt.Errorf("record in table %q: %d bytes", tableAcked, len(v))
	}
	return binary.BigEndian.Uint32(v), binary.BigEndian.Uint64(v[4:]), nil
}

// PutReceipt keeps the last receipt that a member signed for our feed.
func (tx *Tx) PutReceipt(reader directory.AgencyID, a directory.Audience, b []byte) error {
	audience, err := tx.ourAudience(a)
	if err != nil {
		return err
	}
	return tx.set(key(tableReceipt, name(reader), audience), b)
}

// Receipt returns the last receipt that a member signed for our feed, or
// ErrNotFound.
func (tx *Tx) Receipt(reader directory.AgencyID, a directory.Audience) ([]byte, error) {
	k, err := tx.ourKey(tableReceipt, reader, a)
	if err != nil {
		return nil, err
	}
	return tx.get(k)
}
