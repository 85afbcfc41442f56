package dkg

import (
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
)

// restart makes every participant and the transcript anew from what is kept.
func restart(c *ceremony) {
	c.t.Helper()
	for s, p := range c.people {
		b, err := p.MarshalBinary()
		if err != nil {
			c.t.Fatal(err)
		}
		if c.people[s], err = Resume(c.plan, b, c.held[s]); err != nil {
			c.t.Fatal(err)
		}
		p.Destroy()
	}
	again := replay(c.t, c.plan, c.log)
	if again.Digest() != c.transcript.Digest() || again.Phase() != c.transcript.Phase() {
		c.t.Fatal("the replayed transcript differs")
	}
	c.transcript = again
}

func replay(t testing.TB, plan Plan, log [][]byte) *Transcript {
	t.Helper()
	transcript := newTranscript(t, plan)
	for _, b := range log {
		m, err := ParseMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := transcript.Apply(m); err != nil {
			t.Fatal(err)
		}
	}
	return transcript
}

// TestARestartAtEveryStepChangesNothing: all servers lose their memory before
// every single message, among complaints and with a dealer to be reconstructed.
func TestARestartAtEveryStepChangesNothing(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(4)), nil)
	c.lies[1] = dealing(wrongShareTo(3))
	c.before = func(c *ceremony) { c.absent[1] = c.transcript.Phase() >= Opening }
	stepwise(c)
	o := c.finish()
	if diff := cmp.Diff(indices(2, 3, 4), members(o.Keys)); diff != "" {
		t.Error(diff)
	}
	wantSumOfDealers(t, c, o)

	old, before := generated(t, 2, upTo(3))
	c = convene(t, resharePlan(before, upTo(3), 2, upTo(4)), old.holders())
	stepwise(c)
	if after := c.finish(); after.Keys.Public != before.Keys.Public {
		t.Error("another key")
	}
}

// stepwise runs to Confirming with a restart before every message.
func stepwise(c *ceremony) {
	c.t.Helper()
	for c.transcript.Phase() < Confirming {
		c.prepare()
		spoke := false
		for _, s := range c.servers() {
			restart(c)
			spoke = c.speak(s) || spoke
		}
		if !spoke {
			c.apply(c.transcript.Closing())
		}
	}
	restart(c)
}

func TestWhatIsSaidAgainAfterARestartCommitsToTheSame(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	for _, s := range upTo(3) {
		c.speak(s)
	}
	first, _, err := c.people[1].Next(c.transcript)
	if err != nil {
		t.Fatal(err)
	}
	restart(c)
	second, _, err := c.people[1].Next(c.transcript)
	if err != nil {
		t.Fatal(err)
	}
	a, b := first.Body.(Deal), second.Body.(Deal)
	if diff := cmp.Diff(a.Commitments, b.Commitments); diff != "" {
		t.Error(diff)
	}
	if a.Secret != b.Secret {
		t.Error("another part of the federation secret")
	}
	c.apply(second)
	if _, ok, err := c.people[1].Next(c.transcript); ok || err != nil {
		t.Errorf("got %v, %v, want nothing more to say", ok, err)
	}
	if _, err := c.transcript.Apply(first); !errors.Is(err, ErrSpoken) {
		t.Errorf("got %v, want ErrSpoken", err)
	}
}

func TestAServerThatLostItsStateDoesNotSpeak(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	for _, s := range upTo(3) {
		c.speak(s)
	}
	if _, _, err := begin(t, c.plan, 1, nil).Next(c.transcript); !errors.Is(err, ErrState) {
		t.Errorf("got %v, want ErrState", err)
	}
	c.run()
	if _, _, err := begin(t, c.plan, 1, nil).Share(c.transcript); !errors.Is(err, ErrState) {
		t.Errorf("got %v, want ErrState", err)
	}
	c.people[2].Destroy()
	if _, _, err := c.people[2].Share(c.transcript); !errors.Is(err, ErrState) {
		t.Errorf("after destroy: got %v, want ErrState", err)
	}
	if _, err := c.people[2].MarshalBinary(); !errors.Is(err, ErrState) {
		t.Errorf("after destroy: got %v, want ErrState", err)
	}
}

func TestDamagedPrivateStateIsRefused(t *testing.T) {
	plan := generatePlan(2, upTo(3))
	b, err := begin(t, plan, 1, nil).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"short":           func(b []byte) []byte { return b[:stateHeader-1] },
		"no identity":     func(b []byte) []byte { return b[:stateHeader] },
		"version":         func(b []byte) []byte { b[0]++; return b },
		"identity":        func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"something after": func(b []byte) []byte { return append(b, 0) },
		"another plan":    func(b []byte) []byte { b[1] ^= 1; return b },
	} {
		if _, err := Resume(plan, damage(slices.Clone(b)), nil); !errors.Is(err, ErrState) {
			t.Errorf("%s: got %v, want ErrState", name, err)
		}
	}
}

func TestAParticipantPrintsAsAPlaceholder(t *testing.T) {
	p := begin(t, generatePlan(2, upTo(3)), 1, nil)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(format, p); got != redacted {
			t.Errorf("%s prints %q", format, got)
		}
	}
	if got := p.LogValue().String(); !strings.Contains(got, "redacted") {
		t.Errorf("logs %q", got)
	}
}

// Messages in any order within a phase, repeated, late, and from servers that come
// and go: whatever the log holds, all transcripts agree, what comes out is a key, and
// nothing panics.
func TestTheSameLogGivesTheSameState(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(rt, "servers")
		c := convene(t, generatePlan(rapid.IntRange(1, n).Draw(rt, "threshold"), upTo(n)), nil)
		order := mathrand.New(mathrand.NewPCG(rapid.Uint64().Draw(rt, "order"), 0))
		other := newTranscript(t, c.plan)
		for range 12 * n {
			if c.transcript.Phase() >= Done {
				break
			}
			s := oprf.Index(order.IntN(n) + 1)
			if order.IntN(20) == 0 && c.transcript.Check(c.transcript.Closing()) == nil {
				c.apply(c.transcript.Closing())
			} else {
				c.speak(s)
			}
			follow(t, c, other)
		}
		if o, ok := c.transcript.Outcome(); ok {
			wantEvaluates(t, o.Keys, c.shares)
		}
	})
}

// follow applies the whole log, most of it again, and wants the same state.
func follow(t testing.TB, c *ceremony, other *Transcript) {
	t.Helper()
	for _, b := range c.log {
		m, err := ParseMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Apply(m); err != nil {
			t.Fatal(err)
		}
	}
	a, aok := c.transcript.Outcome()
	b, bok := other.Outcome()
	if c.transcript.Digest() != other.Digest() || c.transcript.Phase() != other.Phase() || aok != bok {
		t.Fatal("transcripts differ")
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(c.transcript.Faults(), other.Faults()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(c.transcript.Expected(), other.Expected()); diff != "" {
		t.Error(diff)
	}
}

func TestTheFederationSecretHasAPartOfEveryQualifiedDealer(t *testing.T) {
	c, o := generated(t, 2, upTo(3))
	if o.Federation == (token.Secret{}).Commit() {
		t.Error("the secret is zero")
	}
	for _, s := range upTo(3) {
		saved := c.transcript.deals[s].said.Secret
		var noise [32]byte
		if _, err := rand.Read(noise[:]); err != nil {
			t.Fatal(err)
		}
		c.transcript.deals[s].said.Secret = noise
		if _, _, err := c.people[1].Share(c.transcript); !errors.Is(err, ErrNoShare) {
			t.Errorf("without the part of dealer %d: got %v, want ErrNoShare", s, err)
		}
		c.transcript.deals[s].said.Secret = saved
	}
}
