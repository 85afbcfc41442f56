// Package feed is the signed log in which an agency announces its tags to an
// audience: entries numbered from 1, chained by hash, under heads that the
// author signs.
//
// A Writer extends one's own feed; Verify checks a batch of somebody else's
// against the position already held, and refuses gaps, alterations and
// forgeries, so that what is stored is exactly what the author wrote, once.
//
// A feed only grows, until its author begins a new generation of it: the same
// entries under the same numbers, without those that were withdrawn. Who has
// the former generation is told which entries stay (Batch.Kept), chains those
// that it has, and comes to the same signed heads, or finds that the author
// changed something.
//
// Nothing here knows a disk or a network.
package feed

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Kind says what an entry does; the numbers are the wire's.
type Kind uint8

const (
	// Announce says that the author holds an identifier with this tag.
	Announce Kind = 1
	// Withdraw says that an earlier entry stands no more.
	Withdraw Kind = 2
)

// Entry is one line of a feed.
type Entry struct {
	Number  uint64 // from 1, ascending; without a gap but where the generation left some out
	Kind    Kind
	Epoch   token.Epoch
	Tag     token.Tag           // of a withdrawal: zeros, so that a later generation knows nothing of it
	Pointer token.SealedPointer // of a withdrawal: the number of what it withdraws, and zeros
}

// Withdrawal is the entry that ends what e announced.
func (e Entry) Withdrawal(number uint64) Entry {
	w := Entry{Number: number, Kind: Withdraw, Epoch: e.Epoch}
	binary.BigEndian.PutUint64(w.Pointer[:], e.Number)
	return w
}

// Withdraws is the number of the entry that a withdrawal ends.
func (e Entry) Withdraws() uint64 { return binary.BigEndian.Uint64(e.Pointer[:]) }

// Announcement is an entry with the audience that it was announced to.
type Announcement struct {
	Audience directory.Audience
	Entry    Entry
}

// Probe asks for what an author announced under a tag.
type Probe struct {
	Author directory.AgencyID
	Epoch  token.Epoch
	Tag    token.Tag
}

// ID names a feed: one for each author and audience.
type ID struct {
	Author   directory.AgencyID
	Audience directory.Audience
}

// Hash is the chain's value after an entry.
type Hash [sha256.Size]byte

// Position is how far somebody has a generation of a feed. Generations are
// numbered from 1.
type Position struct {
	Generation uint32
	Number     uint64
	Hash       Hash
}

// Head is a position that the feed's author signed.
type Head struct {
	ID
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

// Start is the position of a feed before the first entry of a generation.
func Start(id ID, generation uint32) Position {
	h := sha256.New()
	h.Write([]byte("interlock feed v2"))
	h.Write(id.scope(generation))
	return Position{Generation: generation, Hash: Hash(h.Sum(nil))}
}

// scope is what a generation of a feed is bound to: its number in four bytes,
// the lengths of the names in two each, and the names.
func (id ID) scope(generation uint32) []byte {
	author, audience := string(id.Author), id.Audience.String()
	b := make([]byte, 0, 8+len(author)+len(audience))
	b = binary.BigEndian.AppendUint32(b, generation)
	b = binary.BigEndian.AppendUint16(b, uint16(len(author)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(audience)))
	b = append(b, author...)
	return append(b, audience...)
}

// After returns the position after e is appended at p.
func (p Position) After(e Entry) Position {
	var b [sha256.Size + EntrySize]byte
	copy(b[:], p.Hash[:])
	e.append(b[sha256.Size:sha256.Size])
	return Position{Generation: p.Generation, Number: e.Number, Hash: sha256.Sum256(b[:])}
}

// signed is what the author's signature covers.
func (h Head) signed() []byte {
	b := make([]byte, 0, 128)
	b = binary.BigEndian.AppendUint64(b, h.Number)
	b = append(b, h.Hash[:]...)
	return append(b, h.scope(h.Generation)...)
}

// Verified reports whether author's key signed the head.
func (h Head) Verified(key wire.Peer) bool {
	return vault.Verify(key.Key(), vault.ContextFeed, h.signed(), h.Signature)
}

// Conflicts reports whether two heads of one feed cannot both be true: they are
// of one generation and number, and differ.
func (h Head) Conflicts(with Head) bool {
	return h.ID == with.ID && h.Generation == with.Generation && h.Number == with.Number && h.Hash != with.Hash
}
