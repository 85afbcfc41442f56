package feed

import (
	"encoding/binary"
	"fmt"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// EntrySize is the length of an entry as it is chained and sent: number
// (8 bytes, big-endian), kind (1), epoch (4), tag, sealed pointer.
const EntrySize = 8 + 1 + 4 + len(token.Tag{}) + token.PointerSize

// Encode returns the EntrySize bytes of e.
func (e Entry) Encode() []byte { return e.append(make([]byte, 0, EntrySize)) }

func (e Entry) append(b []byte) []byte {
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
	case e.Epoch == 0:
		return fmt.Errorf("%w: epoch 0", ErrMalformed)
	case e.Kind == Announce:
		return nil
	case e.Kind != Withdraw:
		return fmt.Errorf("%w: kind %d", ErrMalformed, e.Kind)
	case e.Tag != token.Tag{} || e.Withdraws() == 0 || e.Withdraws() >= e.Number || [len(e.Pointer) - 8]byte(e.Pointer[8:]) != [len(e.Pointer) - 8]byte{}:
		return fmt.Errorf("%w: withdrawal", ErrMalformed)
	}
	return nil
}

// Message is the batch as the wire carries it.
func (b Batch) Message() *wire.Batch {
	m := &wire.Batch{Head: b.Head.Message(), Last: b.Last}
	if len(b.Entries) > 0 {
		m.Entries = make([]byte, 0, len(b.Entries)*EntrySize)
	}
	for i := range b.Entries {
		m.Entries = b.Entries[i].append(m.Entries)
	}
	for _, r := range b.Kept {
		m.Kept = append(m.Kept, r.First, r.Last-r.First)
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
	n := len(m.Entries) / EntrySize
	if len(m.Entries)%EntrySize != 0 || n > wire.MaxBatch {
		return Batch{}, fmt.Errorf("%w: %d bytes of entries in a batch, at most %d entries", ErrMalformed, len(m.Entries), wire.MaxBatch)
	}
	if n > 0 {
		b.Entries = make([]Entry, n)
	}
	for i := range b.Entries {
		if b.Entries[i], err = Decode(m.Entries[i*EntrySize : (i+1)*EntrySize]); err != nil {
			return Batch{}, err
		}
	}
	if b.Kept, err = runsOf(m.Kept); err != nil {
		return Batch{}, err
	}
	if count(b.Kept)+uint64(n) > wire.MaxBatch {
		return Batch{}, fmt.Errorf("%w: %d entries in a batch, and %d kept", ErrMalformed, n, count(b.Kept))
	}
	return b, nil
}

// runsOf parses runs: ascending, with at least one number between two, and no
// more than a batch's entries in all.
func runsOf(list []uint64) ([]Run, error) {
	if len(list)%2 != 0 || len(list) > 2*wire.MaxBatch {
		return nil, fmt.Errorf("%w: %d numbers of kept entries", ErrMalformed, len(list))
	}
	var runs []Run
	last, total := uint64(0), uint64(0)
	for i := 0; i < len(list); i += 2 {
		r := Run{list[i], list[i] + list[i+1]}
		total += list[i+1] + 1
		if list[i+1] >= wire.MaxBatch || total > wire.MaxBatch || r.Last < r.First || r.First == 0 || i > 0 && r.First-1 <= last {
			return nil, fmt.Errorf("%w: kept entries %d to %d", ErrMalformed, r.First, r.Last)
		}
		runs, last = append(runs, r), r.Last
	}
	return runs, nil
}

// Message is the head as messages carry it.
func (h Head) Message() *wire.Head {
	return &wire.Head{
		Author: string(h.Author), Audience: h.Audience.String(), Generation: h.Generation,
		Number: h.Number, Hash: h.Hash[:], Signature: h.Signature,
	}
}

// ParseHead parses a head; whether it was signed, Verified says.
func ParseHead(m *wire.Head) (Head, error) {
	author, err := directory.ParseAgencyID(m.GetAuthor())
	if err != nil || len(m.GetHash()) != len(Hash{}) || m.Generation == 0 {
		return Head{}, fmt.Errorf("%w: head", ErrMalformed)
	}
	audience, err := directory.ParseAudience(m.Audience)
	if err != nil {
		return Head{}, fmt.Errorf("%w: head: %w", ErrMalformed, err)
	}
	h := Head{ID: ID{author, audience}, Signature: m.Signature}
	h.Position = Position{Generation: m.Generation, Number: m.Number, Hash: Hash(m.Hash)}
	return h, nil
}

// Encode returns the head as it is stored: its hash, then its signature.
func (h Head) Encode() []byte { return append(append([]byte{}, h.Hash[:]...), h.Signature...) }

// DecodeHead parses what Encode wrote for the head of a feed at a generation and
// number.
func DecodeHead(id ID, generation uint32, number uint64, b []byte) (Head, error) {
	if len(b) <= len(Hash{}) {
		return Head{}, fmt.Errorf("%w: stored head of %d bytes", ErrMalformed, len(b))
	}
	h := Head{ID: id, Position: Position{Generation: generation, Number: number, Hash: Hash(b[:len(Hash{})])}}
	h.Signature = append([]byte{}, b[len(h.Hash):]...)
	return h, nil
}
