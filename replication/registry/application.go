package registry

import (
	"errors"
	"fmt"
	"slices"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// apply takes an application. It waits for operators until they decide or its
// key replaces it. An active agency applies with what it wants changed, a
// suspended one to be reinstated, and one whose keys change with the new ones.
func (d *draft) apply(m *wire.Application) (changes bool, err error) {
	agency, hash, err := directory.CheckApplication(m, d.Hash)
	switch {
	case errors.Is(err, directory.ErrOtherNetwork):
		return false, ErrWrongNetwork
	case errors.Is(err, directory.ErrSignature):
		return false, ErrBadSignature
	case err != nil:
		return false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := d.checkHolder(agency, m); err != nil {
		return false, err
	}
	if i, ok := d.find(agency.ID); ok {
		if err := d.agencies[i].follows(m, agency, hash); err != nil {
			return false, err
		}
	}
	_, refused := d.refusedOf(agency.Key)
	if i, ok := d.refusedOf(agency.Key); ok && [32]byte(d.refused[i].record.Decision.Application) == hash {
		return false, ErrAlreadyRefused
	}
	i, waiting := d.pendingOf(agency.Key)
	switch {
	case waiting && d.pending[i].hash == hash:
		return false, nil
	case waiting && m.Time <= d.pending[i].record.Application.Time: // one that is sent again takes back nothing that came after it
		return false, ErrStale
	case !waiting && !d.knows(agency.Key) && len(d.pending) >= MaxPending:
		return false, ErrFull
	}
	if !waiting && !refused && !d.knows(agency.Key) && len(m.Replaced) == 0 {
		if err := d.redeem(m.Invitation); err != nil {
			return false, err
		}
	}
	d.forget(agency.Key)
	d.pending = append(slices.Clip(d.pending), applicant{agency: agency, hash: hash, record: &wire.PendingApplication{
		Application: m, Hash: hash[:], Number: d.index,
	}})
	d.quiet = true
	return true, d.write(&wire.RecordEntry{Of: &wire.RecordEntry_Application{Application: m}})
}

// knows reports whether key belongs to an agency that was admitted: strangers
// who fill the list of applications do not keep it from changing its own.
func (s *State) knows(key wire.Peer) bool {
	_, ok := s.ids[key]
	return ok
}

// checkHolder refuses an id or a key that belongs to somebody else. An agency's
// key changes only by an application that names the key it has now.
func (s *State) checkHolder(a directory.Agency, m *wire.Application) error {
	_, operator := s.operator(a.Key)
	if s.IsServer(a.Key) || operator {
		return ErrTaken
	}
	if id, ok := s.ids[a.Key]; ok && id != a.ID {
		return ErrTaken
	}
	if _, gone := slices.BinarySearch(s.removed, string(a.ID)); gone {
		return ErrTaken
	}
	i, ok := s.find(a.ID)
	if !ok {
		if len(m.Replaces) > 0 {
			return ErrUnknownAgency
		}
		return nil
	}
	held := s.agencies[i].agency.Key
	if held == a.Key || string(m.Replaces) == string(held[:]) {
		return nil
	}
	return ErrTaken
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
func (d *draft) forget(key wire.Peer) {
	if i, ok := d.pendingOf(key); ok {
		d.pending = slices.Delete(slices.Clone(d.pending), i, i+1)
	}
	if i, ok := d.refusedOf(key); ok {
		d.refused = slices.Delete(slices.Clone(d.refused), i, i+1)
	}
}

// forgetAgency drops every application under an id.
func (d *draft) forgetAgency(id directory.AgencyID) {
	d.pending = slices.DeleteFunc(slices.Clone(d.pending), func(a applicant) bool { return a.agency.ID == id })
}
