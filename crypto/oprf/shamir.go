package oprf

import (
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// lagrange returns the weights with which the values of a polynomial of degree
// len(nodes)-1 at the nodes add up to its value at x. The nodes are distinct and
// x is none of them. Everything here is public.
func lagrange(nodes []Index, x Index) []scalar.Scalar {
	weights := make([]scalar.Scalar, len(nodes))
	bottoms := make([]scalar.Scalar, len(nodes))
	inverted := make([]*scalar.Scalar, len(nodes))
	for i, a := range nodes {
		weights[i].One()
		bottoms[i].One()
		inverted[i] = &bottoms[i]
		for _, b := range nodes {
			if a == b {
				continue
			}
			weights[i].Mul(&weights[i], difference(x, b))
			bottoms[i].Mul(&bottoms[i], difference(a, b))
		}
	}
	scalar.New().BatchInvert(inverted)
	for i := range weights {
		weights[i].Mul(&weights[i], &bottoms[i])
	}
	return weights
}

// difference returns a-b modulo the group's order.
func difference(a, b Index) *scalar.Scalar {
	if a >= b {
		return scalar.NewFromUint64(uint64(a - b))
	}
	return scalar.New().Neg(scalar.NewFromUint64(uint64(b - a)))
}

// Deal makes a key and shares it: any threshold of the servers, numbered from 1,
// can evaluate. Whoever runs it holds the key while it runs, and so does the
// machine's memory. rand is crypto/rand.Reader.
func Deal(rand io.Reader, threshold, servers int) (KeySet, []*Share, error) {
	var secret scalar.Scalar
	defer secret.Zero()
	if err := randomScalar(rand, &secret); err != nil {
		return KeySet{}, nil, fmt.Errorf("deal shares: %w", err)
	}
	return dealSecret(rand, &secret, threshold, servers)
}

// dealSecret shares a given key with Shamir's scheme.
func dealSecret(rand io.Reader, secret *scalar.Scalar, threshold, servers int) (KeySet, []*Share, error) {
	if err := checkSize(threshold, servers); err != nil {
		return KeySet{}, nil, fmt.Errorf("deal shares: %w", err)
	}
	polynomial := make([]scalar.Scalar, threshold)
	defer clear(polynomial)
	polynomial[0].Set(secret)
	for i := 1; i < threshold; i++ {
		if err := randomScalar(rand, &polynomial[i]); err != nil {
			return KeySet{}, nil, fmt.Errorf("deal shares: %w", err)
		}
	}
	var public curve.RistrettoPoint
	public.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, secret)
	keys := KeySet{Threshold: threshold, Public: PublicKey(encode(&public))}
	shares := make([]*Share, servers)
	for i := range shares {
		shares[i] = &Share{index: Index(i + 1)}
		evaluatePolynomial(&shares[i].secret, polynomial, shares[i].index)
		keys.Shares = append(keys.Shares, shares[i].Public())
	}
	// A share or a leading coefficient that happens to be zero would be found
	// here; the odds are one in 2^250.
	if err := keys.Validate(); err != nil {
		return KeySet{}, nil, fmt.Errorf("deal shares: %w", err)
	}
	return keys, shares, nil
}

// evaluatePolynomial sets out to the value at x, by Horner's rule.
func evaluatePolynomial(out *scalar.Scalar, polynomial []scalar.Scalar, x Index) {
	at := scalar.NewFromUint64(uint64(x))
	out.Zero()
	for i := len(polynomial) - 1; i >= 0; i-- {
		out.Mul(out, at)
		out.Add(out, &polynomial[i])
	}
}

// randomScalar draws a uniform scalar (RandomScalar, RFC 9497, section 4.7).
func randomScalar(rand io.Reader, s *scalar.Scalar) error {
	var wide [scalar.ScalarWideSize]byte
	defer clear(wide[:])
	if _, err := io.ReadFull(rand, wide[:]); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	*s = wideScalar(&wide)
	return nil
}
