package oprf

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"
)

// wantNamed fails unless err names the server.
func wantNamed(t testing.TB, err error, server Index) {
	t.Helper()
	var wrong *WrongShareError
	if !errors.As(err, &wrong) {
		t.Fatalf("got error %v, want a WrongShareError", err)
	}
	if wrong.Server != server {
		t.Fatalf("server %d is blamed, want %d", wrong.Server, server)
	}
}

func TestAWrongShareIsNamed(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	_, others := deal(t, 2, 3)
	client, quorum := newClient(t, keys), []Index{2, 3}
	r := blind(t, client, inputs("a", "b", "c"))
	shares[2] = others[2]
	answers := answersOf(t, shares, quorum, r.Blinded())

	_, err := r.Finalize(quorum, answers)
	wantNamed(t, err, 3)
	wantNamed(t, checkOne(r, quorum, answers[1]), 3)
	if err := checkOne(r, quorum, answers[0]); err != nil {
		t.Errorf("the honest server: %v", err)
	}
}

func TestAfterAWrongServerIsReplacedTheTokensAreRight(t *testing.T) {
	secret, keys, shares := dealKnown(t, 2, 3)
	_, others := deal(t, 2, 3)
	in := inputs("a", "b")
	r := blind(t, newClient(t, keys), in)
	first := answersOf(t, []*Share{shares[0], others[1]}, []Index{1, 2}, r.Blinded())
	_, err := r.Finalize([]Index{1, 2}, first)
	wantNamed(t, err, 2)

	got, err := r.Finalize([]Index{1, 3}, answersOf(t, shares, []Index{1, 3}, r.Blinded()))
	if err != nil {
		t.Fatal(err)
	}
	if !tokensEqual(got, circlTokens(t, secret, in)) {
		t.Error("tokens differ from circl's FullEvaluate")
	}
}

// Each row changes a right answer; the server it came from is to be blamed.
func TestAnAlteredAnswerIsNamed(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	client, quorum := newClient(t, keys), []Index{1, 2}
	r := blind(t, client, inputs("a", "b", "c"))
	other := blind(t, client, inputs("a", "b", "c"))
	right := answersOf(t, shares, quorum, r.Blinded())
	for _, row := range []struct {
		name  string
		alter func(a *Answer)
	}{
		{"challenge changed", func(a *Answer) { a.Proof[0] ^= 1 }},
		{"response changed", func(a *Answer) { a.Proof[ScalarSize] ^= 1 }},
		{"challenge not canonical", func(a *Answer) { a.Proof[ScalarSize-1] |= 0xf0 }},
		{"response not canonical", func(a *Answer) { a.Proof[ProofSize-1] |= 0xf0 }},
		{"proof all zero", func(a *Answer) { a.Proof = Proof{} }},
		{"two elements swapped", func(a *Answer) { a.Evaluated[0], a.Evaluated[1] = a.Evaluated[1], a.Evaluated[0] }},
		{"one element in place of another", func(a *Answer) { a.Evaluated[0] = a.Evaluated[1] }},
		{"the blinded elements sent back", func(a *Answer) { a.Evaluated = r.Blinded() }},
		{"an element off by the generator", func(a *Answer) { a.Evaluated[2] = plusGenerator(t, a.Evaluated[2]) }},
		{"two elements off by opposite amounts", func(a *Answer) {
			a.Evaluated[0], a.Evaluated[1] = plusGenerator(t, a.Evaluated[0]), minusGenerator(t, a.Evaluated[1])
		}},
		{"an element missing", func(a *Answer) { a.Evaluated = a.Evaluated[:2] }},
		{"no elements", func(a *Answer) { a.Evaluated = nil }},
		{"an element too many", func(a *Answer) { a.Evaluated = append(a.Evaluated, a.Evaluated[0]) }},
		{"the identity", func(a *Answer) { a.Evaluated[1] = Element{} }},
		{"not an element", func(a *Answer) { a.Evaluated[1] = Element{1} }},
		{"the other server's answer", func(a *Answer) { *a = right[0]; a.Server = 2 }},
		{"the answer to another request", func(a *Answer) { *a = answersOf(t, shares, quorum, other.Blinded())[1] }},
		{"the answer for another quorum", func(a *Answer) { *a = answersOf(t, shares, []Index{2, 3}, r.Blinded())[0] }},
	} {
		for _, sent := range []struct {
			name     string
			by1, by2 bool
		}{{"composites from both", true, true}, {"from the honest one", true, false}, {"from the other", false, true}, {"from none", false, false}} {
			t.Run(row.name+", "+sent.name, func(t *testing.T) {
				honest, a := right[0], right[1]
				a.Evaluated = slices.Clone(a.Evaluated)
				row.alter(&a)
				if !sent.by1 {
					honest.Composites = Composites{}
				}
				if !sent.by2 {
					a.Composites = Composites{}
				}
				wantNamed(t, checkOne(r, quorum, a), 2)
				_, err := r.Finalize(quorum, []Answer{honest, a})
				wantNamed(t, err, 2)
			})
		}
	}
	if _, err := r.Finalize(quorum, right); err != nil {
		t.Errorf("the unaltered answers: %v", err)
	}
}

func plusGenerator(t testing.TB, e Element) Element {
	t.Helper()
	var p curve.RistrettoPoint
	if err := decode(&p, e); err != nil {
		t.Fatal(err)
	}
	return encode(p.Add(&p, curve.RISTRETTO_BASEPOINT_POINT))
}

func minusGenerator(t testing.TB, e Element) Element {
	t.Helper()
	var p curve.RistrettoPoint
	if err := decode(&p, e); err != nil {
		t.Fatal(err)
	}
	return encode(p.Sub(&p, curve.RISTRETTO_BASEPOINT_POINT))
}

func TestAnAnswerThatWasCheckedCannotBeExchangedAfterwards(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	client, quorum := newClient(t, keys), []Index{1, 2}
	r := blind(t, client, inputs("a", "b"))
	answers := answersOf(t, shares, quorum, r.Blinded())
	for _, a := range answers {
		if err := checkOne(r, quorum, a); err != nil {
			t.Fatal(err)
		}
	}
	answers[1].Evaluated[0] = plusGenerator(t, answers[1].Evaluated[0])
	_, err := r.Finalize(quorum, answers)
	wantNamed(t, err, 2)
}

func TestAnAnswerThatWasCheckedForOneQuorumIsNotTakenForAnother(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	r := blind(t, newClient(t, keys), inputs("a"))
	stale := answersOf(t, shares, []Index{1, 2}, r.Blinded())[1]
	if err := checkOne(r, []Index{1, 2}, stale); err != nil {
		t.Fatal(err)
	}
	fresh := answersOf(t, shares, []Index{2, 3}, r.Blinded())[1]
	_, err := r.Finalize([]Index{2, 3}, []Answer{stale, fresh})
	wantNamed(t, err, 2)
}

func TestAnswersAndQuorumsThatDoNotFitAreRefused(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	client, quorum := newClient(t, keys), []Index{1, 2}
	r := blind(t, client, inputs("a"))
	right := answersOf(t, shares, quorum, r.Blinded())
	stranger := right[1]
	stranger.Server = 3
	for _, row := range []struct {
		name    string
		quorum  []Index
		answers []Answer
	}{
		{"no quorum", nil, right},
		{"a server twice", []Index{1, 1}, right},
		{"a server that does not exist", []Index{1, 4}, right},
		{"server zero", []Index{0, 1}, right},
		{"a quorum too large", []Index{1, 2, 3}, right},
		{"no answers", quorum, nil},
		{"one answer", quorum, right[:1]},
		{"one answer twice", quorum, []Answer{right[0], right[0]}},
		{"an answer of a server outside", quorum, []Answer{right[0], stranger}},
		{"an answer too many", quorum, append(slices.Clone(right), stranger)},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := r.Finalize(row.quorum, row.answers); !errors.Is(err, ErrQuorum) {
				t.Errorf("Finalize: got %v, want ErrQuorum", err)
			}
		})
	}
	if err := checkOne(r, quorum, stranger); !errors.Is(err, ErrQuorum) {
		t.Errorf("Check of a server outside: got %v, want ErrQuorum", err)
	}
	if err := checkOne(r, []Index{1, 1}, right[0]); !errors.Is(err, ErrQuorum) {
		t.Errorf("Check for a server twice: got %v, want ErrQuorum", err)
	}
}

func TestAnswersMayBeCheckedAsTheyArrive(t *testing.T) {
	secret, keys, shares := dealKnown(t, 3, 5)
	in, quorum := identifiers(40), []Index{2, 4, 5}
	r := blind(t, newClient(t, keys), in)
	answers := answersOf(t, shares, quorum, r.Blinded())
	faults := make([]error, len(answers))
	var wg sync.WaitGroup
	for i, a := range answers {
		wg.Go(func() { faults[i] = checkOne(r, quorum, a) })
	}
	wg.Wait()
	if err := errors.Join(faults...); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(answers)
	got, err := r.Finalize(quorum, answers)
	if err != nil {
		t.Fatal(err)
	}
	if !tokensEqual(got, circlTokens(t, secret, in)) {
		t.Error("tokens differ from circl's FullEvaluate")
	}
}

// Whoever answers with another multiplier, whatever it is, has no proof for it.
func TestAProofForAnotherKeyNeverHolds(t *testing.T) {
	keys, _ := deal(t, 1, 1)
	client := newClient(t, keys)
	rapid.Check(t, func(rt *rapid.T) {
		key := func(seed []byte) scalar.Scalar { return wideScalar((*[scalar.ScalarWideSize]byte)(seed)) }
		notZero := func(seed []byte) bool { // zero makes identities, which are refused before the proof
			k := key(seed)
			return k.Equal(scalar.New()) != 1
		}
		k := key(rapid.SliceOfN(rapid.Byte(), scalar.ScalarWideSize, scalar.ScalarWideSize).Filter(notZero).Draw(rt, "key"))
		r := blind(t, client, inputs("a", "b"))
		e := evaluateWith(&k, r.blinded)
		nonce, err := nonce(rand.Reader, &k, e.key, e.m.encoded, e.z)
		if err != nil {
			rt.Fatal(err)
		}
		// Once as it is, and once with the true key in the challenge.
		honest := e.prove(&k, &nonce)
		e.key = Element(keys.Public)
		for _, proof := range []Proof{honest, e.prove(&k, &nonce)} {
			wantNamed(t, checkOne(r, []Index{1}, Answer{Server: 1, Evaluated: e.evaluated, Proof: proof}), 1)
		}
	})
}
