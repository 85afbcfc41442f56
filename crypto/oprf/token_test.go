package oprf

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cloudflare/circl/oprf"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"
)

// circlTokens evaluates the inputs in the clear with circl and the whole key.
func circlTokens(t testing.TB, secret []byte, in [][]byte) []Token {
	t.Helper()
	server := oprf.NewVerifiableServer(oprf.SuiteRistretto255, circlKey(t, secret))
	tokens := make([]Token, len(in))
	for i := range in {
		output, err := server.FullEvaluate(in[i])
		if err != nil {
			t.Fatal(err)
		}
		tokens[i] = Token(output)
	}
	return tokens
}

// dealKnown shares a key that the test knows.
func dealKnown(t testing.TB, threshold, servers int) ([]byte, KeySet, []*Share) {
	t.Helper()
	var secret scalar.Scalar
	if err := randomScalar(rand.Reader, &secret); err != nil {
		t.Fatal(err)
	}
	keys, shares, err := dealSecret(rand.Reader, &secret, threshold, servers)
	if err != nil {
		t.Fatal(err)
	}
	b := scalarBytes(&secret)
	return b[:], keys, shares
}

func TestAnyQuorumGivesTheTokensOfTheWholeKey(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		servers := rapid.IntRange(1, 7).Draw(rt, "servers")
		threshold := rapid.IntRange(1, servers).Draw(rt, "threshold")
		in := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 80), 1, 6).Draw(rt, "inputs")
		quorum := rapid.Permutation(quorums(servers, servers)[0]).Draw(rt, "order")[:threshold]
		secret, keys, shares := dealKnown(t, threshold, servers)

		got := evaluate(t, newClient(t, keys), shares, quorum, in)
		if want := circlTokens(t, secret, in); !tokensEqual(got, want) {
			rt.Error("tokens differ from circl's FullEvaluate with the whole key")
		}
	})
}

// The sizes lie on both sides of every change of method: goroutines, multi-scalar
// multiplication, pieces of it.
func TestABatchOfAnySizeGivesTheTokensOfTheWholeKey(t *testing.T) {
	secret, keys, shares := dealKnown(t, 2, 3)
	client := newClient(t, keys)
	all := identifiers(MaxBatch)
	want := circlTokens(t, secret, all)
	for _, n := range []int{1, 2, 31, 32, 33, 189, 190, 191, 767, 768, 1023, MaxBatch} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if got := evaluate(t, client, shares, []Index{3, 1}, all[:n]); !tokensEqual(got, want[:n]) {
				t.Error("tokens differ from circl's FullEvaluate")
			}
		})
	}
}

func TestTheLongestInputIsAccepted(t *testing.T) {
	secret, keys, shares := dealKnown(t, 1, 1)
	in := [][]byte{make([]byte, MaxInput), {}}
	if got := evaluate(t, newClient(t, keys), shares, []Index{1}, in); !tokensEqual(got, circlTokens(t, secret, in)) {
		t.Error("tokens differ from circl's FullEvaluate")
	}
}

// One server with the whole key is the server of RFC 9497: what circl's server sends
// we send, and each accepts the other's proof.
func TestAServerWithTheWholeKeyIsCirclsServer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 80), 1, 20).Draw(rt, "inputs")
		keys, shares := deal(t, 1, 1)
		r := blind(t, newClient(t, keys), in)
		blinded := r.Blinded()
		wire := make([][]byte, len(blinded))
		for i := range blinded {
			wire[i] = blinded[i][:]
		}
		ours := answersOf(t, shares, []Index{1}, blinded)[0]
		theirs, err := newCirclServer(t, shares[0]).evaluate(wire)
		if err != nil {
			rt.Fatal(err)
		}
		for i, want := range theirs.evaluated {
			if got := ours.Evaluated[i]; !bytes.Equal(got[:], want) {
				rt.Errorf("evaluated element %d: got %x, want %x", i, got, want)
			}
		}
		answer := Answer{Server: 1, Evaluated: elementsOf(t, theirs.evaluated), Proof: Proof(theirs.proof)}
		if err := checkOne(r, []Index{1}, answer); err != nil {
			rt.Errorf("circl's answer: %v", err)
		}
		if err := circlAccepts(newComposed(t, keys), wire, ours); err != nil {
			rt.Errorf("our answer: %v", err)
		}
	})
}

// A server of a quorum is circl's server with the weighted share, for circl too.
func TestCirclAcceptsTheProofsOfAQuorum(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(rt, "identifiers")
		quorum := rapid.Permutation([]Index{1, 2, 3, 4, 5}).Draw(rt, "order")[:3]
		keys, shares := deal(t, 3, 5)
		r := blind(t, newClient(t, keys), identifiers(n))
		blinded := r.Blinded()
		wire := make([][]byte, len(blinded))
		for i := range blinded {
			wire[i] = blinded[i][:]
		}
		weighted := newComposed(t, keys)
		for i := range quorum {
			weight := circlWeight(quorum, quorum[i])
			weighted.public[quorum[i]].Mul(weighted.public[quorum[i]], weight)
		}
		for _, a := range answersOf(t, shares, quorum, blinded) {
			if err := circlAccepts(weighted, wire, a); err != nil {
				rt.Errorf("answer of server %d: %v", a.Server, err)
			}
			a.Evaluated[0] = plusGenerator(t, a.Evaluated[0])
			if circlAccepts(weighted, wire, a) == nil {
				rt.Errorf("circl accepts an altered answer of server %d", a.Server)
			}
		}
	})
}

func TestTheComposedBaselineGivesTheSameTokens(t *testing.T) {
	secret, keys, shares := dealKnown(t, 3, 5)
	in, quorum := identifiers(3), []Index{5, 1, 3}
	c := newComposed(t, keys)
	r, blinded, err := c.blind(in)
	if err != nil {
		t.Fatal(err)
	}
	var answers []composedAnswer
	for _, server := range quorum {
		a, err := newCirclServer(t, shares[server-1]).evaluate(blinded)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	got, err := c.finalize(r, in, quorum, answers)
	if err != nil {
		t.Fatal(err)
	}
	if !tokensEqual(got, circlTokens(t, secret, in)) {
		t.Error("the benchmarks' baseline computes something else")
	}
}

func TestTheSingleServerBaselineGivesTheSameTokens(t *testing.T) {
	secret, _, shares := dealKnown(t, 1, 1)
	in, c := identifiers(3), newSingle(t, shares[0])
	data, blinded, err := c.blind(in)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newCirclServer(t, shares[0]).evaluate(blinded)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.finalize(data, a)
	if err != nil {
		t.Fatal(err)
	}
	if !tokensEqual(got, circlTokens(t, secret, in)) {
		t.Error("the benchmarks' baseline computes something else")
	}
}

func TestFewerThanTheThresholdOfAnswersGiveNoTokens(t *testing.T) {
	_, keys, shares := dealKnown(t, 3, 5)
	r := blind(t, newClient(t, keys), inputs("j.doe@example.org"))
	quorum := []Index{1, 2, 3}
	answers := answersOf(t, shares, quorum, r.Blinded())
	if _, err := r.Finalize(quorum, answers[:2]); !errors.Is(err, ErrQuorum) {
		t.Errorf("two answers of three: got %v, want ErrQuorum", err)
	}
	if _, err := r.Finalize(quorum[:2], answers[:2]); !errors.Is(err, ErrQuorum) {
		t.Errorf("a quorum of two: got %v, want ErrQuorum", err)
	}
}

// A client that talks servers into a lower threshold still gets no token: it
// cannot even name a key set under which their answers would be right.
func TestFewerThanTheThresholdOfSharesDoNotMakeTheKey(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		servers := rapid.IntRange(2, 6).Draw(rt, "servers")
		threshold := rapid.IntRange(2, servers).Draw(rt, "threshold")
		few := rapid.Permutation(quorums(servers, servers)[0]).Draw(rt, "order")[:threshold-1]
		secret, keys, shares := dealKnown(t, threshold, servers)

		var sum scalar.Scalar
		for i, weight := range lagrange(few, 0) {
			sum.Add(&sum, scalar.New().Mul(&weight, &shares[few[i]-1].secret))
		}
		if got := scalarBytes(&sum); slices.Equal(got[:], secret) {
			rt.Errorf("%d shares of a threshold of %d interpolate to the key", len(few), threshold)
		}
		keys.Threshold--
		if err := keys.Validate(); !errors.Is(err, ErrKeySet) {
			rt.Errorf("key set with its threshold lowered: got %v, want ErrKeySet", err)
		}
	})
}

func TestTheSameInputIsBlindedAnewEachTime(t *testing.T) {
	_, keys, _ := dealKnown(t, 1, 1)
	client, same := newClient(t, keys), inputs("j.doe@example.org", "j.doe@example.org")
	first, second := blind(t, client, same).Blinded(), blind(t, client, same).Blinded()
	all := append(first, second...)
	for i, e := range all {
		if slices.Contains(all[:i], e) {
			t.Fatal("one blinded element twice")
		}
	}
}

func TestBlindRefusesWhatCannotBeAsked(t *testing.T) {
	_, keys, _ := dealKnown(t, 1, 1)
	client := newClient(t, keys)
	for _, row := range []struct {
		name   string
		inputs [][]byte
		want   error
	}{
		{"nothing", nil, ErrBatch},
		{"one more than a batch", identifiers(MaxBatch + 1), ErrBatch},
		{"an input that is too long", [][]byte{{1}, make([]byte, MaxInput+1)}, ErrInput},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := client.Blind(rand.Reader, row.inputs); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

func TestARequestGivesItsTokensOnceAndForgets(t *testing.T) {
	_, keys, shares := dealKnown(t, 2, 3)
	client, quorum := newClient(t, keys), []Index{1, 3}
	r := blind(t, client, inputs("a", "b"))
	held, blinds := r.inputs[0], r.blinds
	answers := answersOf(t, shares, quorum, r.Blinded())
	if _, err := r.Finalize(quorum, answers); err != nil {
		t.Fatal(err)
	}
	if held[0] != 0 || blinds[0].Equal(scalar.New()) != 1 || blinds[1].Equal(scalar.New()) != 1 {
		t.Error("inputs or blinds are still there after Finalize")
	}
	if _, err := r.Finalize(quorum, answers); !errors.Is(err, ErrSpent) {
		t.Errorf("second Finalize: got %v, want ErrSpent", err)
	}
	given := blind(t, client, inputs("a"))
	held = given.inputs[0]
	given.Destroy()
	if held[0] != 0 {
		t.Error("the input is still there after Destroy")
	}
	if _, err := given.Finalize(quorum, answersOf(t, shares, quorum, given.Blinded())); !errors.Is(err, ErrSpent) {
		t.Errorf("Finalize after Destroy: got %v, want ErrSpent", err)
	}
}

func TestTheCallersInputsMayChangeAfterBlind(t *testing.T) {
	secret, keys, shares := dealKnown(t, 1, 1)
	in := inputs("j.doe@example.org")
	want := circlTokens(t, secret, in)
	r := blind(t, newClient(t, keys), in)
	clear(in[0])
	got, err := r.Finalize([]Index{1}, answersOf(t, shares, []Index{1}, r.Blinded()))
	if err != nil {
		t.Fatal(err)
	}
	if !tokensEqual(got, want) {
		t.Error("the token is that of the changed input")
	}
}
