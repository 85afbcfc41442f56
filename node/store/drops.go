package store

import (
	"errors"
	"math"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"interlock/protocol/feed"
)

const (
	// droppedAtOnce is how many references are held before they are written.
	droppedAtOnce = 8192
	// aRange is how many entries that lie together are deleted as one range.
	aRange = 64
)

// dropping takes entries out of a feed, a few thousand in memory at a time. It reads
// the tables as they stood when it began, so that what it writes need not be
// indexed: 21 bytes in the transaction's batch for each announcement.
type dropping struct {
	tx              *Tx
	f               feedNumber
	entries, tagged pebble.Reader
	goes            func(n uint64) bool // whether an entry does
	ours            bool                // nothing refers to the entries
	epochs          Epochs

	refs []reference // gone, to be written
	run  []uint64    // entries that lie together, to be deleted
}

func (tx *Tx) dropping(f feedNumber, goes func(n uint64) bool) (d *dropping, err error) {
	d = &dropping{tx: tx, f: f, goes: goes, ours: tx.isOurs(f)}
	if d.entries, err = tx.reader(tableEntry); err != nil {
		return nil, err
	}
	if d.tagged, err = tx.reader(tableTagged); err != nil {
		return nil, err
	}
	d.epochs, err = tx.Epochs()
	return d, err
}

// without reports what goes of the entries after one number and up to another:
// what is not in ascending runs.
func without(kept []feed.Run, after, to uint64) func(n uint64) bool {
	return func(n uint64) bool {
		i := sort.Search(len(kept), func(i int) bool { return kept[i].Last >= n })
		return n > after && n <= to && (i == len(kept) || kept[i].First > n)
	}
}

// drop removes what goes of the entries after one number and up to another. Where a
// withdrawal goes and what it withdrew stays, that stands again, as it does for who
// reads the generation from its start; unless a withdrawal that stays says
// otherwise, which is for the caller to see to.
func (d *dropping) drop(after, to uint64) (revived bool, err error) {
	if after == to {
		return false, nil
	}
	withdrawals := false
	err = readEntries(d.entries, d.f, after+1, to, func(e feed.Entry) error {
		if !d.goes(e.Number) {
			return d.deleteRun()
		}
		withdrawals = withdrawals || e.Kind == feed.Withdraw && !d.ours
		if d.run = append(d.run, e.Number); len(d.run) == droppedAtOnce {
			return errors.Join(d.deleteRun(), d.unrefer(e))
		}
		return d.unrefer(e)
	})
	if err := errors.Join(err, d.deleteRun(), d.flush()); err != nil || !withdrawals {
		return false, err
	}
	return d.revive(after, to)
}

// deleteRun deletes the entries that lie together.
func (d *dropping) deleteRun() error {
	run := d.run
	d.run = d.run[:0]
	if n := len(run); n >= aRange {
		end := after(key(tableEntry, d.f.part()))
		if last := run[n-1]; last < math.MaxUint64 {
			end = entryKey(d.f, last+1)
		}
		return d.tx.deleteRange(entryKey(d.f, run[0]), end)
	}
	for _, n := range run {
		if err := d.tx.delete(entryKey(d.f, n)); err != nil {
			return err
		}
	}
	return nil
}

// unrefer takes the reference to an announcement away, sooner or later.
func (d *dropping) unrefer(e feed.Entry) error {
	if e.Kind != feed.Announce || d.ours {
		return nil
	}
	if d.refs = append(d.refs, referTo(d.f, e, true)); len(d.refs) < droppedAtOnce {
		return nil
	}
	return d.flush()
}

// flush takes references away, and where all that a row holds goes, the row.
func (d *dropping) flush() error {
	slices.SortStableFunc(d.refs, compareReferences)
	keys := make([]tagKey, len(d.refs))
	for i, r := range d.refs {
		keys[i] = r.tagKey
	}
	keys = slices.Compact(keys)
	rows, err := lookUpIn(d.tagged, tableTagged, keys)
	if err != nil {
		return err
	}
	refs := d.refs
	for i, k := range keys {
		n := 0
		for n < len(refs) && refs[n].tagKey == k {
			n++
		}
		if slices.ContainsFunc(rows[i], d.stays) {
			err = d.tx.referAll(refs[:n])
		} else {
			err = d.tx.delete(k[:])
		}
		if err != nil {
			return err
		}
		refs = refs[n:]
	}
	d.refs = d.refs[:0]
	return nil
}

func (d *dropping) stays(r ref) bool { return r.audience != d.f.audience || !d.goes(r.number) }

// revive has what stays and was withdrawn by what goes stand again.
func (d *dropping) revive(after, to uint64) (some bool, err error) {
	err = readEntries(d.entries, d.f, after+1, to, func(e feed.Entry) error {
		if e.Kind != feed.Withdraw || !d.goes(e.Number) || d.goes(e.Withdraws()) {
			return nil
		}
		of, err := d.announcement(e.Withdraws())
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		some = true
		r := referTo(d.f, of, false)
		return d.tx.refer(r.tagKey, r.ref)
	})
	return some, err
}

// withdrawAgain takes away what the withdrawals up to a number withdraw.
func (d *dropping) withdrawAgain(to uint64) error {
	return readEntries(d.entries, d.f, 1, to, func(e feed.Entry) error {
		if e.Kind != feed.Withdraw {
			return nil
		}
		of, err := d.announcement(e.Withdraws())
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		r := referTo(d.f, of, true)
		return d.tx.refer(r.tagKey, r.ref)
	})
}

// announcement is the announcement with a number, or ErrNotFound where there is none
// or its epoch is over.
func (d *dropping) announcement(n uint64) (feed.Entry, error) {
	e, err := readEntry(d.entries, d.f, n)
	if err == nil && (e.Kind != feed.Announce || d.epochs.retired(e.Epoch)) {
		return e, ErrNotFound
	}
	return e, err
}
