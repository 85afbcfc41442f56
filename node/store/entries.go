package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"interlock/crypto/token"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// encodeEntry is an entry as a row keeps it: the number is in the key, and of a
// withdrawal there is nothing but what it withdraws.
func encodeEntry(b []byte, e feed.Entry) []byte {
	b = append(b, byte(e.Kind))
	b = binary.AppendUvarint(b, uint64(e.Epoch))
	if e.Kind == feed.Withdraw {
		return binary.AppendUvarint(b, e.Withdraws())
	}
	b = append(b, e.Tag[:]...)
	return append(b, e.Pointer[:]...)
}

// decodeEntry parses what encodeEntry wrote.
func decodeEntry(n uint64, v []byte) (feed.Entry, error) {
	wrong := fmt.Errorf("record in table %q: entry %d of %d bytes", tableEntry, n, len(v))
	if len(v) < 2 {
		return feed.Entry{}, wrong
	}
	e := feed.Entry{Number: n, Kind: feed.Kind(v[0])}
	epoch, size := binary.Uvarint(v[1:])
	if size <= 0 || epoch == 0 || epoch > math.MaxUint32 || size > 1 && v[size] == 0 {
		return e, wrong
	}
	e.Epoch = token.Epoch(epoch)
	rest := v[1+size:]
	switch {
	case e.Kind == feed.Announce && len(rest) == len(e.Tag)+len(e.Pointer):
		e.Tag = token.Tag(rest[:len(e.Tag)])
		copy(e.Pointer[:], rest[len(e.Tag):])
		return e, nil
	case e.Kind == feed.Withdraw:
		of, size := binary.Uvarint(rest)
		if size != len(rest) || of == 0 || of >= n || size > 1 && rest[size-1] == 0 {
			return e, wrong
		}
		return feed.Entry{Number: of, Epoch: e.Epoch}.Withdrawal(n), nil
	}
	return e, wrong
}

// reference is a reference that is to be written to a row of tableTagged.
type reference struct {
	tagKey
	ref
}

// referTo is that e, an announcement of feed f, stands, or stands no more.
func referTo(f feedNumber, e feed.Entry, gone bool) reference {
	return reference{keyOfTag(tableTagged, f.author, e.Epoch, e.Tag), ref{e.Number, f.audience, gone}}
}

// PutEntries keeps entries of a feed, in the order of their numbers. Announcements
// of others are found by their tags from now on, until they are withdrawn, but for
// those of epochs that match no more. A withdrawal of nothing that stands is kept
// and does nothing.
func (tx *Tx) PutEntries(id feed.ID, list []feed.Entry) error {
	f, err := tx.giveNumber(id)
	if err != nil {
		return err
	}
	for i := 1; i < len(list); i++ {
		if list[i].Number <= list[i-1].Number {
			return fmt.Errorf("%w: entry %d after %d", feed.ErrGap, list[i].Number, list[i-1].Number)
		}
	}
	refs, err := tx.references(id, f, list)
	if err != nil {
		return err
	}
	var v [feed.EntrySize]byte
	for _, e := range list {
		if err := tx.set(entryKey(f, e.Number), encodeEntry(v[:0], e)); err != nil {
			return err
		}
	}
	return tx.referAll(refs)
}

// references are what entries change in the tags that stand.
func (tx *Tx) references(id feed.ID, f feedNumber, list []feed.Entry) ([]reference, error) {
	if tx.isOurs(f) {
		return nil, nil
	}
	epochs, err := tx.Epochs()
	if err != nil {
		return nil, err
	}
	refs := make([]reference, 0, len(list))
	for i, e := range list {
		of, gone := e, e.Kind == feed.Withdraw
		if gone {
			of, err = tx.withdrawn(id, list[:i], e)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		if of.Kind == feed.Announce && !epochs.retired(of.Epoch) {
			refs = append(refs, referTo(f, of, gone))
		}
	}
	return refs, nil
}

// withdrawn is the entry that e withdraws, among those before it or on the disk.
func (tx *Tx) withdrawn(id feed.ID, before []feed.Entry, e feed.Entry) (feed.Entry, error) {
	if of, ok := numbered(before, e.Withdraws()); ok {
		return of, nil
	}
	return tx.Entry(id, e.Withdraws())
}

// numbered is the entry with a number in an ascending list.
func numbered(list []feed.Entry, n uint64) (feed.Entry, bool) {
	i, ok := slices.BinarySearchFunc(list, n, func(e feed.Entry, n uint64) int { return cmp.Compare(e.Number, n) })
	if !ok {
		return feed.Entry{}, false
	}
	return list[i], true
}

func compareReferences(a, b reference) int { return slices.Compare(a.tagKey[:], b.tagKey[:]) }

// referAll writes references, in the order of their keys; of one key, in the
// order given.
func (tx *Tx) referAll(refs []reference) error {
	slices.SortStableFunc(refs, compareReferences)
	for _, r := range refs {
		if err := tx.refer(r.tagKey, r.ref); err != nil {
			return err
		}
	}
	return nil
}

// Entry returns one entry of a feed, or ErrNotFound.
func (tx *Tx) Entry(id feed.ID, n uint64) (feed.Entry, error) {
	f, ok := tx.numberOf(id)
	if !ok {
		return feed.Entry{}, ErrNotFound
	}
	return tx.entry(f, n)
}

func (tx *Tx) entry(f feedNumber, n uint64) (feed.Entry, error) {
	r, err := tx.reader(tableEntry)
	if err != nil {
		return feed.Entry{}, err
	}
	return readEntry(r, f, n)
}

func readEntry(r pebble.Reader, f feedNumber, n uint64) (feed.Entry, error) {
	v, err := getFrom(r, entryKey(f, n))
	if err != nil {
		return feed.Entry{}, err
	}
	return decodeEntry(n, v)
}

// entries calls each with the entries of a feed from one number to another.
func (tx *Tx) entries(f feedNumber, from, to uint64, each func(feed.Entry) error) error {
	r, err := tx.reader(tableEntry)
	if err != nil {
		return err
	}
	return readEntries(r, f, from, to, each)
}

func readEntries(r pebble.Reader, f feedNumber, from, to uint64, each func(feed.Entry) error) error {
	prefix := key(tableEntry, f.part())
	return scanIn(r, prefix, entryKey(f, from), func(k, v []byte) error {
		n := binary.BigEndian.Uint64(k[len(prefix):])
		if n > to {
			return errStop
		}
		e, err := decodeEntry(n, v)
		if err != nil {
			return err
		}
		return each(e)
	})
}

// EntriesOf returns the entries of a feed in the runs that are held, in order.
func (tx *Tx) EntriesOf(id feed.ID, runs []feed.Run) ([]feed.Entry, error) {
	f, ok := tx.numberOf(id)
	if !ok {
		return nil, nil
	}
	var list []feed.Entry
	for _, r := range runs {
		err := tx.entries(f, r.First, r.Last, func(e feed.Entry) error {
			list = append(list, e)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// ErrMoving is the answer to who asks for batches of a feed that is between two
// generations here.
var ErrMoving = errors.New("the feed is between two generations")

// Batch returns the entries of a feed after since, up to the furthest signed head
// that fits in one batch; without entries where since is the end. ErrNotFound
// means that no head was signed there or later, and ErrMoving that the feed is
// between two generations.
func (tx *Tx) Batch(id feed.ID, since uint64) (feed.Batch, error) {
	b, err := tx.batchAfter(id, since)
	if err == nil && b.Head.Signature == nil {
		return b, ErrNotFound
	}
	return b, err
}

// KeptBatch is Batch for a reader that holds the entries up to until from a former
// generation: of those it only says which belong to the one held here.
func (tx *Tx) KeptBatch(id feed.ID, since, until uint64) (feed.Batch, error) {
	b, err := tx.Batch(id, since)
	n := 0
	for n < len(b.Entries) && b.Entries[n].Number <= until {
		n++
	}
	b.Kept, b.Entries = feed.RunsOf(b.Entries[:n]), b.Entries[n:]
	return b, err
}

// batchAfter is the entries after since to the furthest head that fits in one
// batch; without a head where there is none.
func (tx *Tx) batchAfter(id feed.ID, since uint64) (feed.Batch, error) {
	s, f, err := tx.storedFeed(id)
	switch {
	case err != nil:
		return feed.Batch{}, err
	case s.Moving != nil:
		return feed.Batch{}, ErrMoving
	}
	end, err := tx.Head(id)
	if err != nil {
		return feed.Batch{}, err
	}
	b := feed.Batch{Last: end.Number}
	if since > end.Number {
		return b, nil
	}
	b.Entries = make([]feed.Entry, 0, min(wire.MaxBatch, end.Number-since))
	err = tx.entries(f, since+1, end.Number, func(e feed.Entry) error {
		b.Entries = append(b.Entries, e)
		if len(b.Entries) == wire.MaxBatch {
			return errStop
		}
		return nil
	})
	if err != nil {
		return b, err
	}
	last := since
	if n := len(b.Entries); n > 0 {
		last = b.Entries[n-1].Number
	}
	prefix := headKeys(f, s.Generation)
	k, v, err := tx.lastBetween(append(slices.Clip(prefix), number(since)...), append(slices.Clip(prefix), number(last+1)...))
	if errors.Is(err, ErrNotFound) {
		b.Entries = nil
		return b, nil
	}
	if err != nil {
		return b, err
	}
	b.Head, err = feed.DecodeHead(id, s.Generation, binary.BigEndian.Uint64(k[len(prefix):]), v)
	for n := len(b.Entries); n > 0 && b.Entries[n-1].Number > b.Head.Number; n-- {
		b.Entries = b.Entries[:n-1]
	}
	return b, err
}

// EntriesAfter returns up to limit entries of a feed that follow a number.
func (tx *Tx) EntriesAfter(id feed.ID, after uint64, limit int) ([]feed.Entry, error) {
	f, ok := tx.numberOf(id)
	if !ok {
		return nil, nil
	}
	var list []feed.Entry
	err := tx.entries(f, after+1, math.MaxUint64, func(e feed.Entry) error {
		if len(list) == limit {
			return errStop
		}
		list = append(list, e)
		return nil
	})
	return list, err
}
