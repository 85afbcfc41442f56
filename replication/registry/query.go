package registry

import (
	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Version is the directory's version now, published or not.
func (s *State) Version() uint64 { return s.version }

// Directory is the directory now, published or not.
func (s *State) Directory() *directory.Directory { return s.directory(s.version, s.agencies) }

func (s *State) directory(version uint64, agencies []member) *directory.Directory {
	d := &directory.Directory{
		Genesis: s.Hash, Version: version, Epoch: firstEpoch, Keys: s.Keys, Servers: s.Servers,
		Agencies: make([]directory.Agency, len(agencies)),
	}
	for i, m := range agencies {
		d.Agencies[i] = m.agency
	}
	return d
}

// Published is the last version that a majority has endorsed, nil before the
// first. The caller must not change it.
func (s *State) Published() *wire.SignedDirectory { return s.published }

// Unendorsed returns the current version and its encoding where server has not
// endorsed it yet.
func (s *State) Unendorsed(server oprf.Index) (version uint64, encoded []byte, ok bool) {
	return s.version, s.encoded, !s.endorsed(uint32(server))
}

// Agency returns the agency that holds key, active or suspended.
func (s *State) Agency(key wire.Peer) (directory.Agency, bool) {
	id, ok := s.ids[key]
	if !ok {
		return directory.Agency{}, false
	}
	i, ok := s.find(id)
	return s.agencies[i].agency, ok
}

// Standing is where the holder of key stands, and the operator's reason where
// it was refused or suspended. An application under way takes precedence over
// an earlier refusal, and an admission over both.
func (s *State) Standing(key wire.Peer) (status directory.Status, reason string) {
	if a, ok := s.Agency(key); ok {
		i, _ := s.find(a.ID)
		return a.Status, s.agencies[i].record.GetSuspension().GetReason()
	}
	if _, ok := s.pendingOf(key); ok {
		return directory.Pending, ""
	}
	if i, ok := s.refusedOf(key); ok {
		return directory.Refused, s.refused[i].record.Decision.Reason
	}
	return directory.Unknown, ""
}

// Status is the registry as operators see it. Agencies come without their age
// recipients, which are long, and signatures.
func (s *State) Status() *wire.RegistryStatus {
	m := &wire.RegistryStatus{
		Genesis: s.Hash[:], Version: s.version, Operators: s.document.Operators, Servers: s.document.Servers,
		Endorsed: uint32(len(s.endorsements)),
	}
	for _, a := range s.agencies {
		app := a.record.Application
		m.Agencies = append(m.Agencies, &wire.Admitted{
			Application: &wire.Application{
				Id: app.Id, Name: app.Name, Jurisdiction: app.Jurisdiction, Contact: app.Contact,
				Key: app.Key, Addresses: app.Addresses, Time: app.Time,
			},
			Hash: a.hash[:], Number: a.record.Number, Status: a.record.Status, Approvals: a.record.Approvals, Suspension: a.record.Suspension,
		})
	}
	for _, a := range s.pending {
		m.Pending = append(m.Pending, a.record)
	}
	return m
}
