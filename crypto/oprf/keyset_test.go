package oprf

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"
)

func TestADealtKeySetHoldsTogether(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		servers := rapid.IntRange(1, 9).Draw(rt, "servers")
		threshold := rapid.IntRange(1, servers).Draw(rt, "threshold")
		keys, shares := deal(t, threshold, servers)
		if err := keys.Validate(); err != nil {
			rt.Fatal(err)
		}
		for i, s := range shares {
			if s.Public() != keys.Shares[i] || s.Index() != Index(i+1) {
				rt.Errorf("share %d is not the one in the key set", i+1)
			}
		}
	})
}

// After a server is retired the rest still hold together, gaps and all.
func TestIndicesNeedNotBeConsecutive(t *testing.T) {
	keys, _ := deal(t, 2, 5)
	keys.Shares = slices.Delete(keys.Shares, 1, 3)
	if err := keys.Validate(); err != nil {
		t.Error(err)
	}
}

func TestTheLargestKeySetCanBeDealt(t *testing.T) {
	keys, _ := deal(t, MaxServers/2, MaxServers)
	if err := keys.Validate(); err != nil {
		t.Error(err)
	}
}

func TestDealRefusesAThresholdOutOfReach(t *testing.T) {
	for _, size := range []struct{ threshold, servers int }{{0, 3}, {-1, 3}, {4, 3}, {1, 0}, {1, -1}, {1, MaxServers + 1}} {
		if _, _, err := Deal(rand.Reader, size.threshold, size.servers); !errors.Is(err, ErrKeySet) {
			t.Errorf("%d of %d: got %v, want ErrKeySet", size.threshold, size.servers, err)
		}
	}
}

func TestAKeySetThatContradictsItselfIsRefused(t *testing.T) {
	_, others := deal(t, 3, 5)
	for _, row := range []struct {
		name  string
		alter func(k *KeySet)
	}{
		{"threshold zero", func(k *KeySet) { k.Threshold = 0 }},
		{"threshold negative", func(k *KeySet) { k.Threshold = -1 }},
		{"threshold above the servers", func(k *KeySet) { k.Threshold = 6 }},
		{"threshold too low", func(k *KeySet) { k.Threshold = 2 }},
		{"threshold too high", func(k *KeySet) { k.Threshold = 4 }},
		{"threshold of all", func(k *KeySet) { k.Threshold = 5 }},
		{"no servers", func(k *KeySet) { k.Shares = nil }},
		{"too many servers", func(k *KeySet) { k.Shares = make([]PublicShare, MaxServers+1) }},
		{"another public key", func(k *KeySet) { k.Public = PublicKey(plusGenerator(t, Element(k.Public))) }},
		{"the identity as public key", func(k *KeySet) { k.Public = PublicKey{} }},
		{"a public key that is no element", func(k *KeySet) { k.Public = PublicKey{1} }},
		{"a share of another key, first", func(k *KeySet) { k.Shares[0] = others[0].Public() }},
		{"a share of another key, last", func(k *KeySet) { k.Shares[4] = others[4].Public() }},
		{"the identity as a share", func(k *KeySet) { k.Shares[2].Key = [ElementSize]byte{} }},
		{"a share that is no element", func(k *KeySet) { k.Shares[2].Key = [ElementSize]byte{1} }},
		{"server zero", func(k *KeySet) { k.Shares[0].Index = 0 }},
		{"a server twice", func(k *KeySet) { k.Shares[1] = k.Shares[0] }},
		{"servers out of order", func(k *KeySet) { k.Shares[0], k.Shares[1] = k.Shares[1], k.Shares[0] }},
		{"two keys exchanged", func(k *KeySet) { k.Shares[0].Key, k.Shares[1].Key = k.Shares[1].Key, k.Shares[0].Key }},
		{"an index that is not the share's", func(k *KeySet) { k.Shares[4].Index = 6 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			keys, _ := deal(t, 3, 5)
			row.alter(&keys)
			if err := keys.Validate(); !errors.Is(err, ErrKeySet) {
				t.Errorf("Validate: got %v, want ErrKeySet", err)
			}
			if _, err := NewClient(keys); !errors.Is(err, ErrKeySet) {
				t.Errorf("NewClient: got %v, want ErrKeySet", err)
			}
		})
	}
}

// A dealer who promises three of five, but uses a line, would let two evaluate.
func TestAKeySetThatFewerThanTheThresholdCouldUseIsRefused(t *testing.T) {
	for _, n := range []int{3, 5} {
		keys, _ := deal(t, 2, n)
		keys.Threshold = 3
		if err := keys.Validate(); !errors.Is(err, ErrKeySet) {
			t.Errorf("a line of %d points with threshold 3: got %v, want ErrKeySet", n, err)
		}
	}
}

// The weakness of additive blinding, as DESIGN.md has it: a relay that holds no
// share but can choose the public key, K' = K + dG, answers kB + d(B - H(guess)).
// If nobody checked, the client's token would be right exactly when the guess is,
// and what becomes of the token would tell. The proof stops it.
func TestARelayThatChoosesTheKeyCannotTestAGuess(t *testing.T) {
	const guess = "+14165550142"
	secret, keys, _ := dealKnown(t, 1, 1)
	k := mustScalar(t, secret)
	var d scalar.Scalar
	if err := randomScalar(rand.Reader, &d); err != nil {
		t.Fatal(err)
	}
	var dG, public, hashed curve.RistrettoPoint
	dG.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, &d)
	if err := decode(&public, Element(keys.Public)); err != nil {
		t.Fatal(err)
	}
	public.Add(&public, &dG)
	chosen := KeySet{Threshold: 1, Public: PublicKey(encode(&public)), Shares: []PublicShare{{Index: 1, Key: encode(&public)}}}
	client := newClient(t, chosen)
	hashed, err := newHasher(dstGroup).hashToGroup([]byte(guess))
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range []string{guess, "+14165550143"} {
		r := blind(t, client, inputs(input))
		var shifted, z curve.RistrettoPoint
		shifted.Sub(&r.blinded.points[0], &hashed)
		z.Add(z.Mul(&r.blinded.points[0], &k), shifted.Mul(&shifted, &d))

		unchecked := r.unblind([][]curve.RistrettoPoint{{z}})
		right := tokensEqual(unchecked, circlTokens(t, secret, inputs(input)))
		if right != (input == guess) {
			t.Errorf("unchecked token right: %v, though the argument says %v", right, input == guess)
		}
		// The best proof that the relay could make: for the key it knows.
		e := evaluation{key: Element(chosen.Public), evaluated: []Element{encode(&z)}}
		e.m = compositeOf(sum(compositeWeights(e.key, r.blinded.encoded, e.evaluated), r.blinded.points, 1))
		e.z = encode(z.Mul(&e.m.point, &d))
		wantNamed(t, checkOne(r, []Index{1}, Answer{Server: 1, Evaluated: e.evaluated, Proof: e.prove(&d, &k), Composites: e.composites()}), 1)
	}
}
