package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"log/slog"
)

// The labels that keep the three uses of one key apart. A change of what is derived is a new label.
const (
	labelSalt    = "interlock token v1"
	labelTag     = "interlock tag v1"
	labelPointer = "interlock pointer v1"
)

// Key is what one identifier is in one federation and epoch: it computes the tags of every author
// and opens their pointers. It is for one goroutine at a time, and prints as a placeholder.
type Key struct {
	epoch Epoch
	// mac is HMAC-SHA256 under the pseudorandom key. It keeps the state after the padded key, so
	// that a tag costs two compressions.
	mac hash.Hash
	// scratch holds the input and the output of mac, to keep them off the heap. It is part of what
	// makes a Key a single goroutine's.
	scratch []byte
}

// Derive makes the key of a token: HKDF-Extract with SHA-256 (RFC 5869 §2.2), where the salt is
// the federation secret bound with the epoch and the input keying material is the token.
func Derive(token [Size]byte, federation Secret, epoch Epoch) *Key {
	salt := make([]byte, 0, len(labelSalt)+4+len(federation))
	salt = append(salt, labelSalt...)
	salt = binary.BigEndian.AppendUint32(salt, uint32(epoch))
	salt = append(salt, federation[:]...)
	extract := hmac.New(sha256.New, salt)
	extract.Write(token[:])
	pseudorandom := extract.Sum(salt[:0])
	k := &Key{epoch: epoch, mac: hmac.New(sha256.New, pseudorandom), scratch: make([]byte, 0, 128)}
	k.mac.Reset() // keeps the padded key's state from here on
	clear(salt[:cap(salt)])
	return k
}

// Tag is the author's tag of the identifier, the first 16 bytes of HKDF-Expand (RFC 5869 §2.3).
func (k *Key) Tag(author Author) Tag {
	return Tag(k.expand(labelTag, author)[:len(Tag{})])
}

// pointerKey is the AES-256 key of the author's pointers, 32 bytes of HKDF-Expand.
// The caller clears it.
func (k *Key) pointerKey(author Author) (key [sha256.Size]byte) {
	out := k.expand(labelPointer, author)
	copy(key[:], out)
	clear(out)
	return key
}

// expand is the first block of HKDF-Expand: HMAC(key, label ‖ length ‖ author ‖ epoch ‖ 1).
// What it returns lies in scratch.
func (k *Key) expand(label string, author Author) []byte {
	b := appendScope(k.scratch[:0], label, author, k.epoch)
	b = append(b, 1) // the block's counter
	k.mac.Reset()
	k.mac.Write(b)
	k.scratch = k.mac.Sum(b[:0])
	return k.scratch
}

// appendScope writes what a derivation or a pointer is bound to, so that no two scopes share an
// encoding: label, the author's length in four bytes, the author, the epoch.
func appendScope(b []byte, label string, author Author, epoch Epoch) []byte {
	b = append(b, label...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(author)))
	b = append(b, author...)
	return binary.BigEndian.AppendUint32(b, uint32(epoch))
}

// Epoch is the epoch that the key was derived for.
func (k *Key) Epoch() Epoch { return k.epoch }

// Destroy clears what Go lets us reach. The key must not be used afterwards.
func (k *Key) Destroy() {
	clear(k.scratch[:cap(k.scratch)])
	k.mac = nil
}

// String is a placeholder.
func (k *Key) String() string { return redactedSecret }

// Format prints a placeholder under every verb.
func (k *Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, redactedSecret) }

// LogValue is a placeholder.
func (k *Key) LogValue() slog.Value { return slog.StringValue(redactedSecret) }
