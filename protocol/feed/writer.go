package feed

import (
	"crypto/ed25519"

	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// Writer appends to one's own feed within one transaction of the store.
// It signs a head at least every wire.MaxBatch entries, so that any holder of
// the feed can serve it in batches that each end in a signature.
type Writer struct {
	id    ID
	key   ed25519.PrivateKey
	at    Position
	since int // entries since the last signed head
	heads []Head
}

// NewWriter continues feed id after the signed position at.
func NewWriter(id ID, key ed25519.PrivateKey, at Position) *Writer {
	return &Writer{id: id, key: key, at: at}
}

// Next is the number that a new entry must have.
func (w *Writer) Next() uint64 { return w.at.Number + 1 }

// At is the position after what was appended.
func (w *Writer) At() Position { return w.at }

// Append takes e as the next entry.
func (w *Writer) Append(e Entry) error {
	if e.Number != w.Next() {
		return ErrGap
	}
	w.Keep(e)
	return nil
}

// Keep takes e, of a former generation, as the next entry of this one.
func (w *Writer) Keep(e Entry) {
	w.at = w.at.After(e)
	if w.since++; w.since == wire.MaxBatch {
		w.sign()
	}
}

// Close signs the last position and returns every head signed since NewWriter,
// to be stored with the entries.
func (w *Writer) Close() []Head {
	if w.since > 0 {
		w.sign()
	}
	return w.heads
}

func (w *Writer) sign() {
	w.heads, w.since = append(w.heads, Sign(w.id, w.key, w.at)), 0
}

// Empty is the signed head of a generation before its first entry.
func Empty(id ID, generation uint32, key ed25519.PrivateKey) Head {
	return Sign(id, key, Start(id, generation))
}

// Sign is the head of feed id at a position, for an author whose key has
// changed: what it signed before is to be signed again.
func Sign(id ID, key ed25519.PrivateKey, at Position) Head {
	h := Head{ID: id, Position: at}
	h.Signature = vault.Sign(key, vault.ContextFeed, h.signed())
	return h
}
