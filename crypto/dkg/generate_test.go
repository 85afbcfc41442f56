package dkg

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oasisprotocol/curve25519-voi/curve"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
)

func TestAnyQuorumOfTheSharesEvaluatesUnderTheKey(t *testing.T) {
	for n := 1; n <= 7; n++ {
		for threshold := 1; threshold <= n; threshold++ {
			t.Run(fmt.Sprintf("%d of %d", threshold, n), func(t *testing.T) {
				c, o := generated(t, threshold, upTo(n))
				if o.Keys.Threshold != threshold || len(o.Keys.Shares) != n {
					t.Fatalf("got %d of %d", o.Keys.Threshold, len(o.Keys.Shares))
				}
				if faults := c.transcript.Faults(); len(faults) != 0 {
					t.Errorf("got faults %v among honest servers", faults)
				}
				wantEvaluates(t, o.Keys, c.shares)
			})
		}
	}
}

func TestFewerSharesThanTheThresholdGiveAnotherKey(t *testing.T) {
	c, o := generated(t, 4, upTo(5))
	for _, few := range quorums(3, upTo(5)) {
		secret := secretOf(t, c.shares, few)
		var p curve.RistrettoPoint
		if encode(times(&p, &secret)) == oprf.Element(o.Keys.Public) {
			t.Errorf("servers %v have the key", few)
		}
	}
}

func TestServersNeedNotBeNumberedInARow(t *testing.T) {
	c, o := generated(t, 2, indices(3, 40, 65535))
	if diff := cmp.Diff(indices(3, 40, 65535), members(o.Keys)); diff != "" {
		t.Error(diff)
	}
	wantEvaluates(t, o.Keys, c.shares)
}

func TestTwoCeremoniesMakeTwoKeysAndTwoSecrets(t *testing.T) {
	_, a := generated(t, 2, upTo(3))
	_, b := generated(t, 2, upTo(3))
	if a.Keys.Public == b.Keys.Public || a.Federation == b.Federation {
		t.Error("the same key or secret twice")
	}
}

func TestTheKeyIsTheSumOfWhatEachQualifiedDealerCommittedTo(t *testing.T) {
	c, o := generated(t, 2, upTo(3))
	wantSumOfDealers(t, c, o)
}

// wantSumOfDealers fails unless the key is the sum of the secrets that the qualified
// dealers' seeds stand for.
func wantSumOfDealers(t testing.TB, c *ceremony, o Outcome) {
	t.Helper()
	var want curve.RistrettoPoint
	want.Identity()
	for _, d := range c.transcript.Qualified() {
		a, _, err := c.people[d].polynomials()
		if err != nil {
			t.Fatal(err)
		}
		var p curve.RistrettoPoint
		want.Add(&want, times(&p, &a[0]))
	}
	if encode(&want) != oprf.Element(o.Keys.Public) {
		t.Error("the key is not the sum of the dealers' secrets")
	}
}

func TestAMissingServerIsLeftOutOnceThePhaseIsClosed(t *testing.T) {
	for _, phase := range []Phase{Joining, Dealing, Judging, Confirming} {
		t.Run(phase.String(), func(t *testing.T) {
			c := convene(t, generatePlan(2, upTo(3)), nil)
			c.before = func(c *ceremony) { c.absent[3] = c.transcript.Phase() >= phase }
			o := c.finish()
			if diff := cmp.Diff(indices(1, 2), members(o.Keys)); diff != "" {
				t.Error(diff)
			}
			if got := c.transcript.Faults(); len(got) == 0 || got[0] != (Fault{3, phase, Silent}) {
				t.Errorf("got faults %v, want server 3 silent in %v", got, phase)
			}
			wantEvaluates(t, o.Keys, c.shares)
		})
	}
}

func TestAServerThatWasSlowToJudgeStillGetsItsShare(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	c.before = func(c *ceremony) { c.absent[2] = c.transcript.Phase() == Judging }
	if diff := cmp.Diff(upTo(3), members(c.finish().Keys)); diff != "" {
		t.Error(diff)
	}
}

func TestNothingMovesBeforeThePhaseIsClosed(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	c.speak(1)
	c.speak(2)
	if c.transcript.Phase() != Joining {
		t.Fatalf("got phase %v, want joining", c.transcript.Phase())
	}
	if diff := cmp.Diff(indices(3), c.transcript.Expected()); diff != "" {
		t.Error(diff)
	}
}

func TestACeremonyWithTooFewServersFails(t *testing.T) {
	for _, phase := range []Phase{Joining, Dealing, Judging, Opening} {
		t.Run(phase.String(), func(t *testing.T) {
			c := convene(t, generatePlan(2, upTo(3)), nil)
			c.before = func(c *ceremony) {
				c.absent[2] = c.transcript.Phase() >= phase
				c.absent[3] = c.absent[2]
			}
			if got := c.run(); got != Failed {
				t.Fatalf("got phase %v, want failed", got)
			}
			if err := c.transcript.Failure(); !errors.Is(err, ErrTooFew) {
				t.Errorf("got %v, want ErrTooFew", err)
			}
			if _, ok := c.transcript.Outcome(); ok {
				t.Error("a failed ceremony has an outcome")
			}
			if _, _, err := c.people[1].Share(c.transcript); !errors.Is(err, ErrPhase) {
				t.Errorf("got share error %v, want ErrPhase", err)
			}
		})
	}
}

func TestACeremonyWaitsUntilThresholdReceiversHaveConfirmed(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	c.before = func(c *ceremony) {
		c.absent[2] = c.transcript.Phase() == Confirming
		c.absent[3] = c.absent[2]
	}
	if got := c.run(); got != Confirming {
		t.Fatalf("got phase %v, want confirming", got)
	}
	if _, err := c.transcript.Apply(c.transcript.Closing()); !errors.Is(err, ErrTooFew) {
		t.Errorf("got %v, want ErrTooFew", err)
	}
	c.before = nil
	c.absent[2] = false
	if diff := cmp.Diff(indices(1, 2), members(c.finish().Keys)); diff != "" {
		t.Error(diff)
	}
}

func TestAReceiverThatConfirmsAnotherSecretIsLeftOut(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	c.lies[2] = func(_ *ceremony, m Message) Body {
		if _, ok := m.Body.(Confirm); ok {
			return Confirm{Federation: token.Secret{1}.Commit()}
		}
		return m.Body
	}
	if diff := cmp.Diff(indices(1, 3), members(c.finish().Keys)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Fault{{2, Confirming, OtherSecret}}, c.transcript.Faults()); diff != "" {
		t.Error(diff)
	}
}

// Two camps of threshold each need threshold dishonest servers; then nothing is certain.
func TestACeremonyWhoseReceiversDisagreeFails(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(4)), nil)
	other := func(_ *ceremony, m Message) Body {
		if _, ok := m.Body.(Confirm); ok {
			return Confirm{Federation: token.Secret{1}.Commit()}
		}
		return m.Body
	}
	c.lies[1], c.lies[2] = other, other
	if got := c.run(); got != Failed || !errors.Is(c.transcript.Failure(), ErrDisagree) {
		t.Errorf("got %v, %v, want a failure for disagreement", got, c.transcript.Failure())
	}
}
