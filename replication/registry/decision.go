package registry

import (
	"crypto/ed25519"
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
	Approve Verb = 1
	Refuse  Verb = 2
	Suspend Verb = 3
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

// decide plans for an operator's decision.
func (s *State) decide(d *wire.Decision) (change, error) {
	if err := s.checkDecision(d); err != nil {
		return nil, err
	}
	if Verb(d.Verb) == Suspend {
		return s.suspend(d)
	}
	i := slices.IndexFunc(s.pending, func(a applicant) bool { return a.record.Number == d.Number })
	if i < 0 {
		return nil, s.decided(d)
	}
	a := s.pending[i]
	if string(a.agency.ID) != d.Agency || string(a.hash[:]) != string(d.Application) {
		return nil, ErrWrongHash
	}
	if Verb(d.Verb) == Refuse {
		return s.refuse(a, d), nil
	}
	return s.approve(i, d)
}

// checkDecision reports whether one of the operators signed d for this network.
func (s *State) checkDecision(d *wire.Decision) error {
	verb := Verb(d.GetVerb())
	operator, err := wire.ParsePeer(d.GetOperator())
	if err != nil || verb < Approve || verb > Suspend || len(d.Application) != len(directory.ApplicationHash{}) {
		return ErrMalformed
	}
	if string(d.Genesis) != string(s.Hash[:]) {
		return ErrWrongNetwork
	}
	if !s.IsOperator(operator) {
		return ErrNotOperator
	}
	unsigned := proto.Clone(d).(*wire.Decision)
	unsigned.Signature = nil
	b, err := wire.Marshal(unsigned)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !vault.Verify(operator.Key(), vault.ContextOperator, b, d.Signature) {
		return ErrBadSignature
	}
	if !oneLine(d.Reason) || d.Reason == "" && verb != Approve {
		return ErrNoReason
	}
	return nil
}

// decided says why d, whose application does not wait any more, has no effect;
// nil where d itself was taken before.
func (s *State) decided(d *wire.Decision) error {
	if slices.ContainsFunc(s.refused, func(r rejection) bool { return proto.Equal(r.record.Decision, d) }) {
		return nil
	}
	if slices.ContainsFunc(s.pending, func(a applicant) bool { return string(a.agency.ID) == d.Agency }) {
		return ErrStale
	}
	i, ok := s.find(directory.AgencyID(d.Agency))
	if !ok {
		return ErrUnknownAgency
	}
	m := s.agencies[i]
	switch {
	case holds(m.record.Approvals, d):
		return nil
	case m.record.Number == d.Number && m.agency.Status == directory.Active:
		return ErrAlreadyActive
	}
	return ErrStale
}

func holds(list []*wire.Decision, d *wire.Decision) bool {
	return slices.ContainsFunc(list, func(have *wire.Decision) bool { return proto.Equal(have, d) })
}

// approve plans for one more approval of a pending application, and for the
// agency's admission where it is the last that was needed.
func (s *State) approve(i int, d *wire.Decision) (change, error) {
	a := s.pending[i]
	for _, earlier := range a.record.Approvals {
		if proto.Equal(earlier, d) {
			return nil, nil
		}
		if string(earlier.Operator) == string(d.Operator) {
			return nil, ErrSameOperator
		}
	}
	if err := s.checkHolder(a.agency); err != nil {
		return nil, err
	}
	approvals := append(slices.Clone(a.record.Approvals), d)
	if len(approvals) < Approvals {
		record := &wire.PendingApplication{
			Application: a.record.Application, Hash: a.record.Hash, Number: a.record.Number, Approvals: approvals,
		}
		return func(uint64) {
			s.pending = slices.Clone(s.pending)
			s.pending[i] = applicant{agency: a.agency, hash: a.hash, record: record}
		}, nil
	}
	return s.admit(a, approvals)
}

// admit plans for an agency to become active.
func (s *State) admit(a applicant, approvals []*wire.Decision) (change, error) {
	m := member{agency: a.agency, hash: a.hash, record: &wire.Admitted{
		Application: a.record.Application, Number: a.record.Number,
		Status: uint32(directory.Active), Approvals: approvals, Hash: a.hash[:],
	}}
	m.agency.Status = directory.Active
	agencies, encoded, err := s.next(m)
	if err != nil {
		return nil, err
	}
	return func(uint64) {
		s.forget(a.agency.Key)
		s.agencies, s.ids[a.agency.Key] = agencies, a.agency.ID
		s.advance(encoded)
	}, nil
}

// refuse plans for a pending application to be turned down.
func (s *State) refuse(a applicant, d *wire.Decision) change {
	return func(uint64) {
		s.forget(a.agency.Key)
		if len(s.refused) >= MaxRefused {
			s.refused = slices.Clone(s.refused[1:])
		}
		s.refused = append(s.refused, rejection{
			key: a.agency.Key, record: &wire.RefusedApplication{Key: a.agency.Key[:], Decision: d},
		})
	}
}

// suspend plans for an active agency to be cut off. What it has asked for in
// the meantime is dropped, so that approvals given before do not reinstate it.
func (s *State) suspend(d *wire.Decision) (change, error) {
	i, ok := s.find(directory.AgencyID(d.Agency))
	if !ok {
		return nil, ErrUnknownAgency
	}
	m := s.agencies[i]
	switch {
	case proto.Equal(m.record.Suspension, d):
		return nil, nil
	case m.record.Number != d.Number:
		return nil, ErrStale
	case string(m.hash[:]) != string(d.Application):
		return nil, ErrWrongHash
	case m.agency.Status != directory.Active:
		return nil, ErrAlreadySuspended
	}
	m.agency.Status = directory.Suspended
	m.record = &wire.Admitted{
		Application: m.record.Application, Number: m.record.Number,
		Status: uint32(directory.Suspended), Approvals: m.record.Approvals, Suspension: d, Hash: m.hash[:],
	}
	agencies, encoded, err := s.next(m)
	if err != nil {
		return nil, err
	}
	return func(uint64) {
		s.forget(m.agency.Key)
		s.agencies = agencies
		s.advance(encoded)
	}, nil
}
