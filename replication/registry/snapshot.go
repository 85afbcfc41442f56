package registry

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// ErrSnapshot is what Restore returns, wrapped with the place.
var ErrSnapshot = errors.New("not a state of the registry")

// MaxHandovers is how many changes of the servers are kept for nodes that were
// away. Who was away for longer enrols again.
const MaxHandovers = 64

// Snapshot encodes the state; equal states have equal snapshots.
func (s *State) Snapshot() ([]byte, error) {
	entries, err := s.record.Entries(0, int(s.record.Size()))
	if err != nil {
		return nil, fmt.Errorf("encode registry state: %w", err)
	}
	m := &wire.RegistryState{
		Genesis: s.document, Version: s.version, Endorsements: s.endorsements, Published: s.published,
		NextServer: uint32(s.nextServer), Policy: s.policy.Message(), Motioned: s.motioned, Invitations: s.invitations,
		Notices: s.notices, Handovers: s.handovers, Ceremony: s.ceremony.message(), Day: s.day, Record: entries,
		Removed: s.removed, Refreshed: s.refreshed, Accounts: s.accountMessages(),
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
	for _, server := range s.servers {
		m.Servers = append(m.Servers, server.Message())
	}
	for _, o := range s.operators {
		m.Operators = append(m.Operators, o.message())
	}
	for _, k := range s.epochs {
		m.Epochs = append(m.Epochs, k.Message())
	}
	for _, p := range s.motions {
		m.Motions = append(m.Motions, p.record)
	}
	for _, i := range slices.Sorted(maps.Keys(s.days)) {
		m.Days = append(m.Days, &wire.ServerDay{Server: uint32(i), Day: s.days[i]})
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
	s.version, s.motioned, s.day, s.refreshed = m.Version, m.Motioned, m.Day, m.Refreshed
	for _, part := range []struct {
		name string
		read func() error
	}{
		{"sizes", func() error { return checkSizes(&m) }},
		{"servers", func() error { return s.restoreServers(&m) }},
		{"operators", func() error { return s.restoreOperators(m.Operators) }},
		{"key epochs", func() (err error) { s.epochs, err = directory.EpochsOf(m.Epochs); return err }},
		{"policy", func() (err error) { s.policy, err = directory.PolicyOf(m.Policy); return err }},
		{"agencies", func() error { return s.restoreAgencies(m.Agencies) }},
		{"applications", func() error { return s.restorePending(m.Pending) }},
		{"refusals", func() error { return s.restoreRefused(m.Refused) }},
		{"motions", func() error { return s.restoreMotions(m.Motions) }},
		{"days", func() error { return s.restoreDays(m.Days) }},
		{"accounts", func() error { return s.restoreAccounts(m.Accounts) }},
		{"key ceremony", func() (err error) { s.ceremony, err = s.restoreCeremony(m.Ceremony); return err }},
		{"record", func() error { return s.restoreRecord(m.Record) }},
		{"directory", func() error { return s.restoreDirectory(&m) }},
	} {
		if err := part.read(); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrSnapshot, part.name, err)
		}
	}
	s.removed, s.invitations, s.notices = m.Removed, m.Invitations, m.Notices
	return s, nil
}

func checkSizes(m *wire.RegistryState) error {
	if m.Version < 1 || len(m.Pending) > MaxPending+directory.MaxAgencies || len(m.Refused) > MaxRefused || len(m.Motions) > MaxMotions ||
		len(m.Invitations) > MaxInvitations || len(m.Notices) > MaxNotices || len(m.Handovers) > MaxHandovers ||
		len(m.Agencies) > directory.MaxAgencies || !ascending(m.Removed) {
		return errors.New("version, or too many of something")
	}
	for _, v := range m.Invitations {
		if v.Invitation == nil {
			return errors.New("an invitation of nobody")
		}
	}
	return nil
}

func ascending(list []string) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}

func (s *State) restoreServers(m *wire.RegistryState) (err error) {
	if s.servers, err = directory.ServersOf(m.Servers); err != nil {
		return err
	}
	s.nextServer = oprf.Index(m.NextServer)
	if m.NextServer > math.MaxUint16 || s.nextServer <= s.servers[len(s.servers)-1].Index {
		return fmt.Errorf("next number %d", m.NextServer)
	}
	return nil
}

func (s *State) restoreAgencies(list []*wire.Admitted) error {
	for i, r := range list {
		m, err := s.readMember(r)
		if err != nil {
			return fmt.Errorf("agency %d: %w", i+1, err)
		}
		if s.taken(m.agency.Key) || i > 0 && s.agencies[i-1].agency.ID >= m.agency.ID {
			return fmt.Errorf("agency %d: twice, out of order or of another's key", i+1)
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
	agency.Status = directory.Status(r.Status)
	m := member{agency: agency, hash: hash, record: r}
	switch {
	case agency.Status == directory.Active && r.Suspension == nil && r.Evidence == nil:
	case agency.Status == directory.Suspended && r.Suspension == nil && r.Evidence != nil:
		if _, err := m.forked(r.Evidence); err != nil {
			return m, err
		}
	case agency.Status == directory.Suspended && r.Suspension != nil && r.Evidence == nil:
		if err := s.checkNamed(agency, hash, m.number(), Suspend, r.Suspension); err != nil {
			return m, err
		}
	default:
		return m, fmt.Errorf("status %d", r.Status)
	}
	if len(r.Approvals) != Approvals || string(r.Hash) != string(hash[:]) {
		return m, errors.New("approvals or hash")
	}
	return m, s.checkApprovals(agency, hash, r.Number, r.Approvals)
}

func (s *State) restorePending(list []*wire.PendingApplication) error {
	for i, r := range list {
		agency, hash, err := directory.CheckApplication(r.GetApplication(), s.Hash)
		if err != nil {
			return fmt.Errorf("application %d: %w", i+1, err)
		}
		if err := s.checkApprovals(agency, hash, r.Number, r.Approvals); err != nil {
			return fmt.Errorf("application %d: %w", i+1, err)
		}
		_, twice := s.pendingOf(agency.Key)
		if twice || i > 0 && list[i-1].Number >= r.Number || len(r.Approvals) >= Approvals || string(r.Hash) != string(hash[:]) {
			return fmt.Errorf("application %d: twice, out of order, approved or of another hash", i+1)
		}
		s.pending = append(s.pending, applicant{agency: agency, hash: hash, record: r})
	}
	return nil
}

func (s *State) restoreRefused(list []*wire.RefusedApplication) error {
	for i, r := range list {
		key, err := wire.ParsePeer(r.GetKey())
		if err != nil {
			return fmt.Errorf("refusal %d: %w", i+1, err)
		}
		if _, err := s.checkDecision(r.Decision); err != nil {
			return fmt.Errorf("refusal %d: %w", i+1, err)
		}
		_, waiting := s.pendingOf(key)
		if _, twice := s.refusedOf(key); twice || waiting || Verb(r.Decision.Verb) != Refuse {
			return fmt.Errorf("refusal %d: its key has another, or it is none", i+1)
		}
		s.refused = append(s.refused, rejection{key: key, record: r})
	}
	return nil
}

func (s *State) restoreMotions(list []*wire.PendingMotion) error {
	for i, r := range list {
		if _, err := s.checkDecision(r.GetDecision()); err != nil {
			return fmt.Errorf("motion %d: %w", i+1, err)
		}
		hash, err := MotionHash(r.Decision.Motion)
		if err != nil || string(hash[:]) != string(r.Hash) || Verb(r.Decision.Verb) != Move || i > 0 && list[i-1].Number >= r.Number {
			return fmt.Errorf("motion %d: hash, verb or order", i+1)
		}
		s.motions = append(s.motions, motion{hash: hash, record: r})
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
	if _, err := s.checkDecision(d); err != nil {
		return err
	}
	if Verb(d.Verb) != verb || d.Agency != string(a.ID) || d.Number != number || string(d.Application) != string(hash[:]) {
		return ErrWrongHash
	}
	return nil
}
