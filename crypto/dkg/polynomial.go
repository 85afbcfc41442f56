package dkg

import (
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"interlock/crypto/oprf"
)

// Polynomials are slices of coefficients, that of x^0 first. Their value at a
// server's number is that server's share (Shamir 1979), at 0 the secret.

// valueAt returns the polynomial's value at x by Horner's rule, in constant time.
func valueAt(polynomial []scalar.Scalar, x oprf.Index) scalar.Scalar {
	var value scalar.Scalar
	value.Zero()
	at := scalar.NewFromUint64(uint64(x))
	for i := len(polynomial) - 1; i >= 0; i-- {
		value.Mul(&value, at)
		value.Add(&value, &polynomial[i])
	}
	return value
}

// pointAt is valueAt in the exponent: the sum of x^k times commitment k.
func pointAt(commitments []curve.RistrettoPoint, x oprf.Index) curve.RistrettoPoint {
	powers := make([]scalar.Scalar, len(commitments))
	at := scalar.NewFromUint64(uint64(x))
	for i := range powers {
		if i == 0 {
			powers[i].One()
			continue
		}
		powers[i].Mul(&powers[i-1], at)
	}
	return sum(powers, commitments)
}

// lagrange returns the weights with which the values of a polynomial of degree
// len(nodes)-1 at the distinct nodes add up to its value at x.
func lagrange(nodes []oprf.Index, x oprf.Index) []scalar.Scalar {
	weights := make([]scalar.Scalar, len(nodes))
	for i, a := range nodes {
		bottom := scalar.One()
		weights[i].One()
		for _, b := range nodes {
			if a == b {
				continue
			}
			weights[i].Mul(&weights[i], difference(x, b))
			bottom.Mul(bottom, difference(a, b))
		}
		weights[i].Mul(&weights[i], bottom.Invert(bottom))
	}
	return weights
}

// difference returns a-b modulo the group's order.
func difference(a, b oprf.Index) *scalar.Scalar {
	if a >= b {
		return scalar.NewFromUint64(uint64(a - b))
	}
	return scalar.New().Neg(scalar.NewFromUint64(uint64(b - a)))
}

// interpolate returns the polynomial of degree len(nodes)-1 that has the values at
// the nodes: the sum over i of values_i times the i-th Lagrange polynomial.
func interpolate(nodes []oprf.Index, values []scalar.Scalar) []scalar.Scalar {
	polynomial := make([]scalar.Scalar, len(nodes))
	for i, a := range nodes {
		basis := make([]scalar.Scalar, 1, len(nodes)) // the product of x-b over the other nodes b
		basis[0].One()
		bottom := scalar.One()
		for _, b := range nodes {
			if a == b {
				continue
			}
			bottom.Mul(bottom, difference(a, b))
			basis = timesRoot(basis, b)
		}
		weight := scalar.New().Mul(&values[i], bottom.Invert(bottom))
		for k := range basis {
			basis[k].Mul(&basis[k], weight)
			polynomial[k].Add(&polynomial[k], &basis[k])
		}
	}
	return polynomial
}

// timesRoot returns the polynomial times x-b.
func timesRoot(polynomial []scalar.Scalar, b oprf.Index) []scalar.Scalar {
	minus := scalar.New().Neg(scalar.NewFromUint64(uint64(b)))
	out := make([]scalar.Scalar, len(polynomial)+1)
	for k := range polynomial {
		var down scalar.Scalar
		down.Mul(&polynomial[k], minus)
		out[k].Add(&out[k], &down)
		out[k+1].Add(&out[k+1], &polynomial[k])
	}
	return out
}

// fits reports whether a sub-share at x is what the commitments say: s·G + s'·H
// for Pedersen's (Gennaro et al., figure 2, equation 4), s·G for Feldman's, with a
// blind of zero. It takes constant time in the sub-share.
func (t *Transcript) fits(commitments []curve.RistrettoPoint, x oprf.Index, s SubShare) bool {
	share, err := parseScalar(s.Share)
	if err != nil {
		return false
	}
	defer share.Zero()
	blind, err := parseScalar(s.Blind)
	if err != nil {
		return false
	}
	defer blind.Zero()
	var got curve.RistrettoPoint
	if t.plan.Kind == Generate {
		got = pedersen(&t.second, &share, &blind)
	} else {
		if s.Blind != (SubShare{}).Blind {
			return false
		}
		times(&got, &share)
	}
	want := pointAt(commitments, x)
	return got.Equal(&want) == 1
}
