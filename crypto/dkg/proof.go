package dkg

import (
	"encoding/binary"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"interlock/crypto/oprf"
)

// Proof shows that opened commitments A_k and the Pedersen commitments C_k are of one
// polynomial: with weights w_k hashed from all of them, that its maker knows u
// and v with Σ w_k·A_k = u·G and Σ w_k·(C_k-A_k) = v·H. Two Schnorr proofs of one
// challenge, made non-interactive by Fiat and Shamir's transform: the challenge,
// then the responses for u and v.
type Proof [3 * oprf.ScalarSize]byte

// opening is the statement that a proof is about.
type opening struct {
	transcript []byte // everything the proof is bound to
	weights    []scalar.Scalar
	left       curve.RistrettoPoint // Σ w_k·A_k
	right      curve.RistrettoPoint // Σ w_k·(C_k-A_k)
}

func newOpening(plan PlanID, dealer oprf.Index, committed, opened []curve.RistrettoPoint) opening {
	o := opening{transcript: append([]byte{}, plan[:]...), weights: make([]scalar.Scalar, len(committed))}
	o.transcript = binary.BigEndian.AppendUint16(o.transcript, uint16(dealer))
	o.transcript = binary.BigEndian.AppendUint16(o.transcript, uint16(len(committed)))
	for _, e := range append(encodeAll(committed), encodeAll(opened)...) {
		o.transcript = append(o.transcript, e[:]...)
	}
	hidden := make([]curve.RistrettoPoint, len(committed))
	for k := range committed {
		o.weights[k] = hashToScalar(dstWeight, binary.BigEndian.AppendUint16(o.transcript, uint16(k)))
		hidden[k].Sub(&committed[k], &opened[k])
	}
	o.left, o.right = sum(o.weights, opened), sum(o.weights, hidden)
	return o
}

func (o *opening) challenge(t1, t2 *curve.RistrettoPoint) scalar.Scalar {
	message := append([]byte{}, o.transcript...)
	for _, p := range []*curve.RistrettoPoint{&o.left, &o.right, t1, t2} {
		e := encode(p)
		message = append(message, e[:]...)
	}
	return hashToScalar(dstChallenge, message)
}

// prove makes the proof for the polynomials a and b, with nonces that must never
// serve for another statement. Its time depends on none of them.
func (o *opening) prove(h *curve.RistrettoPoint, a, b []scalar.Scalar, nonces *[2]scalar.Scalar) Proof {
	var t1, t2 curve.RistrettoPoint
	times(&t1, &nonces[0])
	t2.Mul(h, &nonces[1])
	c := o.challenge(&t1, &t2)
	cb := scalarBytes(&c)
	var proof Proof
	copy(proof[:], cb[:])
	for i, polynomial := range [][]scalar.Scalar{a, b} {
		var secret, term, s scalar.Scalar
		for k := range polynomial {
			term.Mul(&o.weights[k], &polynomial[k])
			secret.Add(&secret, &term)
		}
		s.Sub(&nonces[i], secret.Mul(&secret, &c))
		sb := scalarBytes(&s)
		copy(proof[(i+1)*oprf.ScalarSize:], sb[:])
		secret.Zero()
		term.Zero()
	}
	return proof
}

// verify reports whether the proof holds, in variable time.
func (o *opening) verify(h *curve.RistrettoPoint, proof Proof) error {
	var s [3]scalar.Scalar
	for i := range s {
		var err error
		if s[i], err = parseScalar([oprf.ScalarSize]byte(proof[i*oprf.ScalarSize:])); err != nil {
			return err
		}
	}
	var t1 curve.RistrettoPoint
	t1.DoubleScalarMulBasepointVartime(&s[0], &o.left, &s[1])
	t2 := sum([]scalar.Scalar{s[0], s[2]}, []curve.RistrettoPoint{o.right, *h})
	if c := o.challenge(&t1, &t2); c.Equal(&s[0]) != 1 {
		return fmt.Errorf("%w: proof does not hold", ErrDeal)
	}
	return nil
}
