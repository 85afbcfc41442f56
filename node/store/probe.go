package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// halved is how many keys are worth a second processor.
	halved = 512
	// orderedAtOnce is how many keys are put into one order.
	orderedAtOnce = 1 << 16
)

// lookUp returns what the rows under keys of one table refer to, in the order of
// the keys, and nothing for a key that is all zeros. It goes over them as they lie
// on the disk, on two processors where they are many, and the filters tell nearly
// all that are absent without reading more.
func (tx *Tx) lookUp(table byte, keys []tagKey) ([][]ref, error) {
	r, err := tx.reader(table)
	if err != nil {
		return nil, err
	}
	return lookUpIn(r, table, keys)
}

func lookUpIn(r pebble.Reader, table byte, keys []tagKey) ([][]ref, error) {
	out := make([][]ref, len(keys))
	_, batch := r.(*pebble.Batch)
	for from := 0; from < len(keys); from += orderedAtOnce {
		keys, out := keys[from:min(from+orderedAtOnce, len(keys))], out[from:]
		order := ordered(keys)
		if batch || len(order) < halved {
			if err := probe(r, table, keys, order, out); err != nil {
				return nil, err
			}
			continue
		}
		var errs [2]error
		var both sync.WaitGroup
		half := len(order) / 2
		both.Go(func() { errs[1] = probe(r, table, keys, order[half:], out) })
		errs[0] = probe(r, table, keys, order[:half], out)
		both.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ordered returns the places of up to orderedAtOnce keys, in the low bits of
// numbers that ascend about as the keys do: all but a few follow each other as on
// the disk, which is what makes it fast, and sorting costs little.
func ordered(keys []tagKey) []uint64 {
	oneAuthor := true
	for i := range keys {
		oneAuthor = oneAuthor && [8]byte(keys[i][1:9]) == [8]byte(keys[0][1:9])
	}
	order := make([]uint64, 0, len(keys))
	for i := range keys {
		if keys[i] == (tagKey{}) {
			continue
		}
		tag := binary.BigEndian.Uint64(keys[i][9:])
		if !oneAuthor {
			tag = uint64(binary.BigEndian.Uint32(keys[i][1:]))<<32 | tag>>32
		}
		order = append(order, tag&^(orderedAtOnce-1)|uint64(i))
	}
	slices.Sort(order)
	return order
}

// probe reads the rows of the keys at the places in order into out.
func probe(r pebble.Reader, table byte, keys []tagKey, order []uint64, out [][]ref) (err error) {
	if len(order) == 0 {
		return nil
	}
	it, err := r.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return fmt.Errorf("probe table %q: %w", table, err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var refs []ref
	for _, o := range order {
		at := o & (orderedAtOnce - 1)
		if !it.SeekPrefixGE(keys[at][:]) {
			if err := it.Error(); err != nil {
				return fmt.Errorf("probe table %q: %w", table, err)
			}
			continue
		}
		v, err := it.ValueAndErr()
		if err == nil {
			refs, err = parseRefs(table, refs[:0], v)
		}
		if err != nil {
			return fmt.Errorf("probe table %q: %w", table, err)
		}
		if refs = standing(refs); len(refs) > 0 {
			out[at] = slices.Clone(refs)
		}
	}
	return nil
}

// standing leaves out what is gone.
func standing(refs []ref) []ref {
	return slices.DeleteFunc(refs, func(r ref) bool { return r.gone })
}
