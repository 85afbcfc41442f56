package dkg

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"interlock/crypto/oprf"
)

// Domain separation (RFC 9380, section 3.1).
const (
	dstGenerator = "interlock-dkg-1-pedersen-generator-ristretto255_XMD:SHA-512_R255MAP_RO_"
	dstWeight    = "interlock-dkg-1-opening-weight"
	dstChallenge = "interlock-dkg-1-opening-challenge"
)

// secondGenerator is Pedersen's h: hashed to the group (RFC 9380, appendix B), so
// that nobody knows its logarithm to the base G.
func secondGenerator() (curve.RistrettoPoint, error) {
	u := uniform(dstGenerator, nil)
	var h curve.RistrettoPoint
	if _, err := h.SetUniformBytes(u[:]); err != nil {
		return h, fmt.Errorf("hash to the second generator: %w", err)
	}
	return h, nil
}

// uniform is expand_message_xmd with SHA-512 for 64 bytes (RFC 9380, section 5.3.1).
func uniform(dst string, message []byte) [sha512.Size]byte {
	tail := append([]byte(dst), byte(len(dst)))
	first := make([]byte, sha512.BlockSize, sha512.BlockSize+len(message)+3+len(tail))
	first = append(first, message...)
	first = binary.BigEndian.AppendUint16(first, sha512.Size)
	first = append(append(first, 0), tail...)
	b0 := sha512.Sum512(first)
	return sha512.Sum512(append(append(b0[:], 1), tail...))
}

// hashToScalar is HashToScalar of RFC 9497, section 4.1, with a domain of our own.
func hashToScalar(dst string, message []byte) scalar.Scalar {
	u := uniform(dst, message)
	return wideScalar(&u)
}

// wideScalar reduces 64 uniform bytes modulo the group's order.
func wideScalar(b *[scalar.ScalarWideSize]byte) scalar.Scalar {
	var s scalar.Scalar
	if _, err := s.SetBytesModOrderWide(b[:]); err != nil {
		panic("dkg: 64 bytes refused as a wide scalar: " + err.Error()) // depends on the length alone
	}
	return s
}

func scalarBytes(s *scalar.Scalar) [oprf.ScalarSize]byte {
	var b [oprf.ScalarSize]byte
	if err := s.ToBytes(b[:]); err != nil {
		panic("dkg: 32 bytes refused for a scalar: " + err.Error()) // depends on the length alone
	}
	return b
}

// parseScalar decodes a canonical scalar.
func parseScalar(b [oprf.ScalarSize]byte) (scalar.Scalar, error) {
	var s scalar.Scalar
	if _, err := s.SetCanonicalBytes(b[:]); err != nil {
		return s, fmt.Errorf("%w: scalar not canonical", ErrMessage)
	}
	return s, nil
}

func encode(p *curve.RistrettoPoint) oprf.Element {
	var c curve.CompressedRistretto
	return oprf.Element(*c.SetRistrettoPoint(p))
}

func encodeAll(points []curve.RistrettoPoint) []oprf.Element {
	list := make([]oprf.Element, len(points))
	for i := range points {
		list[i] = encode(&points[i])
	}
	return list
}

// decodeAll decodes canonical elements and refuses the identity, which an honest
// dealer commits to with a chance of 2^-252.
func decodeAll(elements []oprf.Element) ([]curve.RistrettoPoint, error) {
	points := make([]curve.RistrettoPoint, len(elements))
	for i, e := range elements {
		if e == (oprf.Element{}) {
			return nil, fmt.Errorf("%w: element %d is the identity", ErrMessage, i)
		}
		c := curve.CompressedRistretto(e)
		if _, err := points[i].SetCompressed(&c); err != nil {
			return nil, fmt.Errorf("%w: element %d: %w", ErrMessage, i, err)
		}
	}
	return points, nil
}

// sum returns the weighted sum of points, in variable time: all of it is public.
func sum(weights []scalar.Scalar, points []curve.RistrettoPoint) curve.RistrettoPoint {
	ws := make([]*scalar.Scalar, len(weights))
	ps := make([]*curve.RistrettoPoint, len(points))
	for i := range weights {
		ws[i], ps[i] = &weights[i], &points[i]
	}
	var p curve.RistrettoPoint
	p.MultiscalarMulVartime(ws, ps)
	return p
}

// times sets out to s·G in constant time.
func times(out *curve.RistrettoPoint, s *scalar.Scalar) *curve.RistrettoPoint {
	return out.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, s)
}

// pedersen returns a·G + b·H in constant time.
func pedersen(h *curve.RistrettoPoint, a, b *scalar.Scalar) curve.RistrettoPoint {
	var p, q curve.RistrettoPoint
	p.Add(times(&p, a), q.Mul(h, b))
	return p
}
