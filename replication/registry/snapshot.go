package registry

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// ErrSnapshot is what Restore returns, wrapped with the place.
var ErrSnapshot = errors.New("not a state of the registry")

// Snapshot encodes the state; equal states have equal snapshots.
func (s *State) Snapshot() ([]byte, error) {
	m := &wire.RegistryState{
		Genesis: s.document, Version: s.version, Endorsements: s.endorsements, Published: s.published,
	}
	for _, a := range s.agencies {
		m.Agencies = append(m.Agencies, a.record)
	}
	for _, a := range s.pending {
		m.Pending = append(m.Pending, a.record)
	}
	for _, r := range s.refused {
		m.Refused = append(m.Refused, r.record)
	}
	b, err := wire.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode registry state: %w", err)
	}
	return b, nil
}

// Restore returns the state of which b is the snapshot. It verifies every
// signature in it again: a snapshot carries its own proof.
func Restore(b []byte) (*State, error) {
	var m wire.RegistryState
	if err := wire.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if m.Genesis == nil {
		return nil, fmt.Errorf("%w: no genesis", ErrSnapshot)
	}
	s, err := New(m.Genesis)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if m.Version < 1 || len(m.Pending) > MaxPending || len(m.Refused) > MaxRefused {
		return nil, fmt.Errorf("%w: version or number of applications", ErrSnapshot)
	}
	s.version = m.Version
	if err := s.restoreAgencies(m.Agencies); err != nil {
		return nil, err
	}
	if err := s.restorePending(m.Pending); err != nil {
		return nil, err
	}
	if err := s.restoreRefused(m.Refused); err != nil {
		return nil, err
	}
	return s, s.restoreDirectory(&m)
}

func (s *State) restoreAgencies(list []*wire.Admitted) error {
	if len(list) > directory.MaxAgencies {
		return fmt.Errorf("%w: %d agencies", ErrSnapshot, len(list))
	}
	for i, r := range list {
		m, err := s.readMember(r)
		if err != nil {
			return fmt.Errorf("%w: agency %d: %w", ErrSnapshot, i+1, err)
		}
		if s.ids[m.agency.Key] != "" || i > 0 && s.agencies[i-1].agency.ID >= m.agency.ID {
			return fmt.Errorf("%w: agency %d: twice or out of order", ErrSnapshot, i+1)
		}
		s.agencies = append(s.agencies, m)
		s.ids[m.agency.Key] = m.agency.ID
	}
	return nil
}

func (s *State) readMember(r *wire.Admitted) (member, error) {
	agency, hash, err := directory.CheckApplication(r.GetApplication(), s.Hash)
	if err != nil {
		return member{}, err
	}
	switch {
	case r.Status == uint32(directory.Active) && r.Suspension == nil:
	case r.Status == uint32(directory.Suspended) && r.Suspension != nil:
		if err := s.checkNamed(agency, hash, r.Number, Suspend, r.Suspension); err != nil {
			return member{}, err
		}
	default:
		return member{}, fmt.Errorf("status %d", r.Status)
	}
	if len(r.Approvals) != Approvals || string(r.Hash) != string(hash[:]) || s.IsServer(agency.Key) || s.IsOperator(agency.Key) {
		return member{}, errors.New("approvals, hash or key")
	}
	agency.Status = directory.Status(r.Status)
	return member{agency: agency, hash: hash, record: r}, s.checkApprovals(agency, hash, r.Number, r.Approvals)
}

func (s *State) restorePending(list []*wire.PendingApplication) error {
	for i, r := range list {
		agency, hash, err := directory.CheckApplication(r.GetApplication(), s.Hash)
		if err != nil {
			return fmt.Errorf("%w: application %d: %w", ErrSnapshot, i+1, err)
		}
		if err := s.checkApprovals(agency, hash, r.Number, r.Approvals); err != nil {
			return fmt.Errorf("%w: application %d: %w", ErrSnapshot, i+1, err)
		}
		_, twice := s.pendingOf(agency.Key)
		if twice || i > 0 && list[i-1].Number >= r.Number || len(r.Approvals) >= Approvals || string(r.Hash) != string(hash[:]) {
			return fmt.Errorf("%w: application %d: twice, out of order, approved or of another hash", ErrSnapshot, i+1)
		}
		s.pending = append(s.pending, applicant{agency: agency, hash: hash, record: r})
	}
	return nil
}

func (s *State) restoreRefused(list []*wire.RefusedApplication) error {
	for i, r := range list {
		key, err := wire.ParsePeer(r.GetKey())
		if err != nil {
			return fmt.Errorf("%w: refusal %d: %w", ErrSnapshot, i+1, err)
		}
		if err := s.checkDecision(r.Decision); err != nil {
			return fmt.Errorf("%w: refusal %d: %w", ErrSnapshot, i+1, err)
		}
		_, waiting := s.pendingOf(key)
		if _, twice := s.refusedOf(key); twice || waiting || Verb(r.Decision.Verb) != Refuse {
			return fmt.Errorf("%w: refusal %d: its key has another, or it is none", ErrSnapshot, i+1)
		}
		s.refused = append(s.refused, rejection{key: key, record: r})
	}
	return nil
}

// checkApprovals verifies the approvals that a record rests on.
func (s *State) checkApprovals(a directory.Agency, hash directory.ApplicationHash, number uint64, list []*wire.Decision) error {
	for i, d := range list {
		if slices.ContainsFunc(list[:i], func(e *wire.Decision) bool { return string(e.Operator) == string(d.Operator) }) {
			return ErrSameOperator
		}
		if err := s.checkNamed(a, hash, number, Approve, d); err != nil {
			return err
		}
	}
	return nil
}

// checkNamed verifies that d is an operator's decision on exactly this application.
func (s *State) checkNamed(a directory.Agency, hash directory.ApplicationHash, number uint64, verb Verb, d *wire.Decision) error {
	if err := s.checkDecision(d); err != nil {
		return err
	}
	if Verb(d.Verb) != verb || d.Agency != string(a.ID) || d.Number != number || string(d.Application) != string(hash[:]) {
		return ErrWrongHash
	}
	return nil
}

// restoreDirectory encodes the directory anew and checks its endorsements.
func (s *State) restoreDirectory(m *wire.RegistryState) (err error) {
	if s.encoded, err = s.Directory().Encode(); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	for i, e := range m.Endorsements {
		if !s.Trust().Endorsed(e, s.encoded) || i > 0 && m.Endorsements[i-1].Server >= e.Server {
			return fmt.Errorf("%w: endorsement %d", ErrSnapshot, i+1)
		}
	}
	s.endorsements, s.published = m.Endorsements, m.Published
	enough := len(s.endorsements) >= directory.Majority(len(s.Servers))
	if m.Published == nil && !enough {
		return nil
	}
	d, err := s.Trust().Verify(m.Published)
	if err != nil {
		return fmt.Errorf("%w: published directory: %w", ErrSnapshot, err)
	}
	current := &wire.SignedDirectory{Directory: s.encoded, Endorsements: s.endorsements}
	if d.Version > s.version || enough != (d.Version == s.version) || enough && !proto.Equal(current, m.Published) {
		return fmt.Errorf("%w: published directory of version %d", ErrSnapshot, d.Version)
	}
	return nil
}
