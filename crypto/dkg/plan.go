package dkg

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
)

// Plan is what everybody knows before a ceremony begins. Servers are in ascending order.
type Plan struct {
	Kind      Kind
	Ceremony  uint64 // its number, never given twice in one network
	Threshold int    // of the shares that come out
	Receivers []oprf.Index
	Context   []byte // binds the ceremony to its network: a hash of the genesis, up to MaxContext bytes

	// For Reshare alone.
	Dealers    []oprf.Index     // holders of the old shares who deal; in Generate it is the receivers that joined
	Old        *oprf.KeySet     // the key set to be moved, which must be authentic
	Federation token.Commitment // to the federation secret, which stays
}

// PlanID names a plan: the SHA-256 of all of it. Every message carries it, and so
// do all commitments, proofs and sealed payloads, so that nothing said in one
// ceremony counts in another.
type PlanID [sha256.Size]byte

// Validate reports whether a ceremony can be held by the plan. The error wraps [ErrPlan].
func (p Plan) Validate() error {
	if len(p.Context) > MaxContext {
		return fmt.Errorf("%w: context of %d bytes, want up to %d", ErrPlan, len(p.Context), MaxContext)
	}
	if err := checkServers(p.Receivers); err != nil {
		return fmt.Errorf("receivers: %w", err)
	}
	if p.Threshold < 1 || p.Threshold > len(p.Receivers) {
		return fmt.Errorf("%w: threshold %d of %d receivers", ErrPlan, p.Threshold, len(p.Receivers))
	}
	switch p.Kind {
	case Generate:
		if p.Dealers != nil || p.Old != nil || p.Federation != (token.Commitment{}) {
			return fmt.Errorf("%w: a new key has no old dealers, keys or secret", ErrPlan)
		}
		return nil
	case Reshare:
		return p.validateOld()
	}
	return fmt.Errorf("%w: kind %d", ErrPlan, p.Kind)
}

// validateOld checks what a reshare starts from.
func (p Plan) validateOld() error {
	if p.Old == nil {
		return fmt.Errorf("%w: no key set to reshare", ErrPlan)
	}
	if err := p.Old.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrPlan, err)
	}
	if err := checkServers(p.Dealers); err != nil {
		return fmt.Errorf("dealers: %w", err)
	}
	for _, d := range p.Dealers {
		if _, ok := publicShare(*p.Old, d); !ok {
			return fmt.Errorf("%w: dealer %d holds no share", ErrPlan, d)
		}
	}
	if len(p.Dealers) < p.Old.Threshold {
		return fmt.Errorf("%w: %d dealers, want %d", ErrPlan, len(p.Dealers), p.Old.Threshold)
	}
	return nil
}

// ID returns the plan's name.
func (p Plan) ID() PlanID {
	b := append([]byte("interlock dkg plan 1"), byte(p.Kind))
	b = binary.BigEndian.AppendUint64(b, p.Ceremony)
	b = binary.BigEndian.AppendUint16(b, uint16(p.Threshold))
	b = appendServers(b, p.Receivers)
	b = appendServers(b, p.Dealers)
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Context)))
	b = append(b, p.Context...)
	b = append(b, p.Federation[:]...)
	if p.Old != nil {
		b = append(b, p.Old.Public[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(p.Old.Threshold))
		for _, s := range p.Old.Shares {
			b = binary.BigEndian.AppendUint16(b, uint16(s.Index))
			b = append(b, s.Key[:]...)
		}
	}
	return sha256.Sum256(b)
}

// clone copies the plan, so that the caller's slices can change.
func (p Plan) clone() Plan {
	p.Receivers, p.Dealers, p.Context = slices.Clone(p.Receivers), slices.Clone(p.Dealers), slices.Clone(p.Context)
	if p.Old != nil {
		old := *p.Old
		old.Shares = slices.Clone(old.Shares)
		p.Old = &old
	}
	return p
}

// checkServers reports whether a list has 1 to MaxServers servers, each once and in ascending order.
func checkServers(list []oprf.Index) error {
	if len(list) < 1 || len(list) > MaxServers {
		return fmt.Errorf("%w: %d servers, want 1 to %d", ErrPlan, len(list), MaxServers)
	}
	if list[0] == 0 {
		return fmt.Errorf("%w: servers are numbered from 1", ErrPlan)
	}
	if !ascends(list) {
		return fmt.Errorf("%w: servers not in ascending order", ErrPlan)
	}
	return nil
}

func ascends(list []oprf.Index) bool {
	for i := 1; i < len(list); i++ {
		if list[i] <= list[i-1] {
			return false
		}
	}
	return true
}

func publicShare(k oprf.KeySet, server oprf.Index) (oprf.Element, bool) {
	for _, s := range k.Shares {
		if s.Index == server {
			return s.Key, true
		}
	}
	return oprf.Element{}, false
}

func appendServers(b []byte, list []oprf.Index) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
	for _, s := range list {
		b = binary.BigEndian.AppendUint16(b, uint16(s))
	}
	return b
}
