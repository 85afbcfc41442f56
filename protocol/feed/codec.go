package feed

import (
	"encoding/binary"
	"fmt"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// EntrySize is the length of an entry as it is chained and stored: number
// (8 bytes, big-endian), kind (1), epoch (4), tag, sealed pointer.
const EntrySize = 8 + 1 + 4 + len(token.Tag{}) + token.PointerSize

// Encode returns the EntrySize bytes of e.
func (e Entry) Encode() []byte {
	b := make([]byte, 0, EntrySize)
	b = binary.BigEndian.AppendUint64(b, e.Number)
	b = append(b, byte(e.Kind))
	b = binary.BigEndian.AppendUint32(b, uint32(e.Epoch))
	b = append(b, e.Tag[:]...)
	return append(b, e.Pointer[:]...)
}

// Decode parses what Encode wrote.
func Decode(b []byte) (Entry, error) {
	if len(b) != EntrySize {
		return Entry{}, fmt.Errorf("%w: %d bytes, want %d", ErrMalformed, len(b), EntrySize)
	}
	e := Entry{
		Number: binary.BigEndian.Uint64(b),
		Kind:   Kind(b[8]),
		Epoch:  token.Epoch(binary.BigEndian.Uint32(b[9:])),
		Tag:    token.Tag(b[13 : 13+len(token.Tag{})]),
	}
	copy(e.Pointer[:], b[13+len(e.Tag):])
	return e, e.check()
}

func (e Entry) check() error {
	switch {
	case e.Number == 0:
		return fmt.Errorf("%w: number 0", ErrMalformed)
	case e.Kind != Announce:
		return fmt.Errorf("%w: kind %d", ErrMalformed, e.Kind)
	case e.Epoch == 0:
		return fmt.Errorf("%w: epoch 0", ErrMalformed)
	}
	return nil
}

// Message is the batch as the wire carries it.
func (b Batch) Message() *wire.Batch {
	m := &wire.Batch{Head: b.Head.Message(), Last: b.Last}
	for i := range b.Entries {
		e := &b.Entries[i]
		m.Entries = append(m.Entries, &wire.Entry{
			Number: e.Number, Kind: uint32(e.Kind), Epoch: uint32(e.Epoch), Tag: e.Tag[:], Pointer: e.Pointer[:],
		})
	}
	return m
}

// FromMessage parses a batch; whether it verifies is another question.
func FromMessage(m *wire.Batch) (Batch, error) {
	head, err := ParseHead(m.GetHead())
	if err != nil {
		return Batch{}, err
	}
	b := Batch{Head: head, Last: m.Last}
	if len(m.Entries) > wire.MaxBatch {
		return Batch{}, fmt.Errorf("%w: %d entries in a batch, at most %d", ErrMalformed, len(m.Entries), wire.MaxBatch)
	}
	for _, me := range m.Entries {
		e := Entry{Number: me.Number, Kind: Kind(me.Kind), Epoch: token.Epoch(me.Epoch)}
		if len(me.Tag) != len(e.Tag) || len(me.Pointer) != len(e.Pointer) || me.Kind > 0xff {
			return Batch{}, fmt.Errorf("%w: tag of %d, pointer of %d bytes", ErrMalformed, len(me.Tag), len(me.Pointer))
		}
		copy(e.Tag[:], me.Tag)
		copy(e.Pointer[:], me.Pointer)
		if err := e.check(); err != nil {
			return Batch{}, err
		}
		b.Entries = append(b.Entries, e)
	}
	return b, nil
}

// Message is the head as messages carry it.
func (h Head) Message() *wire.Head {
	return &wire.Head{Author: string(h.Author), Number: h.Number, Hash: h.Hash[:], Signature: h.Signature}
}

// ParseHead parses a head; whether it was signed, Verified says.
func ParseHead(m *wire.Head) (Head, error) {
	id, err := directory.ParseAgencyID(m.GetAuthor())
	if err != nil || len(m.GetHash()) != len(Hash{}) {
		return Head{}, fmt.Errorf("%w: head", ErrMalformed)
	}
	h := Head{Author: id, Signature: m.Signature}
	h.Number = m.Number
	copy(h.Hash[:], m.Hash)
	return h, nil
}

// Encode returns the head as it is stored: its hash, then its signature.
func (h Head) Encode() []byte { return append(append([]byte{}, h.Hash[:]...), h.Signature...) }

// DecodeHead parses what Encode wrote for the head of author at number.
func DecodeHead(author directory.AgencyID, number uint64, b []byte) (Head, error) {
	if len(b) <= len(Hash{}) {
		return Head{}, fmt.Errorf("%w: stored head of %d bytes", ErrMalformed, len(b))
	}
	h := Head{Author: author, Position: Position{Number: number, Hash: Hash(b[:len(Hash{})])}}
	h.Signature = append([]byte{}, b[len(h.Hash):]...)
	return h, nil
}
