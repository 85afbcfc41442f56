package store

import (
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
	r       pebble.Reader
	w       *pebble.Batch // nil in View
	raised  []alert.ID
	grown   bool     // a head was put
	members []Member // as read once in this transaction
	epochs  *Epochs  // likewise
	muting  *bool    // whether anything is muted, likewise
}

// Each kind of record has a first byte of its own. They are the format of the
// disk: a byte is never given another meaning.
const (
	tableMeta       = 'm' // name → value
	tableSequence   = 'q' // name → last number given
	tableOfficer    = 'o' // name → JSON
	tableSession    = 's' // SHA-256 of the session → JSON
	tableCase       = 'c' // case → JSON
	tableCaseNumber = 'n' // folded number → case
	tableNote       = 'N' // case, number → JSON
	tableDraft      = 'd' // draft → JSON
	tableProgress   = 'D' // draft → JSON
	tableIdentifier = 'i' // identifier number → identifier
	tableNumberOf   = 'I' // identifier → identifier number
	tableHolding    = 'h' // case, identifier number → JSON
	tableHolder     = 'H' // identifier number, case → nothing
	tableToken      = 't' // identifier number → epoch, token: the newest
	tableFormer     = 'u' // identifier number → epoch, token: the one before
	tableWaiting    = 'w' // identifier number → nothing
	tableEntry      = 'F' // author, number → entry
	tableHead       = 'K' // author, number → hash, signature
	tableTagged     = 'T' // author, epoch, tag → entry number
	tableExpected   = 'E' // author, epoch, tag → identifier number
	tableMember     = 'M' // agency → JSON
	tableAlert      = 'A' // alert → JSON
	tableGround     = 'g' // alert, identifier → JSON
	tableCaseAlert  = 'a' // case, alert → nothing
	tableRecent     = 'r' // time, alert → nothing
	tableFork       = 'V' // agency, number → JSON
	tableGroundOf   = 'z' // mark of an identifier, case, alert → nothing
	tableSpread     = 'Z' // summary, agency, case pointer → JSON
	tableMute       = 'x' // mark of an identifier → JSON
	tableMuteEvent  = 'X' // mark of an identifier, number → JSON
	tableMutedTag   = 'y' // tag in the directory's scope → nothing
	tableAgain      = 'Y' // identifier number → nothing
	tableWarnList   = 'l' // name → text
)

// key builds a key from its table and parts. A part of variable length must
// be the last one or come from name.
func key(table byte, parts ...[]byte) []byte {
	k := append(make([]byte, 0, 48), table)
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

// number is an ordered part.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// name is a text part that another part may follow; names hold no zero byte.
func name[S ~string](s S) []byte { return append([]byte(s), 0) }

func (tx *Tx) get(k []byte) ([]byte, error) {
	v, closer, err := tx.r.Get(k)
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
	if err := tx.w.Set(k, v, nil); err != nil {
		return fmt.Errorf("write table %q: %w", k[0], err)
	}
	return nil
}

func (tx *Tx) delete(k []byte) error {
	if err := tx.w.Delete(k, nil); err != nil {
		return fmt.Errorf("delete from table %q: %w", k[0], err)
	}
	return nil
}

// deleteRange deletes every key from one on and before another.
func (tx *Tx) deleteRange(from, to []byte) error {
	if err := tx.w.DeleteRange(from, to, nil); err != nil {
		return fmt.Errorf("delete from table %q: %w", from[0], err)
	}
	return nil
}

// errStop ends a scan early without being an error.
var errStop = errors.New("enough")

// scan calls f with every key under prefix from the key start on, in order.
// Both slices are f's only until it returns.
func (tx *Tx) scan(prefix, start []byte, f func(k, v []byte) error) (err error) {
	it, err := tx.r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return fmt.Errorf("scan table %q: %w", prefix[0], err)
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
	it, err := tx.r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return fmt.Errorf("scan table %q: %w", prefix[0], err)
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
	it, err := tx.r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, nil, fmt.Errorf("scan table %q: %w", prefix[0], err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		if err := it.Error(); err != nil {
			return nil, nil, err
		}
		return nil, nil, ErrNotFound
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
