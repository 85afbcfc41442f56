package oprf

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Domain separation (RFC 9497, sections 3.1 and 4.1).
const (
	context   = "OPRFV1-\x01-ristretto255-SHA512"
	dstGroup  = "HashToGroup-" + context
	dstScalar = "HashToScalar-" + context
	dstSeed   = "Seed-" + context
)

// hasher is expand_message_xmd with SHA-512 for 64 uniform bytes (RFC 9380,
// section 5.3.1). It gathers one message after the other in one buffer, since a
// batch hashes thousands. A hasher belongs to one goroutine.
type hasher struct {
	tail []byte // what follows the message: length, zero, DST_prime
	buf  []byte // Z_pad and the message so far
}

func newHasher(dst string) *hasher {
	tail := binary.BigEndian.AppendUint16(nil, sha512.Size)
	tail = append(tail, 0)
	tail = append(tail, dst...)
	tail = append(tail, byte(len(dst)))
	return &hasher{tail: tail, buf: make([]byte, sha512.BlockSize, 4*sha512.BlockSize)}
}

// start forgets the message and begins the next.
func (h *hasher) start() *hasher {
	h.buf = h.buf[:sha512.BlockSize]
	return h
}

func (h *hasher) number(n int) *hasher {
	h.buf = binary.BigEndian.AppendUint16(h.buf, uint16(n))
	return h
}

// field appends b with its length before it.
func (h *hasher) field(b []byte) *hasher {
	h.number(len(b)).buf = append(h.buf, b...)
	return h
}

func (h *hasher) text(s string) *hasher {
	h.buf = append(h.buf, s...)
	return h
}

// uniform ends the message.
func (h *hasher) uniform() [sha512.Size]byte {
	h.buf = append(h.buf, h.tail...)
	first := sha512.Sum512(h.buf)
	h.buf = append(h.buf[:sha512.BlockSize], first[:]...)
	h.buf = append(h.buf, 1)
	h.buf = append(h.buf, h.tail[3:]...)
	return sha512.Sum512(h.buf[sha512.BlockSize:])
}

// scalar ends the message (HashToScalar, RFC 9497, section 4.1).
func (h *hasher) scalar() scalar.Scalar {
	u := h.uniform()
	return wideScalar(&u)
}

// wipe erases what the buffer held, for messages that are secret.
func (h *hasher) wipe() { clear(h.buf[sha512.BlockSize:cap(h.buf)]) }

// hashToGroup maps an input to the group (RFC 9380, appendix B).
func (h *hasher) hashToGroup(input []byte) (curve.RistrettoPoint, error) {
	h.start().buf = append(h.buf, input...)
	u := h.uniform()
	var p curve.RistrettoPoint
	_, err := p.SetUniformBytes(u[:])
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if p.IsIdentity() {
		return p, fmt.Errorf("%w: hashes to the identity", ErrInput)
	}
	return p, nil
}

// finalize hashes an input with its evaluated element to the token (RFC 9497,
// section 3.3.2). The buffer is the caller's, to be used again.
func finalize(buf []byte, input []byte, element Element) (Token, []byte) {
	buf = binary.BigEndian.AppendUint16(buf[:0], uint16(len(input)))
	buf = append(buf, input...)
	buf = binary.BigEndian.AppendUint16(buf, ElementSize)
	buf = append(buf, element[:]...)
	buf = append(buf, "Finalize"...)
	return sha512.Sum512(buf), buf
}
