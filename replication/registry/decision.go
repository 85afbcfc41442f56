package registry

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Verb is what an operator decides; the numbers are the wire's.
type Verb uint32

// The verbs.
const (
	Approve Verb = 1 // an application, or another operator's motion
	Refuse  Verb = 2 // an application or a motion
	Suspend Verb = 3 // an agency, at once
	Move    Verb = 4 // puts a motion, which a second operator approves
	Invite  Verb = 5 // lets somebody apply
	Clear   Verb = 6 // ends the throttling of an agency whose demand was unusual
)

// SignDecision completes d with the operator's key, and signs it.
func SignDecision(key ed25519.PrivateKey, d *wire.Decision) (*wire.Decision, error) {
	d = proto.Clone(d).(*wire.Decision)
	operator := wire.PeerOf(key)
	d.Operator, d.Signature = operator[:], nil
	b, err := wire.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode decision: %w", err)
	}
	d.Signature = vault.Sign(key, vault.ContextOperator, b)
	return d, nil
}

// decide takes an operator's decision.
func (d *draft) decide(m *wire.Decision) (changes bool, err error) {
	operator, err := d.checkDecision(m)
	if err != nil {
		return false, err
	}
	switch {
	case operator.Roles == 0:
		return false, ErrNotOperator
	case operator.Roles&d.needs(m) == 0:
		return false, ErrRole
	}
	switch Verb(m.Verb) {
	case Suspend:
		changes, err = d.suspend(m)
	case Move:
		changes, err = d.move(m)
	case Invite:
		changes, err = d.invite(m)
	case Clear:
		changes, err = d.clear(m)
	default:
		changes, err = d.decideNumbered(m)
	}
	if err != nil || !changes {
		return false, err
	}
	return true, d.write(&wire.RecordEntry{Of: &wire.RecordEntry_Decision{Decision: m}})
}

// needs is the role that a decision takes. Only an approval or a refusal names
// what it decides upon by its number in the log.
func (d *draft) needs(m *wire.Decision) Role {
	moved := m.Motion
	if verb := Verb(m.Verb); verb == Approve || verb == Refuse {
		if i, ok := d.motionNumbered(m.Number); ok {
			moved = d.motions[i].record.Decision.Motion
		}
	}
	if moved == nil || moved.GetAgency() != nil {
		return Admission
	}
	return Operations
}

// checkDecision reports who signed m for this network. Former operators' names
// stand under what they decided; whether they may decide is the caller's to ask.
func (s *State) checkDecision(m *wire.Decision) (Operator, error) {
	verb := Verb(m.GetVerb())
	key, err := wire.ParsePeer(m.GetOperator())
	if err != nil || verb < Approve || verb > Clear || len(m.Application) != sha256.Size ||
		(verb == Move) != (m.Motion != nil) || (verb == Invite) != (m.Invitation != nil) {
		return Operator{}, ErrMalformed
	}
	if string(m.Genesis) != string(s.Hash[:]) {
		return Operator{}, ErrWrongNetwork
	}
	operator, ok := s.operator(key)
	if !ok {
		return Operator{}, ErrNotOperator
	}
	unsigned := proto.Clone(m).(*wire.Decision)
	unsigned.Signature = nil
	b, err := wire.Marshal(unsigned)
	if err != nil {
		return Operator{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !vault.Verify(key.Key(), vault.ContextOperator, b, m.Signature) {
		return Operator{}, ErrBadSignature
	}
	if !oneLine(m.Reason) || m.Reason == "" && (verb == Refuse || verb == Suspend || verb == Move) {
		return Operator{}, ErrNoReason
	}
	return operator, nil
}

// decideNumbered approves or refuses the application or motion with a number.
func (d *draft) decideNumbered(m *wire.Decision) (changes bool, err error) {
	if i, ok := d.motionNumbered(m.Number); ok {
		return d.decideMotion(i, m)
	}
	i := slices.IndexFunc(d.pending, func(a applicant) bool { return a.record.Number == m.Number })
	if i < 0 {
		return false, d.decided(m)
	}
	a := d.pending[i]
	if string(a.agency.ID) != m.Agency || string(a.hash[:]) != string(m.Application) {
		return false, ErrWrongHash
	}
	if Verb(m.Verb) == Refuse {
		d.refuse(a, m)
		return true, nil
	}
	return d.approve(i, m)
}

// decided says why m, whose subject does not wait any more, has no effect; nil
// where m itself was taken before.
func (s *State) decided(m *wire.Decision) error {
	if slices.ContainsFunc(s.refused, func(r rejection) bool { return proto.Equal(r.record.Decision, m) }) {
		return nil
	}
	if s.heard(m) {
		return nil
	}
	if m.Agency == "" || slices.ContainsFunc(s.pending, func(a applicant) bool { return string(a.agency.ID) == m.Agency }) {
		return ErrStale
	}
	i, ok := s.find(directory.AgencyID(m.Agency))
	if !ok {
		return ErrUnknownAgency
	}
	a := s.agencies[i]
	switch {
	case holds(a.record.Approvals, m):
		return nil
	case a.record.Number == m.Number && a.agency.Status == directory.Active:
		return ErrAlreadyActive
	}
	return ErrStale
}

func holds(list []*wire.Decision, m *wire.Decision) bool {
	return slices.ContainsFunc(list, func(have *wire.Decision) bool { return proto.Equal(have, m) })
}

// approve takes one more approval of a pending application, and admits the
// agency where it is the last that was needed.
func (d *draft) approve(i int, m *wire.Decision) (changes bool, err error) {
	a := d.pending[i]
	for _, earlier := range a.record.Approvals {
		if proto.Equal(earlier, m) {
			return false, nil
		}
		if string(earlier.Operator) == string(m.Operator) {
			return false, ErrSameOperator
		}
	}
	if err := d.checkHolder(a.agency, a.record.Application); err != nil {
		return false, err
	}
	approvals := append(slices.Clone(a.record.Approvals), m)
	if len(approvals) == Approvals {
		d.admit(a, approvals)
		return true, nil
	}
	d.pending = slices.Clone(d.pending)
	d.pending[i] = applicant{agency: a.agency, hash: a.hash, record: &wire.PendingApplication{
		Application: a.record.Application, Hash: a.record.Hash, Number: a.record.Number, Approvals: approvals,
	}}
	return true, nil
}
