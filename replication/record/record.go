// Package record is the registry's append-only record as a Merkle tree: what
// was written down, in which order, and the proof that nobody has altered,
// removed or slipped in an entry since.
//
// It promises that a head (size and root) stands for exactly one list of
// entries; that a proof of inclusion or of consistency is accepted only if it
// holds; that an addition can be planned, its head known, before anything
// changes, and that carrying a plan out cannot fail; and that an export or a
// receipt is read within limits and has one form only. The tree and the proofs
// are those of RFC 6962 section 2.1 (RFC 9162 section 2.1), by
// golang.org/x/mod/sumdb/tlog.
//
// It does not promise that a head is genuine. A head is believed because a
// majority of the registry servers signed the directory that carries it, and
// whoever reads an export or a receipt hands in the function that checks that.
// Nor does it know what an entry means: an entry is bytes.
//
// The registry's state machine keeps a Tree; an auditor reads exports and
// receipts with ReadExport and ReadReceipt, without a network. Nothing here
// opens a file or a connection.
package record

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Limits, which hold for what is appended and for what is read.
const (
	MaxEntry = 64 << 10 // bytes of one entry
	MaxSize  = 1 << 40  // entries of one record; a number that every JSON reader keeps exact
	MaxProof = 41       // hashes of one proof in a record of MaxSize
)

// Errors that callers tell apart; they come wrapped with the place.
var (
	ErrEntryTooLarge = errors.New("record entry too large")
	ErrFull          = errors.New("record full")
	ErrRange         = errors.New("not in the record")
	ErrProof         = errors.New("record proof does not hold")
)

// Head is the state of a record in short: how many entries, and the Merkle
// Tree Hash over them (RFC 6962 section 2.1). The root alone does not fix the
// size, so the two are only ever signed, kept and compared together.
type Head struct {
	Size uint64
	Root [32]byte
}

// Tree is a record that grows. The zero value is the empty record. It is not
// safe for use by several goroutines while one of them appends; a Clone is what
// others read meanwhile.
type Tree struct {
	edge    edge
	entries [][]byte
	hashes  []tlog.Hash // of every perfect subtree, in the order of tlog.StoredHashIndex
}

// Restore returns the record of the given entries, which belong to it from now
// on. Its head says whether they are the right ones.
func Restore(entries [][]byte) (*Tree, error) {
	t := &Tree{
		entries: make([][]byte, 0, len(entries)),
		hashes:  make([]tlog.Hash, 0, tlog.StoredHashCount(int64(len(entries)))),
	}
	for i, e := range entries {
		if err := fits(uint64(i), e); err != nil {
			return nil, err
		}
		t.add(e, tlog.RecordHash(e))
	}
	return t, nil
}

// Clone returns the record as it is now. It costs O(log n), for the two share
// what is already written; either may go on without the other.
func (t *Tree) Clone() *Tree {
	n, h := len(t.entries), len(t.hashes)
	return &Tree{edge: t.edge.clone(), entries: t.entries[:n:n], hashes: t.hashes[:h:h]}
}

// Plan is an addition that is decided and not yet made.
type Plan struct {
	// Head is the head of the record after the addition, if nothing else is
	// appended before it.
	Head Head

	entries [][]byte
	leaves  []tlog.Hash
}

// Plan decides upon the addition of entries, in order, and changes nothing. The
// errors are ErrEntryTooLarge and ErrFull. It costs O(k + log n) for k entries,
// which are copied.
func (t *Tree) Plan(entries ...[]byte) (Plan, error) {
	p := Plan{entries: make([][]byte, 0, len(entries)), leaves: make([]tlog.Hash, 0, len(entries))}
	after := t.edge.clone()
	var scratch []tlog.Hash
	for _, e := range entries {
		if err := fits(after.size, e); err != nil {
			return Plan{}, err
		}
		leaf := tlog.RecordHash(e)
		p.entries = append(p.entries, append([]byte{}, e...))
		p.leaves = append(p.leaves, leaf)
		scratch = after.add(leaf, scratch[:0])
	}
	p.Head = after.head()
	return p, nil
}

// Commit makes the addition p and returns the head after it. It cannot fail.
func (t *Tree) Commit(p Plan) Head {
	for i, e := range p.entries {
		t.add(e, p.leaves[i])
	}
	return t.Head()
}

// Append plans and commits one entry.
func (t *Tree) Append(entry []byte) error {
	p, err := t.Plan(entry)
	if err != nil {
		return err
	}
	t.Commit(p)
	return nil
}

// fits reports whether entry may become the one with this index.
func fits(index uint64, entry []byte) error {
	if index >= MaxSize {
		return fmt.Errorf("%w: %d entries", ErrFull, index)
	}
	if len(entry) > MaxEntry {
		return fmt.Errorf("%w: entry %d: %d bytes, want at most %d", ErrEntryTooLarge, index, len(entry), MaxEntry)
	}
	return nil
}

func (t *Tree) add(entry []byte, leaf tlog.Hash) {
	t.hashes = t.edge.add(leaf, t.hashes)
	t.entries = append(t.entries, entry)
}

// Size returns the number of entries.
func (t *Tree) Size() uint64 { return t.edge.size }

// Root returns the Merkle Tree Hash over all entries.
func (t *Tree) Root() [32]byte { return t.edge.root() }

// Head returns size and root.
func (t *Tree) Head() Head { return t.edge.head() }

// HeadAt returns the head the record had when it held size entries. The error
// is ErrRange.
func (t *Tree) HeadAt(size uint64) (Head, error) {
	if size > t.Size() {
		return Head{}, fmt.Errorf("%w: size %d of %d", ErrRange, size, t.Size())
	}
	root, err := tlog.TreeHash(int64(size), t.stored())
	if err != nil {
		return Head{}, fmt.Errorf("root at size %d: %w", size, err)
	}
	return Head{Size: size, Root: root}, nil
}

// had reports whether h is a head that the record had. The errors are ErrRange
// and a *ForkError.
func (t *Tree) had(h Head) error {
	at, err := t.HeadAt(h.Size)
	if err != nil {
		return err
	}
	if at != h {
		return &ForkError{Head: h, Root: at.Root}
	}
	return nil
}

// Entry returns the entry with this index, from 0. It must not be changed. The
// error is ErrRange.
func (t *Tree) Entry(index uint64) ([]byte, error) {
	if index >= t.Size() {
		return nil, fmt.Errorf("%w: entry %d of %d", ErrRange, index, t.Size())
	}
	return t.entries[index], nil
}

// Entries returns at most n entries, beginning with the one at index from; none
// when from is the size. They must not be changed. The error is ErrRange.
func (t *Tree) Entries(from uint64, n int) ([][]byte, error) {
	if from > t.Size() || n < 0 {
		return nil, fmt.Errorf("%w: %d entries from %d of %d", ErrRange, n, from, t.Size())
	}
	to := from + min(uint64(n), t.Size()-from)
	return t.entries[from:to:to], nil
}

// stored reads the stored hashes, for tlog.
func (t *Tree) stored() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		list := make([]tlog.Hash, 0, len(indexes))
		for _, i := range indexes {
			if i < 0 || i >= int64(len(t.hashes)) {
				return nil, fmt.Errorf("%w: stored hash %d of %d", ErrRange, i, len(t.hashes))
			}
			list = append(list, t.hashes[i])
		}
		return list, nil
	})
}
