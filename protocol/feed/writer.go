package feed

import (
	"crypto/ed25519"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Writer appends to one's own feed within one transaction of the store.
// It signs a head at least every wire.MaxBatch entries, so that any holder of
// the feed can serve it in batches that each end in a signature.
type Writer struct {
	author directory.AgencyID
	key    ed25519.PrivateKey
	at     Position
	last   uint64 // number of the last signed head
	heads  []Head
}

// NewWriter continues author's feed after the signed position at.
func NewWriter(author directory.AgencyID, key ed25519.PrivateKey, at Position) *Writer {
	return &Writer{author: author, key: key, at: at, last: at.Number}
}

// Next is the number that the next entry must have.
func (w *Writer) Next() uint64 { return w.at.Number + 1 }

// Append takes e as the next entry.
func (w *Writer) Append(e Entry) error {
	if e.Number != w.Next() {
		return ErrGap
	}
	w.at = w.at.After(e)
	if w.at.Number-w.last == wire.MaxBatch {
		w.sign()
	}
	return nil
}

// Close signs the last position and returns every head signed since NewWriter,
// to be stored with the entries.
func (w *Writer) Close() []Head {
	if w.at.Number > w.last {
		w.sign()
	}
	return w.heads
}

func (w *Writer) sign() {
	w.heads, w.last = append(w.heads, Sign(w.author, w.key, w.at)), w.at.Number
}

// Empty is the signed head of a feed before its first entry.
func Empty(author directory.AgencyID, key ed25519.PrivateKey) Head {
	return Sign(author, key, Start(author))
}

// Sign is the head of author's feed at a position, for an author whose key has
// changed: what it signed before is to be signed again.
func Sign(author directory.AgencyID, key ed25519.PrivateKey, at Position) Head {
	h := Head{Author: author, Position: at}
	h.Signature = vault.Sign(key, vault.ContextFeed, h.signed())
	return h
}
