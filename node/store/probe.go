package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// probe is one tag that is looked for, and its place in the list of the caller.
type probe struct {
	tagKey
	at int
}

// halved is how many probes are worth a second goroutine.
const halved = 512

// probeAll looks for every key, in the order in which they lie on the disk, and
// calls found for those that are there, from up to two goroutines but never twice
// with one place. Filters tell nearly all that are absent without reading more.
func (tx *Tx) probeAll(probes []probe, found func(at int, refs []ref) error) error {
	if len(probes) == 0 {
		return nil
	}
	slices.SortFunc(probes, func(a, b probe) int {
		return cmp.Or(bytes.Compare(a.tagKey[:], b.tagKey[:]), cmp.Compare(a.at, b.at))
	})
	table := probes[0].tagKey[0]
	r, err := tx.reader(table)
	if err != nil {
		return err
	}
	if _, batch := r.(*pebble.Batch); batch || len(probes) < halved {
		return probeSome(r, probes, found)
	}
	half := len(probes) / 2
	var second error
	var both sync.WaitGroup
	both.Go(func() { second = probeSome(r, probes[half:], found) })
	err = probeSome(r, probes[:half], found)
	both.Wait()
	return errors.Join(err, second)
}

func probeSome(r pebble.Reader, probes []probe, found func(at int, refs []ref) error) (err error) {
	table := probes[0].tagKey[0]
	it, err := r.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return fmt.Errorf("probe table %q: %w", table, err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var refs []ref
	for i := range probes {
		k := probes[i].tagKey[:]
		if !it.SeekPrefixGE(k) {
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
		if err := found(probes[i].at, standing(refs)); err != nil {
			return err
		}
	}
	return nil
}

// standing leaves out what is gone.
func standing(refs []ref) []ref {
	return slices.DeleteFunc(refs, func(r ref) bool { return r.gone })
}
