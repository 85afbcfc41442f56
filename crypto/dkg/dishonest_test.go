package dkg

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/oprf"
)

// dealing has a dishonest dealer change its deal.
func dealing(change func(c *ceremony, from oprf.Index, d *Deal)) func(*ceremony, Message) Body {
	return func(c *ceremony, m Message) Body {
		d, ok := m.Body.(Deal)
		if !ok {
			return m.Body
		}
		change(c, m.From, &d)
		return d
	}
}

// resealed replaces the payload to a receiver by an altered one.
func resealed(c *ceremony, from, to oprf.Index, d *Deal, alter func(*payload)) {
	c.t.Helper()
	p := c.people[from]
	a, b, err := p.polynomials()
	if err != nil {
		c.t.Fatal(err)
	}
	part, err := p.part()
	if err != nil {
		c.t.Fatal(err)
	}
	plain := payload{sub: subShare(a, b, to), part: part}
	alter(&plain)
	joined := c.transcript.Joined()
	sealed, err := plain.seal(p.id, from, to, c.transcript.joined[to])
	if err != nil {
		c.t.Fatal(err)
	}
	d.Sealed[slices.Index(joined, to)] = sealed
}

func wrongShareTo(receivers ...oprf.Index) func(*ceremony, oprf.Index, *Deal) {
	return func(c *ceremony, from oprf.Index, d *Deal) {
		for _, to := range receivers {
			resealed(c, from, to, d, func(p *payload) { p.sub.Share[0] ^= 1 })
		}
	}
}

func wrongPartTo(receivers ...oprf.Index) func(*ceremony, oprf.Index, *Deal) {
	return func(c *ceremony, from oprf.Index, d *Deal) {
		for _, to := range receivers {
			resealed(c, from, to, d, func(p *payload) { p.part[0] ^= 1 })
		}
	}
}

func garbageTo(receivers ...oprf.Index) func(*ceremony, oprf.Index, *Deal) {
	return func(c *ceremony, _ oprf.Index, d *Deal) {
		for _, to := range receivers {
			d.Sealed[slices.Index(c.transcript.Joined(), to)] = []byte("no age file")
		}
	}
}

// together makes one lie of a changed deal and a changed answer.
func together(deal func(*ceremony, oprf.Index, *Deal), answer func(Answer) Body) func(*ceremony, Message) Body {
	dealt := dealing(deal)
	return func(c *ceremony, m Message) Body {
		if a, ok := m.Body.(Answer); ok {
			return answer(a)
		}
		return dealt(c, m)
	}
}

func truth(a Answer) Body   { return a }
func silence(_ Answer) Body { return nil }
func lie(a Answer) Body {
	for i := range a.Shares {
		a.Shares[i].SubShare.Blind[0] ^= 1
	}
	return a
}

func notCanonical(a Answer) Body {
	for i := range a.Shares {
		a.Shares[i].SubShare.Share[31] |= 0xf0
	}
	return a
}

// Server 1 of five deals dishonestly; three are enough, so two may be dishonest.
func TestADishonestDealerIsNamedAndTheRestSucceed(t *testing.T) {
	for _, row := range []struct {
		name   string
		lie    func(*ceremony, Message) Body
		faults []Fault
		stays  bool // in QUAL
	}{
		{"wrong sub-share, true answer", together(wrongShareTo(2), truth), nil, true},
		{"wrong sub-shares to two, true answer", together(wrongShareTo(2, 5), truth), nil, true},
		{"wrong sub-share, wrong answer", together(wrongShareTo(2), lie), []Fault{{1, Answering, WrongAnswer}}, false},
		{"wrong sub-share, answer not canonical", together(wrongShareTo(2), notCanonical), []Fault{{1, Answering, WrongAnswer}}, false},
		{"wrong sub-share, no answer", together(wrongShareTo(2), silence), []Fault{{1, Answering, Silent}}, false},
		{"wrong sub-shares to three", together(wrongShareTo(2, 3, 4), truth), []Fault{{1, Judging, ManyComplaints}}, false},
		{"payload does not open, true answer", together(garbageTo(4), truth), nil, true},
		{"payloads do not open", together(garbageTo(2, 3, 4, 5), truth), []Fault{{1, Judging, ManyComplaints}}, false},
		{"wrong part of the secret to two", together(wrongPartTo(2, 3), truth), nil, true},
		{"wrong part of the secret to all", together(wrongPartTo(2, 3, 4, 5), truth), []Fault{{1, Judging, ManyComplaints}}, false},
		{"empty payloads", dealing(func(_ *ceremony, _ oprf.Index, d *Deal) { d.Sealed = make([][]byte, 5) }), []Fault{{1, Judging, ManyComplaints}}, false},
		{"payloads in another order", dealing(func(_ *ceremony, _ oprf.Index, d *Deal) { slices.Reverse(d.Sealed) }), []Fault{{1, Judging, ManyComplaints}}, false},
		{"another polynomial than was shared", dealing(func(_ *ceremony, _ oprf.Index, d *Deal) {
			d.Commitments[0], d.Commitments[1] = d.Commitments[1], d.Commitments[0]
		}), []Fault{{1, Judging, Silent}, {1, Judging, ManyComplaints}}, false},
		{"no deal", func(_ *ceremony, m Message) Body {
			if _, ok := m.Body.(Deal); ok {
				return nil
			}
			return m.Body
		}, []Fault{{1, Dealing, Silent}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := convene(t, generatePlan(3, upTo(5)), nil)
			c.lies[1] = row.lie
			c.before = func(c *ceremony) { c.absent[1] = c.transcript.Phase() > Answering }
			o := c.finish()
			if diff := cmp.Diff(row.faults, faultsThrough(c.transcript, Answering)); diff != "" {
				t.Errorf("faults: %s", diff)
			}
			if got := slices.Contains(c.transcript.Qualified(), 1); got != row.stays {
				t.Errorf("dealer qualified: %v, want %v", got, row.stays)
			}
			for _, honest := range indices(2, 3, 4, 5) {
				if !slices.Contains(members(o.Keys), honest) {
					t.Errorf("honest server %d has no share", honest)
				}
			}
			wantEvaluates(t, o.Keys, c.shares)
		})
	}
}

func faultsThrough(t *Transcript, last Phase) []Fault {
	var list []Fault
	for _, f := range t.Faults() {
		if f.Phase <= last {
			list = append(list, f)
		}
	}
	return list
}

func TestADealerThatRepeatsAnotherDealIsNamed(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	c.lies[2] = func(c *ceremony, m Message) Body {
		if _, ok := m.Body.(Deal); ok {
			return c.transcript.deals[1].said
		}
		return m.Body
	}
	c.before = func(c *ceremony) { c.absent[2] = c.transcript.Phase() > Dealing }
	c.finish()
	if diff := cmp.Diff([]Fault{{2, Judging, Silent}, {2, Judging, ManyComplaints}}, faultsThrough(c.transcript, Judging)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Verdict{Shares: indices(2), Secrets: indices(2)}, c.transcript.verdicts[3]); diff != "" {
		t.Error(diff)
	}
}

func TestAFalseComplaintDisqualifiesNobody(t *testing.T) {
	c := convene(t, generatePlan(3, upTo(5)), nil)
	slander := func(_ *ceremony, m Message) Body {
		if _, ok := m.Body.(Verdict); ok {
			return Verdict{Shares: indices(3, 4, 5), Secrets: indices(3, 4, 5)}
		}
		return m.Body
	}
	c.lies[1], c.lies[2] = slander, slander
	o := c.finish()
	if diff := cmp.Diff(upTo(5), c.transcript.Qualified()); diff != "" {
		t.Error(diff)
	}
	if got := c.transcript.Faults(); len(got) != 0 {
		t.Errorf("got faults %v", got)
	}
	wantEvaluates(t, o.Keys, c.shares)
	wantSumOfDealers(t, c, o)
}

// A complaint must not make anybody say a part of the federation secret aloud.
func TestAComplaintBringsNoPartOfTheFederationSecretIntoTheLog(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	c.lies[1] = func(_ *ceremony, m Message) Body {
		if _, ok := m.Body.(Verdict); ok {
			return Verdict{Shares: indices(2, 3), Secrets: indices(2, 3)}
		}
		return m.Body
	}
	c.finish()
	log := slices.Concat(c.log...)
	for _, s := range upTo(3) {
		part, err := c.people[s].part()
		if err != nil {
			t.Fatal(err)
		}
		if containsBytes(log, part[:]) {
			t.Errorf("the part of server %d is in the log", s)
		}
	}
}

func containsBytes(log, part []byte) bool {
	for i := range len(log) - len(part) + 1 {
		if slices.Equal(log[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// The extraction: what a dealer opens must be what it committed to, and if it is
// not, or if it opens nothing, the key still has its secret.
func TestACheaterInTheExtractionIsReconstructed(t *testing.T) {
	another := func(c *ceremony, m Message) Body {
		if o, ok := m.Body.(Open); ok {
			o.Commitments = slices.Clone(o.Commitments)
			o.Commitments[0], o.Commitments[1] = o.Commitments[1], o.Commitments[0]
			return o
		}
		return m.Body
	}
	forged := func(c *ceremony, m Message) Body {
		if o, ok := m.Body.(Open); ok {
			o.Proof[40] ^= 1
			return o
		}
		return m.Body
	}
	nothing := func(_ *ceremony, m Message) Body {
		if _, ok := m.Body.(Open); ok {
			return nil
		}
		return m.Body
	}
	for _, row := range []struct {
		name string
		lie  func(*ceremony, Message) Body
		why  Reason
	}{{"another polynomial", another, WrongOpening}, {"forged proof", forged, WrongOpening}, {"nothing", nothing, Silent}} {
		t.Run(row.name, func(t *testing.T) {
			c := convene(t, generatePlan(3, upTo(5)), nil)
			c.lies[2], c.lies[4] = row.lie, row.lie
			c.before = func(c *ceremony) {
				if c.transcript.Phase() > Opening {
					c.absent[2], c.absent[4] = true, true
				}
			}
			o := c.finish()
			if diff := cmp.Diff([]Fault{{2, Opening, row.why}, {4, Opening, row.why}}, faultsThrough(c.transcript, Opening)); diff != "" {
				t.Error(diff)
			}
			wantSumOfDealers(t, c, o)
			wantEvaluates(t, o.Keys, c.shares)
		})
	}
}

// A dealer that gave no sub-share to one receiver, answered, and then opens nothing.
func TestAReceiverWithoutASubShareGetsItFromTheReconstruction(t *testing.T) {
	c := convene(t, generatePlan(3, upTo(5)), nil)
	c.lies[1] = dealing(wrongShareTo(5))
	c.before = func(c *ceremony) {
		c.absent[1] = c.transcript.Phase() > Dealing
		c.absent[5] = c.transcript.Phase() == Judging // too late to complain
	}
	o := c.finish()
	if diff := cmp.Diff([]Fault{{1, Judging, Silent}, {5, Judging, Silent}, {1, Opening, Silent}}, faultsThrough(c.transcript, Opening)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(indices(2, 3, 4, 5), members(o.Keys)); diff != "" {
		t.Error(diff)
	}
	wantSumOfDealers(t, c, o)
}

func TestAReconstructionEndsWithAsManySubSharesAsItNeeds(t *testing.T) {
	c := convene(t, generatePlan(3, upTo(5)), nil)
	c.before = func(c *ceremony) {
		c.absent[5] = c.transcript.Phase() >= Opening
		c.absent[4] = c.transcript.Phase() == Reconstructing
	}
	o := c.finish()
	if diff := cmp.Diff([]Fault{{5, Opening, Silent}, {5, Confirming, Silent}}, c.transcript.Faults()); diff != "" {
		t.Error(diff)
	}
	wantSumOfDealers(t, c, o)
}

// Whoever closes phases must not be able to have the whole key reconstructed.
func TestTheKeyIsNeverReconstructedFromAllWhoAreHonest(t *testing.T) {
	c := convene(t, generatePlan(2, upTo(3)), nil)
	for c.transcript.Phase() < Opening {
		for _, s := range upTo(3) {
			c.speak(s)
		}
	}
	c.speak(1)
	c.apply(c.transcript.Closing())
	if got := c.transcript.Phase(); got != Failed {
		t.Errorf("got phase %v, want failed: only one dealer would stay hidden, and it may be the dishonest one", got)
	}
}
