// Package feed is the signed, append-only log in which an agency announces its
// tags: entries numbered from 1, chained by hash, under heads that the author
// signs.
//
// A Writer extends one's own feed; Verify checks a batch of somebody else's
// against the position already held, and refuses gaps, alterations and
// forgeries, so that what is stored is exactly what the author wrote, once.
// Nothing here knows a disk or a network.
package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Kind says what an entry does; the numbers are the wire's.
type Kind uint8

// Announce says that the author holds an identifier with this tag.
const Announce Kind = 1

// Entry is one line of a feed.
type Entry struct {
	Number  uint64 // from 1, without a gap
	Kind    Kind
	Epoch   token.Epoch
	Tag     token.Tag
	Pointer token.SealedPointer
}

// Hash is the chain's value after an entry.
type Hash [sha256.Size]byte

// Position is how far somebody has a feed.
type Position struct {
	Number uint64
	Hash   Hash
}

// Head is a position that the feed's author signed.
type Head struct {
	Author directory.AgencyID
	Position
	Signature []byte
}

// Errors that a reader of a feed branches on.
var (
	ErrMalformed = errors.New("malformed feed entry")
	ErrGap       = errors.New("entries do not follow on")
	ErrForged    = errors.New("feed does not verify")
	ErrStale     = errors.New("entries already held")
)

// Start is the position of an empty feed of author.
func Start(author directory.AgencyID) Position {
	h := sha256.New()
	h.Write([]byte("interlock feed v1"))
	h.Write([]byte(author))
	return Position{Hash: Hash(h.Sum(nil))}
}

// After returns the position after e is appended at p.
func (p Position) After(e Entry) Position {
	h := sha256.New()
	h.Write(p.Hash[:])
	h.Write(e.Encode())
	return Position{Number: e.Number, Hash: Hash(h.Sum(nil))}
}

// signed is what the author's signature covers.
func (h Head) signed() []byte {
	b := make([]byte, 0, 8+sha256.Size+len(h.Author))
	b = binary.BigEndian.AppendUint64(b, h.Number)
	b = append(b, h.Hash[:]...)
	return append(b, h.Author...)
}

// Verified reports whether author's key signed the head.
func (h Head) Verified(key wire.Peer) bool {
	return vault.Verify(key.Key(), vault.ContextFeed, h.signed(), h.Signature)
}

// Batch is consecutive entries up to a signed head.
type Batch struct {
	Entries []Entry
	Head    Head
	Last    uint64 // number of the last entry that the sender has
}

// Verify checks that b continues the feed of author, whose key signs it, from
// the position held; it returns the position after it.
func (b Batch) Verify(author directory.AgencyID, key wire.Peer, held Position) (Position, error) {
	if len(b.Entries) > wire.MaxBatch {
		return held, fmt.Errorf("%w: %d entries in a batch, at most %d", ErrMalformed, len(b.Entries), wire.MaxBatch)
	}
	at := held
	for _, e := range b.Entries {
		if e.Number <= held.Number {
			return held, fmt.Errorf("%w: entry %d, held up to %d", ErrStale, e.Number, held.Number)
		}
		if e.Number != at.Number+1 {
			return held, fmt.Errorf("%w: entry %d after %d", ErrGap, e.Number, at.Number)
		}
		at = at.After(e)
	}
	if b.Head.Author != author || b.Head.Number != at.Number || !bytes.Equal(b.Head.Hash[:], at.Hash[:]) {
		return held, fmt.Errorf("%w: head %d does not close the chain at %d", ErrForged, b.Head.Number, at.Number)
	}
	if !b.Head.Verified(key) {
		return held, fmt.Errorf("%w: signature of head %d", ErrForged, b.Head.Number)
	}
	return at, nil
}
