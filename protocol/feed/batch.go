package feed

import (
	"fmt"
	"slices"

	"interlock/protocol/wire"
)

// Batch is consecutive entries of a generation up to a signed head. Where Kept is
// set, the first of them are not in Entries but only named: the reader holds them
// from a former generation.
type Batch struct {
	Entries []Entry
	Kept    []Run
	Head    Head
	Last    uint64 // number of the last entry that the sender has
}

// Run is entries that stay: their numbers from the first to the last.
type Run struct{ First, Last uint64 }

// Verify checks that b continues feed id, whose author's key signs it, from
// the position held; it returns the position after it.
func (b Batch) Verify(id ID, key wire.Peer, held Position) (Position, error) {
	if len(b.Entries) > wire.MaxBatch {
		return held, fmt.Errorf("%w: %d entries in a batch, at most %d", ErrMalformed, len(b.Entries), wire.MaxBatch)
	}
	if b.Kept != nil {
		return held, fmt.Errorf("%w: a batch that moves to a generation", ErrMalformed)
	}
	return b.close(id, key, held, b.Entries)
}

// VerifyKept checks a batch that moves to a generation: held are those entries that
// the reader holds of b's runs, in order. They, and those that b carries, chain from
// at to b's head.
func (b Batch) VerifyKept(id ID, key wire.Peer, at Position, held []Entry) (Position, error) {
	if n := count(b.Kept); n != uint64(len(held)) {
		return at, fmt.Errorf("%w: %d entries to keep, %d held", ErrGap, n, len(held))
	}
	return b.close(id, key, at, slices.Concat(held, b.Entries))
}

// close chains entries from held to the batch's signed head.
func (b Batch) close(id ID, key wire.Peer, held Position, entries []Entry) (Position, error) {
	if b.Head.Generation != held.Generation {
		return held, fmt.Errorf("%w: generation %d after %d", ErrGap, b.Head.Generation, held.Generation)
	}
	at, jumps := held, false
	for _, e := range entries {
		if e.Number <= held.Number {
			return held, fmt.Errorf("%w: entry %d, held up to %d", ErrStale, e.Number, held.Number)
		}
		if e.Number <= at.Number {
			return held, fmt.Errorf("%w: entry %d after %d", ErrGap, e.Number, at.Number)
		}
		jumps = jumps || e.Number != at.Number+1
		at = at.After(e)
	}
	if jumps && (b.Head.Generation == 1 || b.Head.Hash != at.Hash) {
		return held, fmt.Errorf("%w: entries from %d to %d", ErrGap, held.Number, at.Number)
	}
	if b.Head.ID != id || b.Head.Number != at.Number || b.Head.Hash != at.Hash {
		return held, fmt.Errorf("%w: head %d does not close the chain at %d", ErrForged, b.Head.Number, at.Number)
	}
	if !b.Head.Verified(key) {
		return held, fmt.Errorf("%w: signature of head %d", ErrForged, b.Head.Number)
	}
	return at, nil
}

// count is how many numbers are in runs.
func count(runs []Run) (n uint64) {
	for _, r := range runs {
		n += r.Last - r.First + 1
	}
	return n
}

// RunsOf are the numbers of entries as runs.
func RunsOf(entries []Entry) []Run {
	var runs []Run
	for _, e := range entries {
		if n := len(runs); n > 0 && runs[n-1].Last+1 == e.Number {
			runs[n-1].Last = e.Number
			continue
		}
		runs = append(runs, Run{e.Number, e.Number})
	}
	return runs
}
