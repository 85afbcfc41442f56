package token

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	nonceSize = 12
	plainSize = 16 + 1 + 1
	gcmTag    = 16
	// PointerSize is the length of every sealed pointer in bytes: nonce, ciphertext, GCM tag.
	PointerSize = nonceSize + plainSize + gcmTag
)

var (
	// ErrNotOurs says that a sealed pointer is not one of this identifier by that author under that
	// number. It says no more: a copy, damage and another identifier look alike.
	ErrNotOurs = errors.New("pointer does not open")
	// ErrHandling says that a pointer carries a handling code that does not exist.
	ErrHandling = errors.New("no such handling code")
)

// Pointer is what the holder of an identifier tells another holder.
type Pointer struct {
	Case     CasePointer
	Kind     uint8 // the identifier's kind, as package identifier numbers them
	Handling Handling
}

// SealedPointer is a pointer under AES-256-GCM (NIST SP 800-38D): a random 12-byte nonce, then the
// ciphertext of Case ‖ Kind ‖ Handling with its tag.
type SealedPointer [PointerSize]byte

// Seal encrypts p for the author's feed entry of the given number. The nonce is read from random,
// or from the system's source where it is nil. The key is the author's own for this identifier and
// epoch, so the few entries that use it cannot come near the limit on random nonces.
func (k *Key) Seal(random io.Reader, author Author, number uint64, p Pointer) (SealedPointer, error) {
	if !p.Handling.Valid() {
		return SealedPointer{}, fmt.Errorf("seal pointer of entry %d: %w", number, ErrHandling)
	}
	if random == nil {
		random = rand.Reader
	}
	aead, err := k.aead(author)
	if err != nil {
		return SealedPointer{}, fmt.Errorf("seal pointer of entry %d: %w", number, err)
	}
	var s SealedPointer
	if _, err := io.ReadFull(random, s[:nonceSize]); err != nil {
		return SealedPointer{}, fmt.Errorf("seal pointer of entry %d: nonce: %w", number, err)
	}
	var plain [plainSize]byte
	copy(plain[:], p.Case[:])
	plain[16], plain[17] = p.Kind, uint8(p.Handling)
	aead.Seal(s[:nonceSize], s[:nonceSize], plain[:], k.bound(author, number))
	return s, nil
}

// Open decrypts what [Key.Seal] made for the same author and number. Anything else is [ErrNotOurs].
func (k *Key) Open(author Author, number uint64, s SealedPointer) (Pointer, error) {
	aead, err := k.aead(author)
	if err != nil {
		return Pointer{}, fmt.Errorf("open pointer of entry %d: %w", number, err)
	}
	plain, err := aead.Open(nil, s[:nonceSize], s[nonceSize:], k.bound(author, number))
	if err != nil || !Handling(plain[17]).Valid() {
		return Pointer{}, ErrNotOurs
	}
	return Pointer{Case: CasePointer(plain[:16]), Kind: plain[16], Handling: Handling(plain[17])}, nil
}

// aead is AES-256-GCM under the author's pointer key.
func (k *Key) aead(author Author) (cipher.AEAD, error) {
	key := k.pointerKey(author)
	defer clear(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// bound is the associated data: label ‖ length ‖ author ‖ epoch ‖ number ‖ tag.
func (k *Key) bound(author Author, number uint64) []byte {
	tag := k.Tag(author)
	b := appendScope(nil, labelPointer, author, k.epoch)
	b = binary.BigEndian.AppendUint64(b, number)
	return append(b, tag[:]...)
}
