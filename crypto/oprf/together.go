package oprf

import (
	"runtime"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// holdTogether reports whether the composites that came with the claims are those
// of their batches. It takes a random linear combination, over the claims i, of
//
//	Σ_j d_ij B_j - M_i   and   Σ_j d_ij E_ij - Z_i
//
// which is zero if all of them are, and otherwise by chance, at most 2 in the
// group's order (Bellare, Garay, Rabin: Fast Batch Verification for Modular
// Exponentiation and Digital Signatures, EUROCRYPT 1998). mix is random, a scalar
// for each claim or more, and unknown to whoever made the claims.
func holdTogether(claims []*claim, blinded []curve.RistrettoPoint, mix []scalar.Scalar) bool {
	if len(claims) == 0 {
		return false
	}
	// The combination is Σ_i σ_i (τ (Σ_j d_ij B_j - M_i) + Σ_j d_ij E_ij - Z_i) with σ_0 = 1:
	// each B_j is met once, however many claims there are.
	tau, sigma := &mix[0], append([]scalar.Scalar{*scalar.One()}, mix[1:len(claims)]...)
	shared, own := mixWeights(claims, tau, sigma)
	var t terms
	t.add(shared, blinded)
	for i, c := range claims {
		t.add(own[i], c.evaluated.points)
		var m, z scalar.Scalar
		z.Neg(&sigma[i])
		m.Mul(&z, tau)
		t.add([]scalar.Scalar{m, z}, []curve.RistrettoPoint{c.m.point, c.z.point})
	}
	left := t.sum(runtime.GOMAXPROCS(0))
	return left.IsIdentity()
}

// mixWeights returns τ Σ_i σ_i d_ij for each j, and σ_i d_ij for each i and j.
func mixWeights(claims []*claim, tau *scalar.Scalar, sigma []scalar.Scalar) (shared []scalar.Scalar, own [][]scalar.Scalar) {
	n := len(claims[0].weights)
	shared, own = make([]scalar.Scalar, n), make([][]scalar.Scalar, len(claims))
	own[0] = claims[0].weights
	for i := 1; i < len(claims); i++ {
		own[i] = make([]scalar.Scalar, n)
	}
	spread(n, func(from, to int) {
		for j := from; j < to; j++ {
			shared[j].Set(&own[0][j])
			for i := 1; i < len(claims); i++ {
				own[i][j].Mul(&sigma[i], &claims[i].weights[j])
				shared[j].Add(&shared[j], &own[i][j])
			}
			shared[j].Mul(&shared[j], tau)
		}
	})
	return shared, own
}
