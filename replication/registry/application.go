package registry

import (
	"errors"
	"fmt"
	"slices"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// apply plans for an application. It waits for operators until they decide or
// its key replaces it. An active agency applies with what it wants changed, a
// suspended one to be reinstated.
func (s *State) apply(m *wire.Application) (change, error) {
	agency, hash, err := directory.CheckApplication(m, s.Hash)
	switch {
	case errors.Is(err, directory.ErrOtherNetwork):
		return nil, ErrWrongNetwork
	case errors.Is(err, directory.ErrSignature):
		return nil, ErrBadSignature
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := s.checkHolder(agency); err != nil {
		return nil, err
	}
	if i, ok := s.find(agency.ID); ok {
		if err := s.agencies[i].follows(m, agency, hash); err != nil {
			return nil, err
		}
	}
	if i, ok := s.refusedOf(agency.Key); ok && [32]byte(s.refused[i].record.Decision.Application) == hash {
		return nil, ErrAlreadyRefused
	}
	i, waiting := s.pendingOf(agency.Key)
	switch {
	case waiting && s.pending[i].hash == hash:
		return nil, nil
	case waiting && m.Time < s.pending[i].record.Application.Time:
		return nil, ErrStale
	case !waiting && !s.knows(agency.Key) && len(s.pending) >= MaxPending:
		return nil, ErrFull
	}
	return func(index uint64) {
		s.forget(agency.Key)
		s.pending = append(s.pending, applicant{agency: agency, hash: hash, record: &wire.PendingApplication{
			Application: m, Hash: hash[:], Number: index,
		}})
	}, nil
}

// knows reports whether key belongs to an agency that was admitted: strangers
// who fill the list of applications do not keep it from changing its own.
func (s *State) knows(key wire.Peer) bool {
	_, ok := s.ids[key]
	return ok
}

// checkHolder refuses an id or a key that belongs to somebody else.
func (s *State) checkHolder(a directory.Agency) error {
	if s.IsServer(a.Key) || s.IsOperator(a.Key) {
		return ErrTaken
	}
	if id, ok := s.ids[a.Key]; ok && id != a.ID {
		return ErrTaken
	}
	if i, ok := s.find(a.ID); ok && s.agencies[i].agency.Key != a.Key {
		return ErrTaken
	}
	return nil
}

// follows reports whether m, an application of the same agency, asks for
// something new.
func (m member) follows(next *wire.Application, agency directory.Agency, hash directory.ApplicationHash) error {
	active := m.agency.Status == directory.Active
	if active && sameWords(m.agency, agency) {
		return ErrAlreadyActive
	}
	if next.Time < m.record.Application.Time || hash == m.hash {
		return ErrStale
	}
	return nil
}

func sameWords(a, b directory.Agency) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Jurisdiction == b.Jurisdiction && a.Contact == b.Contact &&
		a.Key == b.Key && a.Recipient == b.Recipient && slices.Equal(a.Addresses, b.Addresses)
}

// forget drops what waits or was refused under key.
func (s *State) forget(key wire.Peer) {
	if i, ok := s.pendingOf(key); ok {
		s.pending = slices.Delete(slices.Clone(s.pending), i, i+1)
	}
	if i, ok := s.refusedOf(key); ok {
		s.refused = slices.Delete(slices.Clone(s.refused), i, i+1)
	}
}
