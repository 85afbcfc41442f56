package diskcrypt

import (
	"crypto/aes"
	"encoding/binary"
	"fmt"
	"io"
)

// A crash can leave a file longer than what was synced of it, with zeros where the data did not
// arrive. Pebble's log readers know zeros as the end of the log; decrypted, they would be noise, in
// which the readers look for flipped bits at great length. So a block of the cipher that is all
// zeros on the disk is a hole and reads as zeros. A true ciphertext block is all zeros once in
// 2^128.

// decrypt turns the ciphertext p of the plaintext offset into plaintext, in place.
func (f *file) decrypt(p []byte, offset int64) error {
	if f.block == nil {
		clear(p)
		return nil
	}
	for len(p) > 0 {
		n := dataLength(p, offset)
		if n == 0 {
			// What is seen of the block here is all zeros.
			inside := offset % aes.BlockSize
			n = min(aes.BlockSize-int(inside), len(p))
			hole, err := f.isHole(offset-inside, n)
			if err != nil {
				return err
			}
			if hole {
				p, offset = p[n:], offset+int64(n)
				continue
			}
		}
		streamAt(f.block, offset).XORKeyStream(p[:n], p[:n])
		p, offset = p[n:], offset+int64(n)
	}
	return nil
}

// dataLength is the length of p before the first block of which only zeros are seen.
func dataLength(p []byte, offset int64) int {
	n := min((aes.BlockSize-int(offset%aes.BlockSize))%aes.BlockSize, len(p))
	if n > 0 && isZero(p[:n]) {
		return 0
	}
	for b := p[n:]; len(b) >= aes.BlockSize; b = p[n:] {
		// Four blocks at a time, by half of each: a half that is zero is rare enough to look closer.
		for len(b) >= 64 && word(b) != 0 && word(b[16:]) != 0 && word(b[32:]) != 0 && word(b[48:]) != 0 {
			b = b[64:]
		}
		if n = len(p) - len(b); len(b) < aes.BlockSize {
			break
		}
		if word(b)|word(b[8:]) == 0 {
			return n
		}
		n += aes.BlockSize
	}
	if n < len(p) && isZero(p[n:]) {
		return n
	}
	return len(p)
}

func word(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }

// isHole tells whether all of the block at offset is zeros, where seen bytes of it were. It reads the
// block unless all were. The last bytes of a file that do not fill a block are a hole if they
// follow one; by themselves they are too few to tell.
func (f *file) isHole(offset int64, seen int) (bool, error) {
	var b [aes.BlockSize]byte
	if seen == len(b) {
		return true, nil
	}
	n, err := f.base.ReadAt(b[:], headerSize+offset)
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("look for a hole: %w", err)
	}
	if n == len(b) || !isZero(b[:n]) {
		return isZero(b[:]), nil
	}
	if offset == 0 {
		return false, nil
	}
	if _, err := f.base.ReadAt(b[:], headerSize+offset-aes.BlockSize); err != nil {
		return false, fmt.Errorf("look for a hole: %w", err)
	}
	return isZero(b[:]), nil
}
