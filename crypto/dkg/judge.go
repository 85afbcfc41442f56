package dkg

import (
	"fmt"
	"maps"
	"slices"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
)

// judge checks what a message of this phase says, and returns its effect.
func (t *Transcript) judge(m Message) (func(), error) {
	if c, ok := m.Body.(Close); ok {
		return t.judgeClose(m.From, c)
	}
	if !slices.Contains(t.Expected(), m.From) {
		return nil, ErrSender
	}
	switch b := m.Body.(type) {
	case Join:
		return t.judgeJoin(m.From, b)
	case Deal:
		return t.judgeDeal(m.From, b)
	case Verdict:
		return t.judgeVerdict(m.From, b)
	case Answer:
		return t.judgeAnswer(m.From, b)
	case Open:
		return t.judgeOpen(m.From, b)
	case Reconstruct:
		return t.judgeReconstruct(m.From, b)
	case Confirm:
		if t.plan.Kind == Reshare && b.Federation != t.plan.Federation {
			return nil, fmt.Errorf("%w: another federation secret", ErrMessage)
		}
		return func() { t.confirmed[m.From] = b.Federation }, nil
	}
	return nil, fmt.Errorf("%w: body %T", ErrMessage, m.Body)
}

func (t *Transcript) judgeClose(from oprf.Index, _ Close) (func(), error) {
	if from != 0 {
		return nil, fmt.Errorf("%w: no participant closes", ErrSender)
	}
	if len(t.Expected()) == 0 {
		return nil, fmt.Errorf("%w: the ceremony is over", ErrPhase)
	}
	if t.phase == Confirming {
		if _, err := t.agreed(); err != nil {
			return nil, err
		}
	}
	return func() {}, nil
}

func (t *Transcript) judgeJoin(from oprf.Index, j Join) (func(), error) {
	recipient, err := vault.ParseRecipient(j.Recipient)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return func() { t.joined[from] = recipient }, nil
}

func (t *Transcript) judgeDeal(from oprf.Index, d Deal) (func(), error) {
	if len(d.Commitments) != t.plan.Threshold {
		return nil, fmt.Errorf("%w: %d commitments, want %d", ErrMessage, len(d.Commitments), t.plan.Threshold)
	}
	if len(d.Sealed) != len(t.joined) {
		return nil, fmt.Errorf("%w: %d payloads, want %d", ErrMessage, len(d.Sealed), len(t.joined))
	}
	commitments, err := decodeAll(d.Commitments)
	if err != nil {
		return nil, err
	}
	made := &deal{said: d, commitments: commitments, revealed: map[oprf.Index]SubShare{}}
	if t.plan.Kind == Reshare {
		// Wong et al., section 3: what is redistributed is the dealer's own share.
		if own, ok := publicShare(*t.plan.Old, from); !ok || own != d.Commitments[0] {
			return nil, fmt.Errorf("%w: it shares something else than the dealer's share", ErrDeal)
		}
		if d.Secret != (Deal{}).Secret {
			return nil, fmt.Errorf("%w: the federation secret stays", ErrMessage)
		}
		made.opened = commitments
	}
	made.said.Commitments = slices.Clone(d.Commitments)
	made.said.Sealed = slices.Clone(d.Sealed)
	return func() { t.deals[from] = made }, nil
}

func (t *Transcript) judgeVerdict(from oprf.Index, v Verdict) (func(), error) {
	for _, list := range [][]oprf.Index{v.Shares, v.Secrets} {
		if !ascends(list) {
			return nil, fmt.Errorf("%w: dealers not in ascending order", ErrMessage)
		}
		for _, d := range list {
			if _, ok := t.deals[d]; !ok {
				return nil, fmt.Errorf("%w: %d has dealt nothing", ErrMessage, d)
			}
			if d == from {
				return nil, fmt.Errorf("%w: a complaint of oneself", ErrMessage)
			}
		}
	}
	kept := Verdict{Shares: slices.Clone(v.Shares), Secrets: slices.Clone(v.Secrets)}
	return func() { t.verdicts[from] = kept }, nil
}

func (t *Transcript) judgeAnswer(from oprf.Index, a Answer) (func(), error) {
	asked := t.asked[from]
	if !slices.Equal(servers(a.Shares), asked.reveal) {
		return nil, fmt.Errorf("%w: sub-shares are not those complained of", ErrMessage)
	}
	if !slices.EqualFunc(a.Relays, asked.relay, func(r Relay, s oprf.Index) bool { return r.Receiver == s }) {
		return nil, fmt.Errorf("%w: relays are not to those who lack a part", ErrMessage)
	}
	wrong := slices.ContainsFunc(a.Shares, func(r Revealed) bool {
		return !t.fits(t.deals[from].commitments, r.Server, r.SubShare)
	})
	return func() {
		for _, r := range a.Relays {
			if t.relays[r.Receiver] == nil {
				t.relays[r.Receiver] = map[oprf.Index][]byte{}
			}
			t.relays[r.Receiver][from] = r.Sealed
		}
		if wrong {
			t.deals[from].out = true
			t.blame(from, WrongAnswer)
			return
		}
		for _, r := range a.Shares {
			t.deals[from].revealed[r.Server] = r.SubShare
		}
	}, nil
}

func (t *Transcript) judgeOpen(from oprf.Index, o Open) (func(), error) {
	if len(o.Commitments) != t.plan.Threshold {
		return nil, fmt.Errorf("%w: %d commitments, want %d", ErrMessage, len(o.Commitments), t.plan.Threshold)
	}
	opened, err := decodeAll(o.Commitments)
	if err != nil {
		return nil, err
	}
	d := t.deals[from]
	statement := newOpening(t.id, from, d.commitments, opened)
	if statement.verify(&t.second, o.Proof) != nil {
		return func() { t.blame(from, WrongOpening) }, nil
	}
	return func() { d.opened = opened }, nil
}

func (t *Transcript) judgeReconstruct(from oprf.Index, r Reconstruct) (func(), error) {
	if !slices.Equal(servers(r.Shares), t.unopened()) {
		return nil, fmt.Errorf("%w: sub-shares are not those asked for", ErrMessage)
	}
	for _, s := range r.Shares {
		if !t.fits(t.deals[s.Server].commitments, from, s.SubShare) {
			return nil, fmt.Errorf("%w: sub-share of dealer %d is not what was committed to", ErrMessage, s.Server)
		}
	}
	kept := slices.Clone(r.Shares)
	return func() {
		for _, s := range kept {
			t.deals[s.Server].revealed[from] = s.SubShare
		}
	}, nil
}

// unopened returns the qualified dealers whose polynomials are to be reconstructed.
func (t *Transcript) unopened() []oprf.Index {
	var list []oprf.Index
	for _, d := range t.qualified {
		if t.deals[d].opened == nil {
			list = append(list, d)
		}
	}
	return list
}

// enoughRevealed reports whether threshold sub-shares of each dealer that did not open are public.
func (t *Transcript) enoughRevealed() bool {
	for _, d := range t.unopened() {
		if len(t.deals[d].revealed) < t.plan.Threshold {
			return false
		}
	}
	return true
}

func servers(list []Revealed) []oprf.Index {
	var out []oprf.Index
	for _, r := range list {
		out = append(out, r.Server)
	}
	return out
}

// dealers returns those who dealt, in ascending order.
func (t *Transcript) dealers() []oprf.Index { return slices.Sorted(maps.Keys(t.deals)) }
