package registry

import (
	"cmp"
	"slices"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/record"
)

// Version is the directory's version now, published or not.
func (s *State) Version() uint64 { return s.version }

// Directory is the directory now, published or not.
func (s *State) Directory() *directory.Directory {
	d := &directory.Directory{
		Genesis: s.Hash, Version: s.version, Epochs: s.epochs, Servers: s.servers, Policy: s.policy,
		Record: directory.Head(s.head), Agencies: make([]directory.Agency, len(s.agencies)),
	}
	for i, m := range s.agencies {
		d.Agencies[i] = m.agency
	}
	return d
}

// Published is the last version that enough servers have endorsed, nil before
// the first. The caller must not change it.
func (s *State) Published() *wire.SignedDirectory { return s.published }

// Unendorsed returns the current version and its encoding where server's
// endorsement of it counts and is missing.
func (s *State) Unendorsed(server oprf.Index) (version uint64, encoded []byte, ok bool) {
	_, trusted := s.trustedFor().Servers[server]
	return s.version, s.encoded, trusted && !s.endorsed(uint32(server))
}

// Epochs are the key epochs that match, the newest last. The caller must not
// change them.
func (s *State) Epochs() []directory.KeyEpoch { return s.epochs }

// PublishedRecord is the head of the record that the published directory signs.
func (s *State) PublishedRecord() (h directory.Head) {
	if s.published == nil {
		return h
	}
	if d, err := directory.Decode(s.published.Directory); err == nil { // it was encoded here
		h = d.Record
	}
	return h
}

// Record is the record as it is now: for whoever looks under the state's lock.
func (s *State) Record() *record.Tree { return s.record }

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
		record := s.agencies[i].record
		if record.Evidence != nil {
			return a.Status, "its feed was shown differently to different members"
		}
		return a.Status, record.GetSuspension().GetReason()
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
		Genesis: s.Hash[:], Version: s.version, Endorsed: uint32(len(s.endorsements)), Policy: s.policy.Message(),
		Motioned: s.motioned, Notices: s.notices, RecordSize: s.head.Size, Day: s.day, Ceremony: s.ceremonyStatus(),
	}
	for _, o := range s.operators {
		m.Operators = append(m.Operators, o.message())
	}
	for _, server := range s.servers {
		m.Servers = append(m.Servers, server.Message())
	}
	for _, k := range s.epochs {
		m.Epochs = append(m.Epochs, k.Message())
	}
	for _, a := range s.agencies {
		m.Agencies = append(m.Agencies, a.shown())
		account := s.accounts[a.agency.ID]
		m.Activity = append(m.Activity, &wire.AgencyActivity{
			Agency: string(a.agency.ID), Daily: s.policy.DailyOf(a.agency.ID),
			Used: account.granted() / uint64(max(1, s.threshold())), Flagged: account.flagged,
		})
	}
	for _, a := range s.pending {
		m.Pending = append(m.Pending, a.record)
	}
	for _, p := range s.motions {
		m.Motions = append(m.Motions, p.record)
	}
	for _, v := range s.invitations {
		if !v.Used && v.Invitation.Expires >= s.day {
			m.Invitations = append(m.Invitations, v.Invitation)
		}
	}
	for _, server := range s.servers {
		m.ServerActivity = append(m.ServerActivity, &wire.ServerActivity{
			Server: uint32(server.Index), Endorsed: s.endorsed(uint32(server.Index)), Generation: s.holds(server.Index),
		})
	}
	return m
}

// shown is the member without what is long.
func (m member) shown() *wire.Admitted {
	app := m.record.Application
	return &wire.Admitted{
		Application: &wire.Application{
			Id: app.Id, Name: app.Name, Jurisdiction: app.Jurisdiction, Contact: app.Contact,
			Key: app.Key, Addresses: app.Addresses, Time: app.Time,
		},
		Hash: m.hash[:], Number: m.record.Number, Reinstated: m.record.Reinstated, Status: m.record.Status,
		Approvals: m.record.Approvals, Suspension: m.record.Suspension, Evidence: m.record.Evidence,
	}
}

// holds is the generation of the key in force that a server has a share of, 0
// for none.
func (s *State) holds(server oprf.Index) uint32 {
	n := len(s.epochs)
	if n == 0 {
		return 0
	}
	_, ok := slices.BinarySearchFunc(s.epochs[n-1].Keys.Shares, server, func(p oprf.PublicShare, i oprf.Index) int {
		return cmp.Compare(p.Index, i)
	})
	if !ok {
		return 0
	}
	return s.epochs[n-1].Generation
}
