package oprf

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Share is one server's secret part of a key. It may be used by many goroutines
// at once, but Destroy must come after all of them.
type Share struct {
	index  Index
	secret scalar.Scalar // never zero, unless destroyed
}

const (
	shareVersion = 1
	shareSize    = 1 + 2 + ScalarSize
)

// Index returns the number of the server that the share was made for.
func (s *Share) Index() Index { return s.index }

// Public returns the public key of the share. A server that starts compares it
// with its entry in the key set.
func (s *Share) Public() PublicShare {
	var p curve.RistrettoPoint
	p.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, &s.secret)
	return PublicShare{Index: s.index, Key: encode(&p)}
}

// Destroy erases the secret. The share evaluates nothing afterwards.
func (s *Share) Destroy() { s.secret.Zero() }

func (s *Share) destroyed() bool {
	var zero scalar.Scalar
	return s.secret.Equal(&zero) == 1
}

// MarshalBinary encodes the share, secret included: a version byte (1), the index
// in two bytes, most significant first, and the scalar in 32, least significant
// first. The bytes are to be sealed.
func (s *Share) MarshalBinary() ([]byte, error) {
	if s.destroyed() {
		return nil, fmt.Errorf("encode share: %w: destroyed", ErrShare)
	}
	secret := scalarBytes(&s.secret)
	defer clear(secret[:])
	b := make([]byte, 0, shareSize)
	b = append(b, shareVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(s.index))
	return append(b, secret[:]...), nil
}

// ParseShare decodes what MarshalBinary wrote, and nothing else. The error wraps
// [ErrShare] and holds nothing of the bytes.
func ParseShare(b []byte) (*Share, error) {
	if len(b) != shareSize {
		return nil, fmt.Errorf("parse share: %w: %d bytes, want %d", ErrShare, len(b), shareSize)
	}
	if b[0] != shareVersion {
		return nil, fmt.Errorf("parse share: %w: unknown version", ErrShare)
	}
	s := &Share{index: Index(binary.BigEndian.Uint16(b[1:3]))}
	if s.index == 0 {
		return nil, fmt.Errorf("parse share: %w: servers are numbered from 1", ErrShare)
	}
	if _, err := s.secret.SetCanonicalBytes(b[3:]); err != nil {
		return nil, fmt.Errorf("parse share: %w: scalar not canonical", ErrShare)
	}
	if s.destroyed() {
		return nil, fmt.Errorf("parse share: %w: scalar is zero", ErrShare)
	}
	return s, nil
}

// Evaluate multiplies the blinded elements by the share and by the share's
// Lagrange weight at 0 in the quorum, and proves it (BlindEvaluate, RFC 9497,
// section 3.3.2). The threshold is the key set's. It refuses an empty or too long
// batch ([ErrBatch]), a quorum that is not exactly threshold distinct servers with
// this one among them ([ErrQuorum]), anything that is not the canonical encoding
// of an element other than the identity ([ErrElement]), and a destroyed share
// ([ErrShare]). rand is crypto/rand.Reader.
func (s *Share) Evaluate(rand io.Reader, threshold int, quorum []Index, blinded []Element) (Answer, error) {
	if err := checkBatch(len(blinded)); err != nil {
		return Answer{}, fmt.Errorf("evaluate: %w", err)
	}
	if err := checkQuorum(threshold, quorum); err != nil {
		return Answer{}, fmt.Errorf("evaluate: %w", err)
	}
	own := slices.Index(quorum, s.index)
	if own < 0 {
		return Answer{}, fmt.Errorf("evaluate: %w: server %d is not in it", ErrQuorum, s.index)
	}
	if s.destroyed() {
		return Answer{}, fmt.Errorf("evaluate: %w: destroyed", ErrShare)
	}
	points, err := decodeAll(blinded)
	if err != nil {
		return Answer{}, fmt.Errorf("evaluate: %w", err)
	}

	var k scalar.Scalar
	defer k.Zero()
	k.Mul(&lagrange(quorum, 0)[own], &s.secret)
	e := evaluateWith(&k, batch{encoded: blinded, points: points})
	r, err := nonce(rand, &k, e.key, e.m.encoded, e.z)
	if err != nil {
		return Answer{}, fmt.Errorf("evaluate: %w", err)
	}
	defer r.Zero()
	return Answer{Server: s.index, Evaluated: e.evaluated, Proof: e.prove(&k, &r), Composites: e.composites()}, nil
}

// evaluation is a batch times a secret, and the composites for its proof.
type evaluation struct {
	key       Element
	evaluated []Element
	m         composite
	z         Element
}

// evaluateWith multiplies a batch by k in constant time. The composites' weights
// are public, and so is m; z is k·m (ComputeCompositesFast, RFC 9497, section 2.2.1).
func evaluateWith(k *scalar.Scalar, b batch) evaluation {
	var key, z curve.RistrettoPoint
	key.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, k)
	e := evaluation{key: encode(&key), evaluated: make([]Element, len(b.points))}
	spread(len(b.points), func(from, to int) {
		var p curve.RistrettoPoint
		for i := from; i < to; i++ {
			e.evaluated[i] = encode(p.Mul(&b.points[i], k))
		}
	})
	weights := compositeWeights(e.key, b.encoded, e.evaluated)
	e.m = compositeOf(sum(weights, b.points, runtime.GOMAXPROCS(0)))
	e.z = encode(z.Mul(&e.m.point, k))
	return e
}

func (e *evaluation) prove(k, r *scalar.Scalar) Proof {
	return prove(k, r, e.key, &e.m, e.z)
}

func (e *evaluation) composites() (c Composites) {
	copy(c[:ElementSize], e.m.encoded[:])
	copy(c[ElementSize:], e.z[:])
	return c
}

func checkBatch(n int) error {
	if n < 1 || n > MaxBatch {
		return fmt.Errorf("%w: %d elements, want 1 to %d", ErrBatch, n, MaxBatch)
	}
	return nil
}
