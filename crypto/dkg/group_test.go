package dkg

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"

	"interlock/crypto/oprf"
)

func randomPolynomial(t testing.TB, size int) []scalar.Scalar {
	t.Helper()
	polynomial := make([]scalar.Scalar, size)
	for k := range polynomial {
		if _, err := polynomial[k].SetRandom(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	return polynomial
}

func TestTheSecondGeneratorIsTheHashThatCirclComputes(t *testing.T) {
	h, err := secondGenerator()
	if err != nil {
		t.Fatal(err)
	}
	want, err := group.Ristretto255.HashToElement(nil, []byte(dstGenerator)).MarshalBinaryCompress()
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(&h); got != oprf.Element(want) {
		t.Errorf("got %x, want %x", got, want)
	}
	c := hashToScalar(dstChallenge, []byte("message"))
	wantScalar, err := group.Ristretto255.HashToScalar([]byte("message"), []byte(dstChallenge)).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if got := scalarBytes(&c); got != [32]byte(wantScalar) {
		t.Errorf("got %x, want %x", got, wantScalar)
	}
}

func TestAPolynomialIsRecoveredFromAsManyValuesAsItHasCoefficients(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		polynomial := randomPolynomial(t, rapid.IntRange(1, 7).Draw(rt, "size"))
		nodes := rapid.SliceOfNDistinct(rapid.Uint16Range(1, 65535), len(polynomial), len(polynomial), rapid.ID).Draw(rt, "nodes")
		var servers []oprf.Index
		var values []scalar.Scalar
		for _, n := range nodes {
			servers = append(servers, oprf.Index(n))
			values = append(values, valueAt(polynomial, oprf.Index(n)))
		}
		got := interpolate(servers, values)
		for k := range polynomial {
			if got[k].Equal(&polynomial[k]) != 1 {
				rt.Fatalf("coefficient %d differs", k)
			}
		}
		var sum scalar.Scalar
		for i, w := range lagrange(servers, 0) {
			sum.Add(&sum, w.Mul(&w, &values[i]))
		}
		if sum.Equal(&polynomial[0]) != 1 {
			rt.Fatal("Lagrange's weights do not give the value at 0")
		}
	})
}

func TestCommitmentsFitTheSubSharesOfTheirPolynomialsAlone(t *testing.T) {
	transcript := newTranscript(t, generatePlan(3, upTo(5)))
	a, b := randomPolynomial(t, 3), randomPolynomial(t, 3)
	commitments := commit(transcript, a, b)
	for _, x := range []oprf.Index{1, 2, 65535} {
		right := subShare(a, b, x)
		if !transcript.fits(commitments, x, right) {
			t.Errorf("the sub-share of %d does not fit", x)
		}
		if transcript.fits(commitments, x+1, right) {
			t.Errorf("the sub-share of %d fits another server", x)
		}
		for _, change := range []func(*SubShare){
			func(s *SubShare) { s.Share[0] ^= 1 },
			func(s *SubShare) { s.Blind[0] ^= 1 },
			func(s *SubShare) { s.Share, s.Blind = s.Blind, s.Share },
			func(s *SubShare) { s.Share[31] |= 0xf0 },
			func(s *SubShare) { s.Blind[31] |= 0xf0 },
		} {
			wrong := right
			change(&wrong)
			if transcript.fits(commitments, x, wrong) {
				t.Errorf("a wrong sub-share of %d fits", x)
			}
		}
	}
}

func TestAnOpeningIsProvenForItsOwnPolynomialDealerAndPlanAlone(t *testing.T) {
	transcript := newTranscript(t, generatePlan(3, upTo(5)))
	h := &transcript.second
	a, b, other := randomPolynomial(t, 3), randomPolynomial(t, 3), randomPolynomial(t, 3)
	committed, opened := commit(transcript, a, b), commit(transcript, a, nil)
	nonces := [2]scalar.Scalar(randomPolynomial(t, 2))
	statement := newOpening(transcript.id, 2, committed, opened)
	proof := statement.prove(h, a, b, &nonces)
	if err := statement.verify(h, proof); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]opening{
		"another dealer":                newOpening(transcript.id, 3, committed, opened),
		"another plan":                  newOpening(PlanID{}, 2, committed, opened),
		"another opening":               newOpening(transcript.id, 2, committed, commit(transcript, other, nil)),
		"coefficients in another order": newOpening(transcript.id, 2, committed, []curve.RistrettoPoint{opened[1], opened[0], opened[2]}),
		"other commitments":             newOpening(transcript.id, 2, commit(transcript, a, other), opened),
	} {
		if err := wrong.verify(h, proof); !errors.Is(err, ErrDeal) {
			t.Errorf("%s: got %v, want ErrDeal", name, err)
		}
	}
	for i := range proof {
		wrong := proof
		wrong[i] ^= 0x80
		if statement.verify(h, wrong) == nil {
			t.Errorf("a proof with byte %d changed holds", i)
		}
	}
	// A dealer who opens another polynomial and proves with what it knows.
	lie := newOpening(transcript.id, 2, committed, commit(transcript, other, nil))
	if lie.verify(h, lie.prove(h, other, b, &nonces)) == nil {
		t.Error("another polynomial was proven")
	}
}
