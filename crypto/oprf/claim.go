package oprf

import (
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// claim is a server's statement that the evaluated elements are the blinded ones
// times the secret of key, with its proof taken apart. All of it is public, and is
// verified in variable time.
type claim struct {
	key       curve.RistrettoPoint
	evaluated batch
	weights   []scalar.Scalar // of the composites
	challenge scalar.Scalar
	response  scalar.Scalar

	// The composites that came with the answer. The proof holds for them if
	// foretold is true; that they belong to the batch is another question.
	m, z     composite
	foretold bool
}

// newClaim makes a claim of the proof and the composites of an answer. It fails
// for a proof that is not canonical.
func newClaim(key *curve.RistrettoPoint, blinded []Element, evaluated batch, a Answer) (*claim, error) {
	c := &claim{key: *key, evaluated: evaluated}
	if _, err := c.challenge.SetCanonicalBytes(a.Proof[:ScalarSize]); err != nil {
		return nil, fmt.Errorf("proof challenge: %w", err)
	}
	if _, err := c.response.SetCanonicalBytes(a.Proof[ScalarSize:]); err != nil {
		return nil, fmt.Errorf("proof response: %w", err)
	}
	c.weights = compositeWeights(encode(key), blinded, evaluated.encoded)
	c.m.encoded, c.z.encoded = Element(a.Composites[:ElementSize]), Element(a.Composites[ElementSize:])
	c.foretold = decode(&c.m.point, c.m.encoded) == nil && decode(&c.z.point, c.z.encoded) == nil && c.holdsFor(&c.m, &c.z)
	return c, nil
}

// verify is VerifyProof (RFC 9497, section 2.2.2).
func (c *claim) verify(blinded []curve.RistrettoPoint) error {
	m, z := composites(c.weights, blinded, c.evaluated.points)
	if !c.holdsFor(&m, &z) {
		return errProof
	}
	return nil
}

// holdsFor reports whether the proof holds for the composites m and z: what is
// left of VerifyProof after ComputeComposites.
func (c *claim) holdsFor(m, z *composite) bool {
	var t2, t3 curve.RistrettoPoint
	t2.DoubleScalarMulBasepointVartime(&c.challenge, &c.key, &c.response)
	t3.MultiscalarMulVartime([]*scalar.Scalar{&c.response, &c.challenge}, []*curve.RistrettoPoint{&m.point, &z.point})
	want := challenge(encode(&c.key), m.encoded, z.encoded, encode(&t2), encode(&t3))
	return c.challenge.Equal(&want) == 1
}
