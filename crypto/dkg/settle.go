package dkg

import (
	"fmt"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
)

// settle ends the present phase and begins the next.
func (t *Transcript) settle() {
	if t.closed() {
		for _, s := range t.Expected() {
			t.blame(s, Silent)
		}
	}
	switch t.phase {
	case Joining:
		t.need(len(t.joined), t.plan.Threshold, "receivers joined")
	case Dealing:
		t.need(len(t.deals), t.fewestDealers(), "dealers dealt")
	case Judging:
		if t.need(len(t.verdicts), t.plan.Threshold, "receivers judged") {
			t.settleComplaints()
		}
	case Answering:
		t.settleAnswers()
	case Opening:
		// At least one of threshold dealers is honest. Were its polynomial
		// reconstructed like all others, whoever closes phases early could have
		// the whole key revealed.
		t.need(len(t.qualified)-len(t.unopened()), t.plan.Threshold, "dealers opened")
	case Reconstructing:
		t.reconstruct()
	case Confirming:
		t.settleConfirmations()
	}
}

// need moves on to the next phase if there are enough, else the ceremony fails.
func (t *Transcript) need(got, want int, what string) bool {
	if got < want {
		t.fail(fmt.Errorf("%s: %w: %d %s, want %d", t.phase, ErrTooFew, got, what, want))
		return false
	}
	t.phase++
	return true
}

// fewestDealers is how many qualified dealers a key needs. In Generate one of them
// must be honest; in Reshare they must hold the old key together.
func (t *Transcript) fewestDealers() int {
	if t.plan.Kind == Reshare {
		return t.plan.Old.Threshold
	}
	return t.plan.Threshold
}

// settleComplaints disqualifies dealers of whom threshold receivers complained, one of
// them at least honestly (Gennaro et al., figure 2, step 1d), and asks the rest.
func (t *Transcript) settleComplaints() {
	for _, d := range t.dealers() {
		complaints := 0
		for _, v := range t.verdicts {
			if slices.Contains(v.Shares, d) || slices.Contains(v.Secrets, d) {
				complaints++
			}
		}
		if complaints >= t.plan.Threshold {
			t.deals[d].out = true
			t.faults = append(t.faults, Fault{Server: d, Phase: Judging, Reason: ManyComplaints})
		}
	}
	for _, r := range t.Joined() {
		for _, d := range t.verdicts[r].Shares {
			if !t.deals[d].out {
				q := t.asked[d]
				q.reveal = append(q.reveal, r)
				t.asked[d] = q
			}
		}
		if t.plan.Kind == Generate {
			t.askRelays(r)
		}
	}
}

// askRelays asks all who have a part of the federation secret that r lacks to
// pass it on. The dealer cannot be asked to reveal it, as it would a sub-share: that would
// give the secret, part by part, to whoever reads the log. With fewer than
// threshold complaints of a dealer, an honest receiver has its part.
func (t *Transcript) askRelays(r oprf.Index) {
	for _, d := range t.verdicts[r].Secrets {
		if !t.deals[d].out {
			t.lacking[r] = append(t.lacking[r], d)
		}
	}
	for s, v := range t.verdicts {
		helps := func(d oprf.Index) bool { return !slices.Contains(v.Secrets, d) }
		if s != r && slices.ContainsFunc(t.lacking[r], helps) {
			q := t.asked[s]
			q.relay = append(q.relay, r)
			t.asked[s] = q
		}
	}
}

// settleAnswers disqualifies dealers that did not answer, and chooses QUAL: in
// Generate all that remain (figure 2, step 2), in Reshare the first as many of
// them as the old threshold (Wong et al., section 3).
func (t *Transcript) settleAnswers() {
	for _, d := range t.dealers() {
		_, spoken := t.said[speech{Answering, d}]
		if len(t.asked[d].reveal) > 0 && !spoken {
			t.deals[d].out = true
		}
		if !t.deals[d].out {
			t.qualified = append(t.qualified, d)
		}
	}
	if !t.need(len(t.qualified), t.fewestDealers(), "dealers qualified") {
		return
	}
	if t.plan.Kind == Reshare {
		t.qualified = t.qualified[:t.plan.Old.Threshold]
		t.combine()
	}
}

// reconstruct opens the polynomials of those who did not, from the sub-shares that
// the others revealed (figure 2, step 4c). The key is what was committed to.
func (t *Transcript) reconstruct() {
	for _, d := range t.unopened() {
		nodes, values, err := t.deals[d].points(t.plan.Threshold)
		if err != nil {
			t.fail(fmt.Errorf("%s: dealer %d: %w", t.phase, d, err))
			return
		}
		polynomial := interpolate(nodes, values)
		opened := make([]curve.RistrettoPoint, len(polynomial))
		for k := range polynomial {
			times(&opened[k], &polynomial[k])
		}
		t.deals[d].opened = opened
	}
	t.combine()
}

// points returns the first threshold public sub-shares of a dealer.
func (d *deal) points(threshold int) ([]oprf.Index, []scalar.Scalar, error) {
	var nodes []oprf.Index
	for r := range d.revealed {
		nodes = append(nodes, r)
	}
	if len(nodes) < threshold {
		return nil, nil, fmt.Errorf("%w: %d sub-shares revealed, want %d", ErrTooFew, len(nodes), threshold)
	}
	slices.Sort(nodes)
	nodes = nodes[:threshold]
	values := make([]scalar.Scalar, threshold)
	for i, r := range nodes {
		var err error
		if values[i], err = parseScalar(d.revealed[r].Share); err != nil {
			return nil, nil, err
		}
	}
	return nodes, values, nil
}

// combine adds the dealers' polynomials up to the key's, weighted in Reshare by
// Lagrange's weights at 0, and derives all public keys.
func (t *Transcript) combine() {
	weights := t.weights()
	t.combined = make([]curve.RistrettoPoint, t.plan.Threshold)
	terms := make([]curve.RistrettoPoint, len(t.qualified))
	for k := range t.combined {
		for i, d := range t.qualified {
			terms[i] = t.deals[d].opened[k]
		}
		t.combined[k] = sum(weights, terms)
	}
	t.keys = oprf.KeySet{Threshold: t.plan.Threshold, Public: oprf.PublicKey(encode(&t.combined[0]))}
	for _, r := range t.Joined() {
		p := pointAt(t.combined, r)
		t.keys.Shares = append(t.keys.Shares, oprf.PublicShare{Index: r, Key: encode(&p)})
	}
	// One honest dealer makes both of these impossible but for a chance of 2^-250.
	if err := t.keys.Validate(); err != nil {
		t.fail(fmt.Errorf("combine deals: %w: %w", ErrDeal, err))
		return
	}
	if t.plan.Kind == Reshare && t.keys.Public != t.plan.Old.Public {
		t.fail(fmt.Errorf("combine deals: %w: another key", ErrDeal))
		return
	}
	t.phase = Confirming
}

// weights returns the weight of each qualified dealer.
func (t *Transcript) weights() []scalar.Scalar {
	if t.plan.Kind == Reshare {
		return lagrange(t.qualified, 0)
	}
	weights := make([]scalar.Scalar, len(t.qualified))
	for i := range weights {
		weights[i].One()
	}
	return weights
}

// agreed returns the commitment that threshold receivers confirmed. One of them is
// honest, and all honest ones confirm the same.
func (t *Transcript) agreed() (token.Commitment, error) {
	votes := map[token.Commitment]int{}
	for _, c := range t.confirmed {
		votes[c]++
	}
	var chosen []token.Commitment
	for c, n := range votes {
		if n >= t.plan.Threshold {
			chosen = append(chosen, c)
		}
	}
	switch len(chosen) {
	case 0:
		return token.Commitment{}, fmt.Errorf("%w: no secret was confirmed by %d receivers", ErrTooFew, t.plan.Threshold)
	case 1:
		return chosen[0], nil
	}
	return token.Commitment{}, fmt.Errorf("%w: two secrets were confirmed", ErrDisagree)
}

func (t *Transcript) settleConfirmations() {
	federation, err := t.agreed()
	if err != nil {
		t.fail(fmt.Errorf("%s: %w", t.phase, err))
		return
	}
	keys := t.keys
	keys.Shares = nil
	for _, s := range t.keys.Shares {
		c, spoken := t.confirmed[s.Index]
		switch {
		case spoken && c == federation:
			keys.Shares = append(keys.Shares, s)
		case spoken:
			t.blame(s.Index, OtherSecret)
		}
	}
	t.outcome = Outcome{Keys: keys, Federation: federation}
	t.phase = Done
}
