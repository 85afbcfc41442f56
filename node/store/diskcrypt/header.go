package diskcrypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// A header is 64 bytes, a whole number of AES blocks, so that a hole that starts at a page or a
// sector of the disk starts at a block of the cipher:
//
//	16  "interlock disk 1"
//	16  nonce, random
//	16  key check: tells a wrong key
//	16  SHA-256 of the 48 bytes before, cut to 16: tells damage from a wrong key
//
// With the disk key as input keying material and the nonce as salt, HKDF-SHA256 under the info
// "interlock disk file v1" gives 48 bytes: the file's AES-256 key and the key check. Byte n of the
// file's content stands at offset 64 + n and is encrypted with byte n of the key stream whose first
// counter block is zero.
const (
	headerSize = 64
	magic      = "interlock disk 1"
	fileInfo   = "interlock disk file v1"
)

// nonce is what makes a file's key its own.
type nonce [16]byte

// errTorn says that the header never reached the disk.
var errTorn = errors.New("header is not there")

// fileKey is what the disk key and a nonce give.
type fileKey struct {
	block cipher.Block
	check [16]byte
}

func deriveFileKey(disk [32]byte, n nonce) (fileKey, error) {
	out, err := hkdf.Key(sha256.New, disk[:], n[:], fileInfo, 32+16)
	if err != nil {
		return fileKey{}, err
	}
	defer clear(out)
	block, err := aes.NewCipher(out[:32])
	if err != nil {
		return fileKey{}, err
	}
	return fileKey{block: block, check: [16]byte(out[32:])}, nil
}

// header is the one encoding of a header.
func (k fileKey) header(n nonce) []byte {
	h := make([]byte, 0, headerSize)
	h = append(h, magic...)
	h = append(h, n[:]...)
	h = append(h, k.check[:]...)
	sum := sha256.Sum256(h)
	return append(h, sum[:16]...)
}

// parseHeader reads a header, which is shorter than headerSize only at the end of the file.
// Errors: [ErrWrongKey], [ErrNotEncrypted], [ErrDamaged], errTorn.
func parseHeader(disk [32]byte, h []byte) (fileKey, error) {
	whole := len(h) == headerSize
	switch {
	case isZero(h), !whole && bytes.HasPrefix(h, []byte(magic)[:min(len(h), len(magic))]):
		return fileKey{}, errTorn
	case !whole || !bytes.HasPrefix(h, []byte(magic)):
		return fileKey{}, ErrNotEncrypted
	}
	if sum := sha256.Sum256(h[:48]); !bytes.Equal(sum[:16], h[48:]) {
		return fileKey{}, ErrDamaged
	}
	k, err := deriveFileKey(disk, nonce(h[16:32]))
	if err != nil {
		return fileKey{}, err
	}
	if subtle.ConstantTimeCompare(k.check[:], h[32:48]) != 1 {
		return fileKey{}, ErrWrongKey
	}
	return k, nil
}

// streamAt is the key stream from byte offset on.
func (k fileKey) streamAt(offset int64) cipher.Stream { return streamAt(k.block, offset) }

func streamAt(block cipher.Block, offset int64) cipher.Stream {
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(offset)/aes.BlockSize)
	s := cipher.NewCTR(block, counter[:])
	if skip := offset % aes.BlockSize; skip != 0 {
		var unused [aes.BlockSize]byte
		s.XORKeyStream(unused[:skip], unused[:skip])
	}
	return s
}

// isZero reports whether there is no bit set in b.
func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
