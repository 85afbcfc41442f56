package registry

import (
	"slices"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// endorse plans for one server's signature over the current directory. The
// version is published when a majority has signed; signatures that come later
// are added to it.
func (s *State) endorse(m *wire.EndorseVersion) (change, error) {
	e := m.GetEndorsement()
	switch {
	case e == nil || m.Version > s.version:
		return nil, ErrMalformed
	case m.Version < s.version:
		return nil, ErrStale
	case e.Server < 1 || int(e.Server) > len(s.Servers):
		return nil, ErrUnknownServer
	case !s.Trust().Endorsed(e, s.encoded):
		return nil, ErrBadSignature
	case s.endorsed(e.Server):
		return nil, nil
	}
	return func(uint64) {
		s.endorsements = append(slices.Clone(s.endorsements), e)
		slices.SortFunc(s.endorsements, func(a, b *wire.Endorsement) int { return int(a.Server) - int(b.Server) })
		if len(s.endorsements) >= directory.Majority(len(s.Servers)) {
			s.published = &wire.SignedDirectory{Directory: s.encoded, Endorsements: s.endorsements}
		}
	}, nil
}

func (s *State) endorsed(server uint32) bool {
	return slices.ContainsFunc(s.endorsements, func(e *wire.Endorsement) bool { return e.Server == server })
}
