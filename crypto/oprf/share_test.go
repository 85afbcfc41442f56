package oprf

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

func TestEvaluateRefusesWhatItMustNotAnswer(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	good := blind(t, newClient(t, keys), identifiers(2)).Blinded()
	with := func(e Element) []Element { return []Element{good[0], e} }
	negative := good[1]
	negative[0] |= 1 // canonical elements are even
	high := good[1]
	high[31] |= 0x80
	for _, row := range []struct {
		name    string
		quorum  []Index
		blinded []Element
		want    error
	}{
		{"an empty batch", []Index{1, 2}, nil, ErrBatch},
		{"a batch too long", []Index{1, 2}, make([]Element, MaxBatch+1), ErrBatch},
		{"no quorum", nil, good, ErrQuorum},
		{"a quorum too small", []Index{1}, good, ErrQuorum},
		{"a quorum too large", []Index{1, 2, 3}, good, ErrQuorum},
		{"itself twice", []Index{1, 1}, good, ErrQuorum},
		{"server zero", []Index{1, 0}, good, ErrQuorum},
		{"a quorum without it", []Index{2, 3}, good, ErrQuorum},
		{"the identity", []Index{1, 2}, with(Element{}), ErrElement},
		{"a negative field element", []Index{1, 2}, with(negative), ErrElement},
		{"the high bit", []Index{1, 2}, with(high), ErrElement},
		{"the field's order", []Index{1, 2}, with(fieldOrderPlus(0)), ErrElement},
		{"the identity, not reduced", []Index{1, 2}, with(fieldOrderPlus(1)), ErrElement},
		{"all ones", []Index{1, 2}, with(Element(bytes.Repeat([]byte{0xff}, ElementSize))), ErrElement},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := shares[0].Evaluate(rand.Reader, 2, row.quorum, row.blinded)
			if !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if got.Evaluated != nil {
				t.Error("elements came with the refusal")
			}
		})
	}
	for _, threshold := range []int{-1, 0, MaxServers + 1} {
		quorum := []Index{}
		for i := range threshold {
			quorum = append(quorum, Index(i+1))
		}
		if _, err := shares[0].Evaluate(rand.Reader, threshold, quorum, good); !errors.Is(err, ErrQuorum) {
			t.Errorf("threshold %d: got %v, want ErrQuorum", threshold, err)
		}
	}
}

// fieldOrderPlus encodes 2^255-19+n.
func fieldOrderPlus(n byte) Element {
	e := Element(bytes.Repeat([]byte{0xff}, ElementSize))
	e[0], e[31] = 0xed+n, 0x7f
	return e
}

func TestOneBadElementSpoilsABatchOfAnySize(t *testing.T) {
	keys, shares := deal(t, 1, 1)
	good := blind(t, newClient(t, keys), identifiers(100)).Blinded()
	for _, at := range []int{0, 49, 50, 99} {
		blinded := slices.Clone(good)
		blinded[at] = Element{1}
		if _, err := shares[0].Evaluate(rand.Reader, 1, []Index{1}, blinded); !errors.Is(err, ErrElement) {
			t.Errorf("bad element %d: got %v, want ErrElement", at, err)
		}
	}
}

func TestAShareSurvivesBeingStored(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	for i, s := range shares {
		b, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseShare(b)
		if err != nil {
			t.Fatal(err)
		}
		if got.Index() != s.Index() || got.Public() != keys.Shares[i] {
			t.Errorf("share %d came back as another", s.Index())
		}
	}
}

func TestOnlyACanonicalShareParses(t *testing.T) {
	_, shares := deal(t, 1, 1)
	good, err := shares[0].MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	order := scalarOrder(t)
	for _, row := range []struct {
		name  string
		alter func(b []byte) []byte
	}{
		{"nothing", func([]byte) []byte { return nil }},
		{"a byte short", func(b []byte) []byte { return b[:len(b)-1] }},
		{"a byte more", func(b []byte) []byte { return append(b, 0) }},
		{"version 0", func(b []byte) []byte { b[0] = 0; return b }},
		{"version 2", func(b []byte) []byte { b[0] = 2; return b }},
		{"server zero", func(b []byte) []byte { b[1], b[2] = 0, 0; return b }},
		{"zero", func(b []byte) []byte { clear(b[3:]); return b }},
		{"the group's order", func(b []byte) []byte { copy(b[3:], order[:]); return b }},
		{"the high bit", func(b []byte) []byte { b[len(b)-1] |= 0x80; return b }},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := ParseShare(row.alter(slices.Clone(good))); !errors.Is(err, ErrShare) {
				t.Errorf("got %v, want ErrShare", err)
			}
		})
	}
}

func scalarOrder(t testing.TB) [ScalarSize]byte {
	t.Helper()
	minusOne := scalarBytes(scalar.New().Neg(scalar.One()))
	minusOne[0]++ // the order is odd, so nothing carries
	return minusOne
}

func TestADestroyedShareEvaluatesNothing(t *testing.T) {
	keys, shares := deal(t, 1, 1)
	blinded := blind(t, newClient(t, keys), identifiers(1)).Blinded()
	shares[0].Destroy()
	if _, err := shares[0].Evaluate(rand.Reader, 1, []Index{1}, blinded); !errors.Is(err, ErrShare) {
		t.Errorf("Evaluate: got %v, want ErrShare", err)
	}
	if _, err := shares[0].MarshalBinary(); !errors.Is(err, ErrShare) {
		t.Errorf("MarshalBinary: got %v, want ErrShare", err)
	}
	if shares[0].secret.Equal(scalar.New()) != 1 {
		t.Error("the secret is still there")
	}
}

// A machine that is restored from a snapshot repeats its random numbers. Two
// proofs with one nonce would give the key away: r = s + c·k in both.
func TestRepeatedRandomNumbersDoNotRepeatANonce(t *testing.T) {
	keys, shares := deal(t, 1, 1)
	client := newClient(t, keys)
	seen := map[[ScalarSize]byte]bool{}
	for range 3 {
		blinded := blind(t, client, identifiers(1)).Blinded()
		a, err := shares[0].Evaluate(stuck{}, 1, []Index{1}, blinded)
		if err != nil {
			t.Fatal(err)
		}
		c, s := mustScalar(t, a.Proof[:ScalarSize]), mustScalar(t, a.Proof[ScalarSize:])
		var r scalar.Scalar
		r.Mul(&c, &shares[0].secret)
		r.Add(&r, &s)
		if seen[scalarBytes(&r)] {
			t.Fatal("one nonce in two proofs")
		}
		seen[scalarBytes(&r)] = true
	}
}

// stuck is a random source that always says the same.
type stuck struct{}

func (stuck) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 7
	}
	return len(b), nil
}

func TestNothingIsMadeWithoutRandomness(t *testing.T) {
	keys, shares := deal(t, 2, 2)
	client := newClient(t, keys)
	blinded := blind(t, client, identifiers(1)).Blinded()
	for _, available := range []int{0, 63} {
		short := func() io.Reader { return bytes.NewReader(make([]byte, available)) }
		if _, err := client.Blind(short(), identifiers(1)); err == nil {
			t.Errorf("Blind with %d random bytes succeeded", available)
		}
		if _, err := shares[0].Evaluate(short(), 2, []Index{1, 2}, blinded); err == nil {
			t.Errorf("Evaluate with %d random bytes succeeded", available)
		}
		if _, _, err := Deal(short(), 2, 2); err == nil {
			t.Errorf("Deal with %d random bytes succeeded", available)
		}
	}
}
