package oprf

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// compositeWeights returns the weights d_i of ComputeComposites (RFC 9497,
// section 2.2.1) for a key and the elements before and after its use.
func compositeWeights(key Element, blinded, evaluated []Element) []scalar.Scalar {
	seedInput := binary.BigEndian.AppendUint16(nil, ElementSize)
	seedInput = append(seedInput, key[:]...)
	seedInput = binary.BigEndian.AppendUint16(seedInput, uint16(len(dstSeed)))
	seedInput = append(seedInput, dstSeed...)
	seed := sha512.Sum512(seedInput)

	weights := make([]scalar.Scalar, len(blinded))
	spread(len(blinded), func(from, to int) {
		h := newHasher(dstScalar)
		for i := from; i < to; i++ {
			h.start().field(seed[:]).number(i).field(blinded[i][:]).field(evaluated[i][:])
			weights[i] = h.text("Composite").scalar()
		}
	})
	return weights
}

// challenge is the scalar c of RFC 9497, sections 2.2.1 and 2.2.2.
func challenge(key, m, z, t2, t3 Element) scalar.Scalar {
	h := newHasher(dstScalar)
	h.start().field(key[:]).field(m[:]).field(z[:]).field(t2[:]).field(t3[:])
	return h.text("Challenge").scalar()
}

// prove is GenerateProof (RFC 9497, section 2.2.1) for the composites m and
// z = k·m and the public key of k, with the nonce r. Its time does not depend on
// k or r.
func prove(k, r *scalar.Scalar, key Element, m *composite, z Element) Proof {
	var t2, t3 curve.RistrettoPoint
	t2.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, r)
	t3.Mul(&m.point, r)
	c := challenge(key, m.encoded, z, encode(&t2), encode(&t3))
	var ck, s scalar.Scalar
	ck.Mul(&c, k)
	s.Sub(r, &ck)
	ck.Zero()

	var p Proof
	cb, sb := scalarBytes(&c), scalarBytes(&s)
	copy(p[:ScalarSize], cb[:])
	copy(p[ScalarSize:], sb[:])
	return p
}

// nonce makes the proof's random scalar from fresh randomness, the key and the
// statement, so that a machine which repeats its random numbers (a restored
// snapshot) repeats a proof and does not give away its key.
func nonce(rand io.Reader, k *scalar.Scalar, key, m, z Element) (scalar.Scalar, error) {
	const label = "interlock oprf proof nonce 1"
	var seed [len(label) + 64 + ScalarSize + 3*ElementSize]byte
	defer clear(seed[:])
	n := copy(seed[:], label)
	if _, err := io.ReadFull(rand, seed[n:n+64]); err != nil {
		return scalar.Scalar{}, fmt.Errorf("read randomness: %w", err)
	}
	n += 64
	secret := scalarBytes(k)
	defer clear(secret[:])
	for _, b := range [][ScalarSize]byte{secret, key, m, z} {
		n += copy(seed[n:], b[:])
	}
	wide := sha512.Sum512(seed[:])
	defer clear(wide[:])
	return wideScalar(&wide), nil
}

// composite is a weighted sum of a batch (RFC 9497, section 2.2.1), in both forms.
type composite struct {
	point   curve.RistrettoPoint
	encoded Element
}

func compositeOf(p curve.RistrettoPoint) composite {
	return composite{point: p, encoded: encode(&p)}
}

// batch is elements in both forms.
type batch struct {
	encoded []Element
	points  []curve.RistrettoPoint
}

// composites returns the weighted sums of both batches, side by side.
func composites(weights []scalar.Scalar, blinded, evaluated []curve.RistrettoPoint) (m, z composite) {
	processors := runtime.GOMAXPROCS(0)
	if processors == 1 {
		return compositeOf(sum(weights, blinded, 1)), compositeOf(sum(weights, evaluated, 1))
	}
	var wg sync.WaitGroup
	wg.Go(func() { m = compositeOf(sum(weights, blinded, processors/2)) })
	z = compositeOf(sum(weights, evaluated, processors-processors/2))
	wg.Wait()
	return m, z
}
