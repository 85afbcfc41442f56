package record

import (
	"crypto/sha256"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of a growing tree: the roots of the perfect subtrees
// that the leaves fill, the largest first, one for each bit set in size. It is
// all that is needed to go on, and to know the root: 40 hashes at most.
type edge struct {
	size  uint64
	peaks []tlog.Hash
}

func (e edge) clone() edge {
	return edge{size: e.size, peaks: slices.Clone(e.peaks)}
}

// add appends a leaf, and to stored the hash of each subtree that this leaf
// completes, itself first: the order of tlog.StoredHashIndex.
func (e *edge) add(leaf tlog.Hash, stored []tlog.Hash) []tlog.Hash {
	h := leaf
	stored = append(stored, h)
	for n := e.size; n&1 == 1; n >>= 1 {
		last := len(e.peaks) - 1
		h = tlog.NodeHash(e.peaks[last], h)
		e.peaks = e.peaks[:last]
		stored = append(stored, h)
	}
	e.peaks = append(e.peaks, h)
	e.size++
	return stored
}

// root folds the subtrees from the right (RFC 6962 section 2.1).
func (e edge) root() [32]byte {
	if e.size == 0 {
		return sha256.Sum256(nil)
	}
	h := e.peaks[len(e.peaks)-1]
	for i := len(e.peaks) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e.peaks[i], h)
	}
	return h
}

func (e edge) head() Head { return Head{Size: e.size, Root: e.root()} }
