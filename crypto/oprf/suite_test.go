package oprf

import (
	"bytes"
	"crypto"
	"fmt"
	"sync"
	"testing"

	"github.com/gtank/ristretto255"
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/h2c"
	"pgregory.net/rapid"
)

// Everything in this file compares with implementations that share no code with
// ours: gtank/ristretto255 for the group, the h2c package for the expansion.

func TestExpansionIsThatOfRFC9380(t *testing.T) {
	// One hasher for all, since what a message leaves behind must not reach the next.
	h := newHasher(dstGroup)
	rapid.Check(t, func(rt *rapid.T) {
		message := rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(rt, "message")
		h.start().buf = append(h.buf, message...)
		got, want := h.uniform(), make([]byte, 64)
		if err := h2c.ExpandMessageXMD(want, crypto.SHA512, []byte(dstGroup), message); err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(got[:], want) {
			rt.Errorf("got %x, want %x", got, want)
		}
	})
}

func TestTheGroupIsThatOfGtank(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		wide := rapid.SliceOfN(rapid.Byte(), 64, 64)
		us, vs, ks := wide.Draw(rt, "u"), wide.Draw(rt, "v"), wide.Draw(rt, "k")
		k := wideScalar((*[scalar.ScalarWideSize]byte)(ks))
		var u, v, got curve.RistrettoPoint
		for p, b := range map[*curve.RistrettoPoint][]byte{&u: us, &v: vs} {
			if _, err := p.SetUniformBytes(b); err != nil {
				rt.Fatal(err)
			}
		}
		theirU, theirV := ristretto255.NewElement().FromUniformBytes(us), ristretto255.NewElement().FromUniformBytes(vs)
		theirK := ristretto255.NewScalar().FromUniformBytes(ks)
		same := func(name string, p *curve.RistrettoPoint, e *ristretto255.Element) {
			got := encode(p)
			if want := e.Encode(nil); !bytes.Equal(got[:], want) {
				rt.Errorf("%s: got %x, want %x", name, got, want)
			}
		}
		theirs := ristretto255.NewElement()
		same("map", &u, theirU)
		same("sum", got.Add(&u, &v), theirs.Add(theirU, theirV))
		same("difference", got.Sub(&u, &v), theirs.Subtract(theirU, theirV))
		same("multiple", got.Mul(&u, &k), theirs.ScalarMult(theirK, theirU))
		same("multiple of the generator", got.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, &k), theirs.ScalarBaseMult(theirK))
		same("multiple by table", got.MulBasepoint(curve.NewRistrettoBasepointTable(&u), &k), theirs.ScalarMult(theirK, theirU))
	})
}

// Bytes drawn at random are rarely an element, so most rows start from one.
func TestTheElementsAreThoseOfGtank(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		wide := rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(rt, "element")
		e := Element(ristretto255.NewElement().FromUniformBytes(wide).Encode(nil))
		switch rapid.IntRange(0, 3).Draw(rt, "change") {
		case 0:
			e[rapid.IntRange(0, ElementSize-1).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		case 1:
			e = Element(wide[:ElementSize])
		}
		theirs := ristretto255.NewElement()
		want := theirs.Decode(e[:]) == nil
		var p curve.RistrettoPoint
		err := decode(&p, e)
		if (err == nil) != want {
			rt.Fatalf("decode %x: %v, though gtank accepts: %v", e, err, want)
		}
		if err != nil {
			refused++
			return
		}
		accepted++
		if got := encode(&p); got != e || !bytes.Equal(theirs.Encode(nil), e[:]) {
			rt.Errorf("decoded and encoded: got %x, want %x", got, e)
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted and %d refused, want some of both", accepted, refused)
	}
}

func TestTheScalarsAreThoseOfGtank(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		wide := rapid.SliceOfN(rapid.Byte(), 64, 64)
		as, bs := wide.Draw(rt, "a"), wide.Draw(rt, "b")
		a, b := wideScalar((*[scalar.ScalarWideSize]byte)(as)), wideScalar((*[scalar.ScalarWideSize]byte)(bs))
		theirA, theirB := ristretto255.NewScalar().FromUniformBytes(as), ristretto255.NewScalar().FromUniformBytes(bs)
		same := func(name string, s *scalar.Scalar, want *ristretto255.Scalar) {
			if got := scalarBytes(s); !bytes.Equal(got[:], want.Encode(nil)) {
				rt.Errorf("%s: got %x, want %x", name, got, want.Encode(nil))
			}
		}
		var got scalar.Scalar
		theirs := ristretto255.NewScalar()
		same("reduced", &a, theirA)
		same("sum", got.Add(&a, &b), theirs.Add(theirA, theirB))
		same("difference", got.Sub(&a, &b), theirs.Subtract(theirA, theirB))
		same("product", got.Mul(&a, &b), theirs.Multiply(theirA, theirB))
		same("opposite", got.Neg(&a), theirs.Negate(theirA))
		if a.Equal(scalar.New()) != 1 {
			same("inverse", got.Invert(&a), theirs.Invert(theirA))
		}

		var p, q curve.RistrettoPoint
		if _, err := p.SetUniformBytes(as); err != nil {
			rt.Fatal(err)
		}
		e := encode(q.DoubleScalarMulBasepointVartime(&a, &p, &b))
		theirP := ristretto255.NewElement().FromUniformBytes(as)
		if want := ristretto255.NewElement().VarTimeDoubleScalarBaseMult(theirA, theirP, theirB).Encode(nil); !bytes.Equal(e[:], want) {
			rt.Errorf("double multiple: got %x, want %x", e, want)
		}
	})
}

func TestASumOfManyIsThatOfGtank(t *testing.T) {
	const most = 1000
	h := newHasher(dstScalar)
	weights, points := make([]scalar.Scalar, most), make([]curve.RistrettoPoint, most)
	theirWeights, theirPoints := make([]*ristretto255.Scalar, most), make([]*ristretto255.Element, most)
	for i := range most {
		u := h.start().number(i).uniform()
		weights[i] = wideScalar(&u)
		theirWeights[i] = ristretto255.NewScalar().FromUniformBytes(u[:])
		if _, err := points[i].SetUniformBytes(u[:]); err != nil {
			t.Fatal(err)
		}
		theirPoints[i] = ristretto255.NewElement().FromUniformBytes(u[:])
	}
	for _, n := range []int{1, 5, 189, 190, 383, 384, 800, most} {
		want := ristretto255.NewElement().VarTimeMultiScalarMult(theirWeights[:n], theirPoints[:n]).Encode(nil)
		for _, processors := range []int{1, 2, 7} {
			t.Run(fmt.Sprintf("%d on %d", n, processors), func(t *testing.T) {
				p := sum(weights[:n], points[:n], processors)
				if got := encode(&p); !bytes.Equal(got[:], want) {
					t.Errorf("got %x, want %x", got, want)
				}
			})
		}
	}
}

func TestLagrangeWeightsInterpolate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		nodes := rapid.SliceOfNDistinct(rapid.Uint16(), 1, 8, rapid.ID[uint16]).Draw(rt, "nodes")
		x := rapid.Uint16().Filter(func(x uint16) bool {
			for _, n := range nodes {
				if n == x {
					return false
				}
			}
			return true
		}).Draw(rt, "x")
		polynomial := make([]scalar.Scalar, len(nodes))
		for i := range polynomial {
			u := (*[scalar.ScalarWideSize]byte)(rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(rt, "coefficient"))
			polynomial[i] = wideScalar(u)
		}
		indices := make([]Index, len(nodes))
		for i, n := range nodes {
			indices[i] = Index(n)
		}
		var got, value, want scalar.Scalar
		for i, weight := range lagrange(indices, Index(x)) {
			evaluatePolynomial(&value, polynomial, indices[i])
			got.Add(&got, value.Mul(&value, &weight))
		}
		evaluatePolynomial(&want, polynomial, Index(x))
		if got.Equal(&want) != 1 {
			rt.Errorf("the value at %d does not come out", x)
		}
	})
}

func TestWorkInPartsVisitsEverythingOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(rt, "n")
		parts := rapid.IntRange(1, 20).Draw(rt, "parts")
		var mu sync.Mutex
		visits := make([]int, n)
		inParts(n, parts, func(_, from, to int) {
			mu.Lock()
			defer mu.Unlock()
			for i := from; i < to; i++ {
				visits[i]++
			}
		})
		for i, v := range visits {
			if v != 1 {
				rt.Fatalf("item %d was visited %d times", i, v)
			}
		}
	})
}
