package record

import (
	"crypto/sha256"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Proof is the list of hashes of a proof of inclusion (RFC 6962 section 2.1.1)
// or of consistency (section 2.1.2), in the order given there. One taken for
// the other does not hold.
type Proof [][32]byte

// ParseProof reads a proof from its hashes as a message carries them.
func ParseProof(hashes [][]byte) (Proof, error) {
	if len(hashes) > MaxProof {
		return nil, fmt.Errorf("%w: %d hashes, want at most %d", ErrProof, len(hashes), MaxProof)
	}
	p := make(Proof, 0, len(hashes))
	for i, h := range hashes {
		if len(h) != 32 {
			return nil, fmt.Errorf("%w: hash %d: %d bytes, want 32", ErrProof, i+1, len(h))
		}
		p = append(p, [32]byte(h))
	}
	return p, nil
}

// Hashes returns the proof as a message carries it.
func (p Proof) Hashes() [][]byte {
	list := make([][]byte, 0, len(p))
	for i := range p {
		list = append(list, append([]byte{}, p[i][:]...))
	}
	return list
}

// ProveInclusion proves that the record of the first size entries has its
// entry at index. The error is ErrRange.
func (t *Tree) ProveInclusion(index, size uint64) (Proof, error) {
	if size > t.Size() || index >= size {
		return nil, fmt.Errorf("%w: entry %d in size %d of %d", ErrRange, index, size, t.Size())
	}
	p, err := tlog.ProveRecord(int64(size), int64(index), t.stored())
	if err != nil {
		return nil, fmt.Errorf("prove entry %d in size %d: %w", index, size, err)
	}
	return fromTlog(p), nil
}

// ProveConsistency proves that the record of the first size entries begins with
// that of the first old. The error is ErrRange.
func (t *Tree) ProveConsistency(old, size uint64) (Proof, error) {
	if size > t.Size() || old > size {
		return nil, fmt.Errorf("%w: size %d in size %d of %d", ErrRange, old, size, t.Size())
	}
	if old == 0 {
		return Proof{}, nil
	}
	p, err := tlog.ProveTree(int64(size), int64(old), t.stored())
	if err != nil {
		return nil, fmt.Errorf("prove size %d in size %d: %w", old, size, err)
	}
	return fromTlog(p), nil
}

// VerifyInclusion reports whether p proves that the record with this head has
// entry at index. Any error is ErrProof. The head must be authenticated first,
// size and root together.
func VerifyInclusion(head Head, index uint64, entry []byte, p Proof) error {
	// tlog reckons in int64 and does not return for sizes near its end.
	if head.Size > MaxSize || index >= head.Size || len(entry) > MaxEntry || len(p) > MaxProof {
		return fmt.Errorf("%w: entry %d of %d bytes in size %d by %d hashes: out of bounds",
			ErrProof, index, len(entry), head.Size, len(p))
	}
	err := tlog.CheckRecord(toTlog(p), int64(head.Size), head.Root, int64(index), tlog.RecordHash(entry))
	if err != nil {
		return fmt.Errorf("%w: entry %d in size %d", ErrProof, index, head.Size)
	}
	return nil
}

// VerifyConsistency reports whether p proves that the record with head grew from
// the one with old: that its first entries are those, unaltered. Any error is
// ErrProof. Both heads must be authenticated first.
func VerifyConsistency(old, head Head, p Proof) error {
	if head.Size > MaxSize || old.Size > head.Size || len(p) > MaxProof {
		return fmt.Errorf("%w: size %d in size %d by %d hashes: out of bounds", ErrProof, old.Size, head.Size, len(p))
	}
	if old.Size == 0 {
		// RFC 6962 leaves this case out: every record grew from the empty one.
		isEmpty := Head{Root: sha256.Sum256(nil)}
		if old != isEmpty || len(p) != 0 || head.Size == 0 && head != old {
			return fmt.Errorf("%w: empty record in size %d", ErrProof, head.Size)
		}
		return nil
	}
	if err := tlog.CheckTree(toTlog(p), int64(head.Size), head.Root, int64(old.Size), old.Root); err != nil {
		return fmt.Errorf("%w: size %d in size %d", ErrProof, old.Size, head.Size)
	}
	return nil
}

func fromTlog(list []tlog.Hash) Proof {
	p := make(Proof, 0, len(list))
	for _, h := range list {
		p = append(p, h)
	}
	return p
}

func toTlog(p Proof) []tlog.Hash {
	list := make([]tlog.Hash, 0, len(p))
	for _, h := range p {
		list = append(list, h)
	}
	return list
}
