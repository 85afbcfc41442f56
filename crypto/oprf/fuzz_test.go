package oprf

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"testing"

	"github.com/gtank/ristretto255"
	"github.com/oasisprotocol/curve25519-voi/curve"
)

// fixed is randomness that every process of a fuzzing run has in common, so that
// the seeds of one fit the keys of the others.
func fixed() io.Reader { return mathrand.NewChaCha8([32]byte{}) }

func dealFixed(t testing.TB, threshold, servers int) (KeySet, []*Share) {
	t.Helper()
	keys, shares, err := Deal(fixed(), threshold, servers)
	if err != nil {
		t.Fatal(err)
	}
	return keys, shares
}

func blindFixed(t testing.TB, keys KeySet, inputs [][]byte) *Request {
	t.Helper()
	r, err := newClient(t, keys).Blind(fixed(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func FuzzParseShare(f *testing.F) {
	_, shares := dealFixed(f, 1, 2)
	for _, s := range shares {
		b, err := s.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[1:])
	}
	order := scalarOrder(f)
	f.Add(append([]byte{1, 0, 1}, order[:]...))
	f.Add(make([]byte, shareSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseShare(b)
		if err != nil {
			if !errors.Is(err, ErrShare) {
				t.Fatalf("got %v, want ErrShare", err)
			}
			return
		}
		got, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, b) {
			t.Fatalf("decoded and encoded: %d bytes differ from what came in", len(b))
		}
		var p curve.RistrettoPoint
		if err := decode(&p, s.Public().Key); err != nil {
			t.Fatalf("its public share: %v", err)
		}
	})
}

func FuzzElement(f *testing.F) {
	good := encode(curve.RISTRETTO_BASEPOINT_POINT)
	f.Add(good[:])
	f.Add(make([]byte, ElementSize))
	for n := range byte(4) {
		e := fieldOrderPlus(n)
		f.Add(e[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != ElementSize {
			return
		}
		var p curve.RistrettoPoint
		err := decode(&p, Element(b))
		want := ristretto255.NewElement().Decode(b) == nil && !bytes.Equal(b, make([]byte, ElementSize))
		if (err == nil) != want {
			t.Fatalf("decode: %v, though gtank accepts: %v", err, want)
		}
		if err != nil {
			if !errors.Is(err, ErrElement) {
				t.Fatalf("got %v, want ErrElement", err)
			}
			return
		}
		if got := encode(&p); got != Element(b) {
			t.Fatalf("decoded and encoded: got %x, want %x", got, b)
		}
	})
}

// FuzzEvaluate sends hostile elements to a server: it refuses them, or its answer
// is right and proven.
func FuzzEvaluate(f *testing.F) {
	keys, shares := dealFixed(f, 2, 3)
	client := newClient(f, keys)
	for _, n := range []int{1, 3} {
		b := flatten(blindFixed(f, keys, identifiers(n)).Blinded())
		f.Add(b)
		f.Add(append(b, make([]byte, ElementSize)...))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 2*ElementSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		elements := make([]Element, min(len(b)/ElementSize, 8))
		for i := range elements {
			elements[i] = Element(b[i*ElementSize:])
		}
		quorum := []Index{3, 1}
		answer, err := shares[0].Evaluate(rand.Reader, 2, quorum, elements)
		if err != nil {
			if !errors.Is(err, ErrElement) && !errors.Is(err, ErrBatch) {
				t.Fatalf("got %v, want ErrElement or ErrBatch", err)
			}
			return
		}
		r := requestFor(t, client, elements)
		if err := checkOne(r, quorum, answer); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzAnswer sends hostile answers to a client: only the right one passes, and
// there is one right list of elements.
func FuzzAnswer(f *testing.F) {
	keys, shares := dealFixed(f, 2, 3)
	r := blindFixed(f, keys, identifiers(2))
	quorum := []Index{1, 2}
	right, err := shares[1].Evaluate(fixed(), 2, quorum, r.Blinded())
	if err != nil {
		f.Fatal(err)
	}
	ending := append(right.Proof[:], right.Composites[:]...)
	f.Add(append(flatten(right.Evaluated), ending...))
	f.Add(append(flatten(right.Evaluated), append(right.Proof[:], make([]byte, CompositesSize)...)...))
	f.Add(append(flatten(r.Blinded()), ending...))
	f.Add(append(flatten([]Element{right.Evaluated[1], right.Evaluated[0]}), ending...))
	f.Add(ending)
	f.Fuzz(func(t *testing.T, b []byte) {
		const fixed = ProofSize + CompositesSize
		if len(b) < fixed {
			return
		}
		split := len(b) - fixed
		a := Answer{Server: 2, Proof: Proof(b[split:]), Composites: Composites(b[split+ProofSize:])}
		for ; split >= ElementSize; split -= ElementSize {
			a.Evaluated = append(a.Evaluated, Element(b[len(a.Evaluated)*ElementSize:]))
		}
		err := checkOne(r, quorum, a)
		if err != nil {
			wantNamed(t, err, 2)
			return
		}
		if !bytes.Equal(flatten(a.Evaluated), flatten(right.Evaluated)) {
			t.Fatal("wrong elements passed")
		}
	})
}

func flatten(elements []Element) []byte {
	var b []byte
	for _, e := range elements {
		b = append(b, e[:]...)
	}
	return b
}
