package oprf

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"
)

// claimsOf takes answers apart as a request does.
func claimsOf(t testing.TB, r *Request, quorum []Index, answers []Answer) []*claim {
	t.Helper()
	claims := make([]*claim, len(answers))
	for i, a := range answers {
		var err error
		if claims[i], err = r.claim(&lagrange(quorum, 0)[slices.Index(quorum, a.Server)], a); err != nil {
			t.Fatal(err)
		}
	}
	return claims
}

func TestAServerSendsTheCompositesOfItsProof(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	quorum := []Index{1, 3}
	r := blind(t, newClient(t, keys), identifiers(40))
	for i, c := range claimsOf(t, r, quorum, answersOf(t, shares, quorum, r.Blinded())) {
		m, z := composites(c.weights, r.blinded.points, c.evaluated.points)
		if !c.foretold || c.m.encoded != m.encoded || c.z.encoded != z.encoded {
			t.Errorf("server %d sent other composites", quorum[i])
		}
	}
}

// Every mixture of servers that send composites and servers that do not, at sizes
// on both sides of every change of method.
func TestServersThatSendNoCompositesAreVerifiedAlone(t *testing.T) {
	secret, keys, shares := dealKnown(t, 3, 5)
	client, quorum := newClient(t, keys), []Index{1, 3, 4}
	all := identifiers(400)
	want := circlTokens(t, secret, all)
	for _, n := range []int{1, 40, 400} {
		for mixture := range 1 << len(quorum) {
			t.Run(fmt.Sprintf("%d identifiers, mixture %03b", n, mixture), func(t *testing.T) {
				r := blind(t, client, all[:n])
				answers := answersOf(t, shares, quorum, r.Blinded())
				for i := range answers {
					if mixture>>i&1 == 1 {
						answers[i].Composites = Composites{}
					}
				}
				got, err := r.Finalize(quorum, answers)
				if err != nil {
					t.Fatal(err)
				}
				if !tokensEqual(got, want[:n]) {
					t.Error("tokens differ from circl's FullEvaluate")
				}
			})
		}
	}
}

// The answer and its proof are right: whatever stands beside them changes nothing.
func TestWrongCompositesBesideARightProofChangeNothing(t *testing.T) {
	secret, keys, shares := dealKnown(t, 2, 3)
	in, quorum := identifiers(3), []Index{1, 2}
	client := newClient(t, keys)
	other := answersOf(t, shares, quorum, blind(t, client, in).Blinded())[1].Composites
	half := func(c *Composites, i int) []byte { return c[i*ElementSize : (i+1)*ElementSize] }
	for _, row := range []struct {
		name  string
		alter func(c *Composites, first Composites)
	}{
		{"not elements", func(c *Composites, _ Composites) { c[0] ^= 1; c[ElementSize] ^= 1 }},
		{"M is the identity", func(c *Composites, _ Composites) { clear(half(c, 0)) }},
		{"Z is the identity", func(c *Composites, _ Composites) { clear(half(c, 1)) }},
		{"M twice", func(c *Composites, _ Composites) { copy(half(c, 1), half(c, 0)) }},
		{"Z off by the generator", func(c *Composites, _ Composites) {
			z := plusGenerator(t, Element(half(c, 1)))
			copy(half(c, 1), z[:])
		}},
		{"the other server's", func(c *Composites, first Composites) { *c = first }},
		{"those of another request", func(c *Composites, _ Composites) { *c = other }},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := blind(t, client, in)
			answers := answersOf(t, shares, quorum, r.Blinded())
			row.alter(&answers[1].Composites, answers[0].Composites)
			if claimsOf(t, r, quorum, answers)[1].foretold {
				t.Error("the proof holds for them")
			}
			if err := checkOne(r, quorum, answers[1]); err != nil {
				t.Errorf("Check: %v", err)
			}
			got, err := r.Finalize(quorum, answers)
			if err != nil {
				t.Fatal(err)
			}
			if !tokensEqual(got, circlTokens(t, secret, in)) {
				t.Error("tokens differ from circl's FullEvaluate")
			}
		})
	}
}

// forge makes a server's answer whose composites fit its proof and not its batch:
// element 0 is off by d, and M by x.
func forge(t testing.TB, s *Share, quorum []Index, b batch, d, x *curve.RistrettoPoint) Answer {
	t.Helper()
	var k scalar.Scalar
	k.Mul(&lagrange(quorum, 0)[slices.Index(quorum, s.index)], &s.secret)
	e := evaluateWith(&k, b)
	var first, m, z curve.RistrettoPoint
	if err := decode(&first, e.evaluated[0]); err != nil {
		t.Fatal(err)
	}
	e.evaluated[0] = encode(first.Add(&first, d))
	m = sum(compositeWeights(e.key, b.encoded, e.evaluated), b.points, 1)
	e.m = compositeOf(*m.Add(&m, x))
	e.z = encode(z.Mul(&m, &k))
	r, err := nonce(rand.Reader, &k, e.key, e.m.encoded, e.z)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{Server: s.index, Evaluated: e.evaluated, Proof: e.prove(&k, &r), Composites: e.composites()}
}

func TestCompositesThatFitTheProofAndNotTheBatchAreNamed(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	quorum, g := []Index{1, 2}, curve.RISTRETTO_BASEPOINT_POINT
	none := curve.NewRistrettoPoint().Identity()
	for _, row := range []struct {
		name string
		d, x *curve.RistrettoPoint
	}{
		{"a wrong element", g, none},
		{"wrong composites", none, g},
		{"both", g, g},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := blind(t, newClient(t, keys), identifiers(40))
			right := answersOf(t, shares, quorum, r.Blinded())
			forged := forge(t, shares[1], quorum, r.blinded, row.d, row.x)
			if !claimsOf(t, r, quorum, []Answer{forged})[0].foretold {
				t.Fatal("the forged composites do not fit the proof, so they are not tried")
			}
			wantNamed(t, checkOne(r, quorum, forged), 2)
			faults := r.CheckAll(quorum, []Answer{right[0], forged})
			if faults[0] != nil {
				t.Errorf("the honest server: %v", faults[0])
			}
			wantNamed(t, faults[1], 2)
			_, err := r.Finalize(quorum, []Answer{forged, right[0]})
			wantNamed(t, err, 2)
			if _, err := r.Finalize(quorum, right); err != nil {
				t.Errorf("the right answers: %v", err)
			}
		})
	}
}

// Two servers whose faults cancel in the sum, so that the tokens would be right.
func TestServersWhoseFaultsCancelAreBothNamed(t *testing.T) {
	keys, shares := deal(t, 3, 5)
	quorum := []Index{1, 2, 5}
	r := blind(t, newClient(t, keys), identifiers(3))
	none, g := curve.NewRistrettoPoint().Identity(), curve.RISTRETTO_BASEPOINT_POINT
	answers := answersOf(t, shares, quorum, r.Blinded())
	answers[0] = forge(t, shares[0], quorum, r.blinded, g, none)
	answers[2] = forge(t, shares[4], quorum, r.blinded, curve.NewRistrettoPoint().Neg(g), none)
	faults := r.CheckAll(quorum, answers)
	wantNamed(t, faults[0], 1)
	if faults[1] != nil {
		t.Errorf("the honest server: %v", faults[1])
	}
	wantNamed(t, faults[2], 5)
}

// A server that knew the mixing scalars could choose a fault that they cancel, and
// so pass: it does not know them.
func TestOnlyWhoKnowsTheMixingScalarsCouldCheatThem(t *testing.T) {
	keys, shares := deal(t, 1, 1)
	quorum := []Index{1}
	r := blind(t, newClient(t, keys), identifiers(3))
	none, g := curve.NewRistrettoPoint().Identity(), curve.RISTRETTO_BASEPOINT_POINT
	// With element 0 off by G and M off by xG the combination is d_0 G - (τ+k)xG.
	draft := forge(t, shares[0], quorum, r.blinded, g, none)
	d := compositeWeights(shares[0].Public().Key, r.blinded.encoded, draft.Evaluated)[0]
	var x scalar.Scalar
	x.Invert(x.Add(&r.mix[0], &shares[0].secret))
	x.Mul(&x, &d)
	cheat := forge(t, shares[0], quorum, r.blinded, g, curve.NewRistrettoPoint().Mul(g, &x))
	if !holdTogether(claimsOf(t, r, quorum, []Answer{cheat}), r.blinded.points, r.mix) {
		t.Error("the argument says that this fault passes with these scalars")
	}
	if err := randomScalars(rand.Reader, r.mix); err != nil {
		t.Fatal(err)
	}
	wantNamed(t, checkOne(r, quorum, cheat), 1)
}

func TestTwoRequestsNeverMixWithTheSameScalars(t *testing.T) {
	keys, _ := deal(t, 2, 3)
	client := newClient(t, keys)
	all := append(blind(t, client, inputs("a")).mix, blind(t, client, inputs("a")).mix...)
	if len(all) != 4 {
		t.Fatalf("got %d scalars, want 2 for each request", len(all))
	}
	for i := range all {
		for j := range i {
			if all[i].Equal(&all[j]) == 1 {
				t.Errorf("scalars %d and %d are the same", i, j)
			}
		}
	}
}

// Together they hold if and only if each holds.
func TestClaimsHoldTogetherWhenEachDoes(t *testing.T) {
	keys, shares := deal(t, 4, 4)
	client, quorum := newClient(t, keys), []Index{1, 2, 3, 4}
	rapid.Check(t, func(rt *rapid.T) {
		r := blind(t, client, identifiers(rapid.IntRange(1, 40).Draw(rt, "identifiers")))
		answers := rapid.Permutation(answersOf(t, shares, quorum, r.Blinded())).Draw(rt, "order")
		claims := claimsOf(t, r, quorum, answers[:rapid.IntRange(1, 4).Draw(rt, "claims")])
		want := true
		for _, c := range claims {
			for _, p := range []*curve.RistrettoPoint{&c.m.point, &c.z.point, &c.evaluated.points[len(c.evaluated.points)-1]} {
				if rapid.IntRange(0, 5).Draw(rt, "fault") == 0 {
					p.Add(p, curve.RISTRETTO_BASEPOINT_POINT)
					want = false
				}
			}
		}
		if got := holdTogether(claims, r.blinded.points, r.mix); got != want {
			rt.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestAnAnswerIsRememberedOnce(t *testing.T) {
	keys, shares := deal(t, 2, 2)
	quorum := []Index{1, 2}
	r := blind(t, newClient(t, keys), inputs("a", "b"))
	answers := answersOf(t, shares, quorum, r.Blinded())
	var kept [2]*Element
	for i := range kept {
		if err := errors.Join(r.CheckAll(quorum, answers)...); err != nil {
			t.Fatal(err)
		}
		kept[i] = &r.checked[2].answer.Evaluated[0]
	}
	if kept[0] != kept[1] {
		t.Error("an answer that was known was copied again")
	}
}

func TestCheckAllNamesEachLiarAndNoOther(t *testing.T) {
	keys, shares := deal(t, 3, 5)
	_, others := deal(t, 3, 5)
	quorum := []Index{2, 3, 5}
	r := blind(t, newClient(t, keys), identifiers(20))
	for liars := range 1 << len(quorum) {
		mixed := slices.Clone(shares)
		for i, server := range quorum {
			if liars>>i&1 == 1 {
				mixed[server-1] = others[server-1]
			}
		}
		for i, err := range r.CheckAll(quorum, answersOf(t, mixed, quorum, r.Blinded())) {
			if liars>>i&1 == 1 {
				wantNamed(t, err, quorum[i])
			} else if err != nil {
				t.Errorf("liars %03b: the honest server %d: %v", liars, quorum[i], err)
			}
		}
	}
}

func TestCheckAllRefusesWhatDoesNotFitTheQuorum(t *testing.T) {
	keys, shares := deal(t, 2, 3)
	quorum := []Index{1, 2}
	r := blind(t, newClient(t, keys), inputs("a"))
	right := answersOf(t, shares, quorum, r.Blinded())
	outside := right[1]
	outside.Server = 3
	for _, row := range []struct {
		name    string
		quorum  []Index
		answers []Answer
		want    []bool // which are refused
	}{
		{"a server twice", quorum, []Answer{right[0], right[0]}, []bool{false, true}},
		{"a server outside", quorum, []Answer{outside, right[1]}, []bool{true, false}},
		{"no quorum", nil, right, []bool{true, true}},
		{"a server that does not exist", []Index{1, 4}, right, []bool{true, true}},
		{"fewer answers than servers", quorum, right[1:], []bool{false}},
		{"no answers", quorum, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []bool
			for _, err := range r.CheckAll(row.quorum, row.answers) {
				if err != nil && !errors.Is(err, ErrQuorum) {
					t.Errorf("got %v, want ErrQuorum", err)
				}
				got = append(got, err != nil)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("refused: got %v, want %v", got, row.want)
			}
		})
	}
}
