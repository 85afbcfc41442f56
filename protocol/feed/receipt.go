package feed

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Receipt says that a member has a feed up to a position on its disk, has
// compared it with all that it holds itself, and goes on doing so. The member
// signs it, so that the feed's author can show it to others.
type Receipt struct {
	Reader directory.AgencyID
	ID
	Position
	Time      time.Time // the reader's clock, in seconds
	Signature []byte
}

// SignReceipt makes a reader's receipt.
func SignReceipt(reader directory.AgencyID, key ed25519.PrivateKey, id ID, at Position, now time.Time) Receipt {
	r := Receipt{Reader: reader, ID: id, Position: at, Time: now.UTC().Truncate(time.Second)}
	r.Signature = vault.Sign(key, vault.ContextReceipt, r.signed())
	return r
}

func (r Receipt) signed() []byte {
	b := make([]byte, 0, 192)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.Unix()))
	b = binary.BigEndian.AppendUint64(b, r.Number)
	b = append(b, r.Hash[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Reader)))
	b = append(b, r.Reader...)
	return append(b, r.scope(r.Generation)...)
}

// Verified reports whether the reader's key signed the receipt.
func (r Receipt) Verified(key wire.Peer) bool {
	return vault.Verify(key.Key(), vault.ContextReceipt, r.signed(), r.Signature)
}

// Message is the receipt as messages carry it.
func (r Receipt) Message() *wire.Receipt {
	return &wire.Receipt{
		Reader: string(r.Reader), Author: string(r.Author), Audience: r.Audience.String(), Generation: r.Generation,
		Number: r.Number, Hash: r.Hash[:], Time: uint64(r.Time.Unix()), Signature: r.Signature,
	}
}

// ParseReceipt parses a receipt; whether it was signed, Verified says.
func ParseReceipt(m *wire.Receipt) (Receipt, error) {
	h, err := ParseHead(&wire.Head{Author: m.GetAuthor(), Audience: m.GetAudience(), Generation: m.GetGeneration(), Number: m.GetNumber(), Hash: m.GetHash()})
	if err != nil {
		return Receipt{}, err
	}
	reader, err := directory.ParseAgencyID(m.Reader)
	if err != nil || m.Time > math.MaxInt32*16 {
		return Receipt{}, fmt.Errorf("%w: receipt", ErrMalformed)
	}
	return Receipt{Reader: reader, ID: h.ID, Position: h.Position, Time: time.Unix(int64(m.Time), 0).UTC(), Signature: m.Signature}, nil
}
