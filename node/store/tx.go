package store

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"interlock/node/alert"
)

// Tx is one transaction: a consistent view, and in Update also what it has
// written itself. It ends with the function it was given to.
type Tx struct {
	s       *Store
	snap    pebble.Reader // of View
	w       *pebble.Batch // of Update: what it wrote, and can read again
	raised  []alert.ID
	members []Member // as read once in this transaction
	epochs  *Epochs  // likewise
	muting  *bool    // whether anything is muted, likewise

	// bulk is what Update wrote to the tables that get many rows at a time. It is
	// moved to w, which costs more, only where the transaction reads such a table
	// after writing to it.
	bulk     *pebble.Batch
	inBulk   [256]bool // tables of which bulk has rows
	inWrites [256]bool // tables of which w has rows

	names *names // nil until a name is asked for
	named bool   // names is this transaction's own
}

// reader is where a table is read: where this transaction has not written to it,
// that is the database as it stands, without the cost of looking into w.
func (tx *Tx) reader(table byte) (pebble.Reader, error) {
	if tx.snap != nil {
		return tx.snap, nil
	}
	if tx.inBulk[table] {
		if err := tx.moveBulk(); err != nil {
			return nil, fmt.Errorf("read table %q: %w", table, err)
		}
	}
	if tx.inWrites[table] {
		return tx.w, nil
	}
	return tx.s.db, nil
}

// moveBulk moves bulk to w, behind what w has of the same tables.
func (tx *Tx) moveBulk() error {
	if err := tx.w.Apply(tx.bulk, nil); err != nil {
		return err
	}
	for t, in := range tx.inBulk {
		tx.inWrites[t] = tx.inWrites[t] || in
	}
	tx.bulk.Reset()
	tx.inBulk = [256]bool{}
	return nil
}

// batch is where a table is written.
func (tx *Tx) batch(table byte) *pebble.Batch {
	switch table {
	case tableEntry, tableTagged, tableExpected:
		tx.inBulk[table] = true
		return tx.bulk
	}
	tx.inWrites[table] = true
	return tx.w
}

// written is all that the transaction wrote, in order for every table: one of its
// batches, to which the other was added.
func (tx *Tx) written() (*pebble.Batch, error) {
	if tx.bulk.Empty() {
		return tx.w, nil
	}
	for t, in := range tx.inBulk {
		if in && tx.inWrites[t] {
			return tx.w, tx.moveBulk()
		}
	}
	return tx.bulk, tx.bulk.Apply(tx.w, nil)
}

func (tx *Tx) get(k []byte) ([]byte, error) {
	r, err := tx.reader(k[0])
	if err != nil {
		return nil, err
	}
	return getFrom(r, k)
}

func getFrom(r pebble.Reader, k []byte) ([]byte, error) {
	v, closer, err := r.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read table %q: %w", k[0], err)
	}
	v = append([]byte{}, v...)
	return v, closer.Close()
}

func (tx *Tx) has(k []byte) (bool, error) {
	_, err := tx.get(k)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (tx *Tx) set(k, v []byte) error {
	if err := tx.batch(k[0]).Set(k, v, nil); err != nil {
		return fmt.Errorf("write table %q: %w", k[0], err)
	}
	return nil
}

func (tx *Tx) delete(k []byte) error {
	if err := tx.batch(k[0]).Delete(k, nil); err != nil {
		return fmt.Errorf("delete from table %q: %w", k[0], err)
	}
	return nil
}

// deleteRange deletes every key from one on and before another.
func (tx *Tx) deleteRange(from, to []byte) error {
	if err := tx.batch(from[0]).DeleteRange(from, to, nil); err != nil {
		return fmt.Errorf("delete from table %q: %w", from[0], err)
	}
	return nil
}

// deleteAll deletes every key under prefix.
func (tx *Tx) deleteAll(prefix []byte) error { return tx.deleteRange(prefix, after(prefix)) }

// refer writes one reference to a row of tableTagged or tableExpected.
func (tx *Tx) refer(k tagKey, r ref) error {
	var v [2 * binary.MaxVarintLen64]byte
	if err := tx.batch(k[0]).Merge(k[:], r.append(k[0], v[:0]), nil); err != nil {
		return fmt.Errorf("write table %q: %w", k[0], err)
	}
	return nil
}

// iterator goes over the keys from one on and before another, of one table.
func (tx *Tx) iterator(from, to []byte) (*pebble.Iterator, error) {
	r, err := tx.reader(from[0])
	if err != nil {
		return nil, err
	}
	return iteratorOf(r, from, to)
}

func iteratorOf(r pebble.Reader, from, to []byte) (*pebble.Iterator, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, fmt.Errorf("scan table %q: %w", from[0], err)
	}
	return it, nil
}

// errStop ends a scan early without being an error.
var errStop = errors.New("enough")

// scan calls f with every key under prefix from the key start on, in order.
// Both slices are f's only until it returns.
func (tx *Tx) scan(prefix, start []byte, f func(k, v []byte) error) error {
	r, err := tx.reader(prefix[0])
	if err != nil {
		return err
	}
	return scanIn(r, prefix, start, f)
}

func scanIn(r pebble.Reader, prefix, start []byte, f func(k, v []byte) error) (err error) {
	it, err := iteratorOf(r, prefix, after(prefix))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.SeekGE(start); ok; ok = it.Next() {
		if err := f(it.Key(), it.Value()); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return it.Error()
}

// scanBack calls f with every key under prefix, the last first.
func (tx *Tx) scanBack(prefix []byte, f func(k []byte) error) (err error) {
	it, err := tx.iterator(prefix, after(prefix))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.Last(); ok; ok = it.Prev() {
		if err := f(it.Key()); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return it.Error()
}

// last returns the last key and value under prefix; ErrNotFound if there is
// none.
func (tx *Tx) last(prefix []byte) (k, v []byte, err error) {
	return tx.lastBetween(prefix, after(prefix))
}

// lastBetween returns the last key from one on and before another, with its
// value; ErrNotFound if there is none.
func (tx *Tx) lastBetween(from, to []byte) (k, v []byte, err error) {
	it, err := tx.iterator(from, to)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return nil, nil, cmp.Or(it.Error(), ErrNotFound)
	}
	return append([]byte{}, it.Key()...), append([]byte{}, it.Value()...), nil
}

// after is the first key behind every key that starts with prefix.
func after(prefix []byte) []byte {
	end := append([]byte{}, prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func getJSON[T any](tx *Tx, k []byte) (T, error) {
	var out T
	v, err := tx.get(k)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(v, &out); err != nil {
		return out, fmt.Errorf("record in table %q: %w", k[0], err)
	}
	return out, nil
}

func setJSON(tx *Tx, k []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("record for table %q: %w", k[0], err)
	}
	return tx.set(k, b)
}

// next gives the next number of a sequence, from 1.
func (tx *Tx) next(sequence string) (uint64, error) {
	n, err := tx.sequence(sequence)
	if err != nil {
		return 0, err
	}
	return n + 1, tx.set(key(tableSequence, []byte(sequence)), number(n+1))
}

// nextUnder is the number after the last one under prefix, from 1.
func (tx *Tx) nextUnder(prefix []byte) (uint64, error) {
	k, _, err := tx.last(prefix)
	if errors.Is(err, ErrNotFound) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(k[len(prefix):]) + 1, nil
}

// sequence is the last number given, 0 for none.
func (tx *Tx) sequence(sequence string) (uint64, error) {
	v, err := tx.get(key(tableSequence, []byte(sequence)))
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}
