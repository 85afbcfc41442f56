package dkg

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
)

// resharePlan moves the outcome of an earlier ceremony.
func resharePlan(o Outcome, dealers []oprf.Index, threshold int, receivers []oprf.Index) Plan {
	return Plan{
		Kind: Reshare, Ceremony: 8, Threshold: threshold, Receivers: receivers, Context: []byte("test network"),
		Dealers: dealers, Old: &o.Keys, Federation: o.Federation,
	}
}

func TestResharingKeepsTheKeyAndTheFederationSecret(t *testing.T) {
	for _, row := range []struct {
		name      string
		from      int
		of        []oprf.Index
		dealers   []oprf.Index
		to        int
		receivers []oprf.Index
	}{
		{"refresh", 2, upTo(3), upTo(3), 2, upTo(3)},
		{"2 of 3 to 3 of 5", 2, upTo(3), upTo(3), 3, upTo(5)},
		{"3 of 5 to 2 of 3", 3, upTo(5), upTo(5), 2, upTo(3)},
		{"one replaced", 2, upTo(3), upTo(3), 2, indices(1, 2, 4)},
		{"one replaced, who is gone", 2, upTo(3), indices(1, 2), 2, indices(1, 2, 4)},
		{"all replaced", 2, upTo(3), upTo(3), 2, indices(4, 5, 6)},
		{"by exactly as many old holders as needed", 3, upTo(5), indices(2, 3, 5), 3, upTo(5)},
		{"1 of 1 to 2 of 3", 1, upTo(1), upTo(1), 2, upTo(3)},
		{"2 of 3 to 1 of 1", 2, upTo(3), upTo(3), 1, indices(9)},
		{"3 of 5 to 5 of 7", 3, upTo(5), upTo(5), 5, upTo(7)},
	} {
		t.Run(row.name, func(t *testing.T) {
			old, before := generated(t, row.from, row.of)
			c := convene(t, resharePlan(before, row.dealers, row.to, row.receivers), old.holders())
			after := c.finish()
			if after.Keys.Public != before.Keys.Public || after.Federation != before.Federation {
				t.Error("another key or secret")
			}
			if diff := cmp.Diff(row.receivers, members(after.Keys)); diff != "" {
				t.Error(diff)
			}
			if after.Keys.Threshold != row.to {
				t.Errorf("got threshold %d, want %d", after.Keys.Threshold, row.to)
			}
			if got, want := secretOf(t, c.shares, row.receivers[:row.to]), secretOf(t, old.shares, row.of[:row.from]); got.Equal(&want) != 1 {
				t.Error("the shares are of another key")
			}
			wantEvaluates(t, after.Keys, c.shares)
		})
	}
}

func TestResharingAgainAndAgainKeepsTheKey(t *testing.T) {
	c, o := generated(t, 2, upTo(3))
	want := singleKeyTokens(t, secretOf(t, c.shares, indices(1, 3)))
	for i, receivers := range [][]oprf.Index{upTo(5), indices(3, 4, 5), indices(4, 5, 6), indices(4, 5, 6)} {
		c = convene(t, resharePlan(o, members(o.Keys), 2+i%2, receivers), c.holders())
		o = c.finish()
	}
	got, err := evaluate(t, o.Keys, c.shares, members(o.Keys)[:o.Keys.Threshold])
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("the tokens changed")
	}
}

func TestOldSharesMixedWithNewOnesEvaluateNothing(t *testing.T) {
	old, before := generated(t, 2, upTo(3))
	c := convene(t, resharePlan(before, upTo(3), 2, upTo(3)), old.holders())
	after := c.finish()
	mixed := map[oprf.Index]*oprf.Share{1: old.shares[1], 2: c.shares[2]}
	for _, row := range []struct {
		keys  oprf.KeySet
		wrong oprf.Index
	}{{after.Keys, 1}, {before.Keys, 2}} {
		_, err := evaluate(t, row.keys, mixed, indices(1, 2))
		var wrong *oprf.WrongShareError
		if !errors.As(err, &wrong) || wrong.Server != row.wrong {
			t.Errorf("got %v, want server %d named", err, row.wrong)
		}
	}
	if got, want := secretOf(t, mixed, indices(1, 2)), secretOf(t, c.shares, indices(1, 2)); got.Equal(&want) == 1 {
		t.Error("an old and a new share give the key")
	}
}

func TestADealerThatResharesSomethingElseIsRefused(t *testing.T) {
	old, before := generated(t, 2, upTo(3))
	c := convene(t, resharePlan(before, upTo(3), 2, upTo(3)), old.holders())
	for _, s := range upTo(3) {
		c.speak(s)
	}
	m, ok, err := c.people[1].Next(c.transcript)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	d := m.Body.(Deal)
	d.Commitments[0] = d.Commitments[1]
	m.Body = d
	digest := c.transcript.Digest()
	if _, err := c.transcript.Apply(m); !errors.Is(err, ErrDeal) {
		t.Errorf("got %v, want ErrDeal", err)
	}
	if c.transcript.Digest() != digest {
		t.Error("a refused deal changed the transcript")
	}
	c.absent[1] = true
	o := c.finish()
	if o.Keys.Public != before.Keys.Public {
		t.Error("another key")
	}
}

func TestAReshareTakesNoOtherFederationSecret(t *testing.T) {
	old, before := generated(t, 2, upTo(3))
	c := convene(t, resharePlan(before, upTo(3), 2, upTo(3)), old.holders())
	for _, s := range upTo(3) {
		c.speak(s)
	}
	m, ok, err := c.people[1].Next(c.transcript)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	body(func(d *Deal) { d.Secret[0] = 1 })(&m)
	if _, err := c.transcript.Apply(m); !errors.Is(err, ErrMessage) {
		t.Errorf("deal: got %v, want ErrMessage", err)
	}
	for c.transcript.Phase() < Confirming {
		for _, s := range upTo(3) {
			if c.transcript.Phase() < Confirming {
				c.speak(s)
			}
		}
	}
	m, ok = c.people[1].Confirm(c.transcript, token.Secret{1})
	if !ok {
		t.Fatal("nobody waits for a confirmation")
	}
	if _, err := c.transcript.Apply(m); !errors.Is(err, ErrMessage) {
		t.Errorf("confirm: got %v, want ErrMessage", err)
	}
}

func TestADishonestOldHolderIsNamedAndTheRestReshare(t *testing.T) {
	for _, row := range []struct {
		name      string
		lie       func(*ceremony, Message) Body
		faults    []Fault
		qualified []oprf.Index
	}{
		{"wrong sub-share, true answer", together(wrongShareTo(2), truth), nil, indices(1, 2)},
		{"wrong sub-share, wrong answer", together(wrongShareTo(2), lie), []Fault{{1, Answering, WrongAnswer}}, indices(2, 3)},
		{"wrong sub-share, no answer", together(wrongShareTo(2), silence), []Fault{{1, Answering, Silent}}, indices(2, 3)},
		{"wrong sub-shares", together(wrongShareTo(2, 3), truth), []Fault{{1, Judging, ManyComplaints}}, indices(2, 3)},
		{"payload does not open", together(garbageTo(3), truth), nil, indices(1, 2)},
		{"another federation secret to one", together(wrongPartTo(3), truth), nil, indices(1, 2)},
		{"another federation secret to all", together(wrongPartTo(2, 3), truth), []Fault{{1, Judging, ManyComplaints}}, indices(2, 3)},
	} {
		t.Run(row.name, func(t *testing.T) {
			old, before := generated(t, 2, upTo(3))
			c := convene(t, resharePlan(before, upTo(3), 2, upTo(3)), old.holders())
			c.lies[1] = row.lie
			after := c.finish()
			if diff := cmp.Diff(row.faults, c.transcript.Faults()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(row.qualified, c.transcript.Qualified()); diff != "" {
				t.Error(diff)
			}
			if after.Keys.Public != before.Keys.Public {
				t.Error("another key")
			}
			if diff := cmp.Diff(upTo(3), members(after.Keys)); diff != "" {
				t.Error(diff)
			}
			wantEvaluates(t, after.Keys, c.shares)
		})
	}
}

func TestAFalseComplaintDisqualifiesNoOldHolder(t *testing.T) {
	old, before := generated(t, 2, upTo(3))
	c := convene(t, resharePlan(before, upTo(2), 2, upTo(3)), old.holders())
	c.lies[3] = func(_ *ceremony, m Message) Body {
		if _, ok := m.Body.(Verdict); ok {
			return Verdict{Shares: indices(1, 2), Secrets: indices(1, 2)}
		}
		return m.Body
	}
	after := c.finish()
	if got := c.transcript.Faults(); len(got) != 0 {
		t.Errorf("got faults %v", got)
	}
	wantEvaluates(t, after.Keys, c.shares)
}

func TestTooFewOldHoldersReshareNothing(t *testing.T) {
	old, before := generated(t, 2, upTo(3))
	c := convene(t, resharePlan(before, upTo(3), 2, upTo(3)), old.holders())
	c.before = func(c *ceremony) {
		c.absent[2] = c.transcript.Phase() == Dealing
		c.absent[3] = c.absent[2]
	}
	if got := c.run(); got != Failed || !errors.Is(c.transcript.Failure(), ErrTooFew) {
		t.Errorf("got %v, %v, want a failure for too few", got, c.transcript.Failure())
	}
}

func TestAPlanThatContradictsItselfIsRefused(t *testing.T) {
	old, o := generated(t, 2, upTo(3))
	other, _ := generated(t, 2, upTo(3))
	good := resharePlan(o, upTo(3), 2, upTo(3))
	for name, change := range map[string]func(*Plan){
		"kind":                 func(p *Plan) { p.Kind = 3 },
		"threshold zero":       func(p *Plan) { p.Threshold = 0 },
		"threshold too high":   func(p *Plan) { p.Threshold = 4 },
		"no receivers":         func(p *Plan) { p.Receivers = nil },
		"receiver zero":        func(p *Plan) { p.Receivers = indices(0, 1, 2) },
		"receiver twice":       func(p *Plan) { p.Receivers = indices(1, 1, 2) },
		"too many receivers":   func(p *Plan) { p.Receivers = upTo(MaxServers + 1) },
		"context too long":     func(p *Plan) { p.Context = make([]byte, MaxContext+1) },
		"no old keys":          func(p *Plan) { p.Old = nil },
		"old keys not in tune": func(p *Plan) { k := *p.Old; k.Threshold = 3; p.Old = &k },
		"too few dealers":      func(p *Plan) { p.Dealers = indices(1) },
		"no such dealer":       func(p *Plan) { p.Dealers = indices(1, 4) },
		"dealers of a new key": func(p *Plan) { p.Kind = Generate },
	} {
		p := good.clone()
		change(&p)
		if _, err := New(p); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: got %v, want ErrPlan", name, err)
		}
		if _, err := Begin(p, 1, old.holders()[1]); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: begin: got %v, want ErrPlan", name, err)
		}
	}
	for name, held := range map[string]*Holding{
		"nothing held":           nil,
		"a share of another key": other.holders()[1],
		"the share of another":   old.holders()[2],
		"another secret with it": {Share: old.shares[1]},
	} {
		if _, err := Begin(good, 1, held); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: got %v, want ErrPlan", name, err)
		}
	}
	if _, err := Begin(good, 4, nil); !errors.Is(err, ErrPlan) {
		t.Errorf("a stranger: got %v, want ErrPlan", err)
	}
}

func TestEveryFieldOfAPlanIsInItsID(t *testing.T) {
	_, o := generated(t, 2, upTo(3))
	good := resharePlan(o, upTo(3), 2, upTo(3))
	seen := map[PlanID]string{good.ID(): "the plan"}
	for name, change := range map[string]func(*Plan){
		"kind":       func(p *Plan) { p.Kind = Generate },
		"ceremony":   func(p *Plan) { p.Ceremony++ },
		"threshold":  func(p *Plan) { p.Threshold++ },
		"receivers":  func(p *Plan) { p.Receivers = upTo(4) },
		"dealers":    func(p *Plan) { p.Dealers = upTo(2) },
		"context":    func(p *Plan) { p.Context = nil },
		"federation": func(p *Plan) { p.Federation[0] ^= 1 },
		"old keys":   func(p *Plan) { p.Old.Shares[0].Key[0] ^= 1 },
		"no old":     func(p *Plan) { p.Old = nil },
	} {
		p := good.clone()
		change(&p)
		if same, ok := seen[p.ID()]; ok {
			t.Errorf("a plan with another %s is named like %s", name, same)
		}
		seen[p.ID()] = fmt.Sprintf("that with another %s", name)
	}
}
