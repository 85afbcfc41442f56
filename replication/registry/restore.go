package registry

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/record"
)

// restoreRecord takes the record. The directory signs it up to the applications
// that came last.
func (s *State) restoreRecord(entries [][]byte) (err error) {
	if s.record, err = record.Restore(entries); err != nil {
		return err
	}
	signed := len(entries)
	for ; signed > 0; signed-- {
		var e wire.RecordEntry
		if err := wire.Unmarshal(entries[signed-1], &e); err != nil {
			return fmt.Errorf("entry %d: %w", signed-1, err)
		}
		if e.GetApplication() == nil {
			break
		}
	}
	s.head, err = s.record.HeadAt(uint64(signed))
	return err
}

// restoreDirectory follows the chain of handovers, encodes the directory anew
// and checks its endorsements.
func (s *State) restoreDirectory(m *wire.RegistryState) (err error) {
	if s.encoded, err = s.Directory().Encode(); err != nil {
		return err
	}
	s.handovers = m.Handovers
	for i, h := range m.Handovers {
		d, err := s.trusted.Verify(h)
		if i == 0 && len(m.Handovers) == MaxHandovers {
			d, err = directory.Decode(h.GetDirectory()) // what led to it was let go of
		}
		if err != nil {
			return fmt.Errorf("handover %d: %w", i+1, err)
		}
		s.before, s.trusted = s.trusted, d.Trust()
		s.handed = append(s.handed, d.Version)
	}
	trusted := s.trustedFor()
	for i, e := range m.Endorsements {
		if !trusted.Endorsed(e, s.encoded) || i > 0 && m.Endorsements[i-1].Server >= e.Server {
			return fmt.Errorf("endorsement %d", i+1)
		}
	}
	s.endorsements, s.published = m.Endorsements, m.Published
	enough := len(s.endorsements) >= trusted.Quorum
	if m.Published == nil && !enough {
		return nil
	}
	current := &wire.SignedDirectory{Directory: s.encoded, Endorsements: s.endorsements}
	if enough != (string(m.Published.GetDirectory()) == string(s.encoded)) || enough && !proto.Equal(current, m.Published) {
		return errors.New("published directory is not the endorsed one")
	}
	if n := len(s.handovers); n > 0 && proto.Equal(s.handovers[n-1], m.Published) {
		return nil // verified as the last of the chain
	}
	d, err := s.trusted.Verify(m.Published)
	if err != nil {
		return fmt.Errorf("published directory: %w", err)
	}
	if d.Version > s.version || !d.Trust().Equal(s.trusted) {
		return fmt.Errorf("published directory of version %d, or without its handover", d.Version)
	}
	return nil
}
