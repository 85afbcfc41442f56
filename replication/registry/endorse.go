package registry

import (
	"slices"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// endorse takes one server's signature over the current directory. The version
// is published when enough of the servers have signed that the published one
// before it names; signatures that come later are added to it.
func (d *draft) endorse(m *wire.EndorseVersion) (changes bool, err error) {
	e := m.GetEndorsement()
	switch {
	case e == nil || m.Version > d.version:
		return false, ErrMalformed
	case m.Version < d.version:
		return false, ErrStale
	case d.endorsed(e.Server):
		return false, nil
	}
	// Once the version is published others may be trusted for the next one, yet
	// whoever was trusted for this may still add its name.
	trusted := d.trustedFor()
	switch {
	case trusted.Servers[oprf.Index(e.Server)] == wire.Peer{}:
		return false, ErrUnknownServer
	case !trusted.Endorsed(e, d.encoded):
		return false, ErrBadSignature
	}
	d.endorsements = append(slices.Clone(d.endorsements), e)
	slices.SortFunc(d.endorsements, func(a, b *wire.Endorsement) int { return int(a.Server) - int(b.Server) })
	if len(d.endorsements) >= trusted.Quorum {
		d.publish(trusted)
	}
	return true, nil
}

// publish makes the current version what everybody follows, and its servers
// those whose endorsements count from then on.
func (d *draft) publish(trusted directory.Trust) {
	d.published = &wire.SignedDirectory{Directory: d.encoded, Endorsements: d.endorsements}
	next := d.Directory().Trust()
	if next.Equal(trusted) {
		return
	}
	if n := len(d.handovers); n > 0 && string(d.handovers[n-1].Directory) == string(d.encoded) {
		d.handovers = append(slices.Clone(d.handovers[:n-1]), d.published)
		return
	}
	from := max(0, len(d.handovers)-MaxHandovers+1)
	d.handovers = append(slices.Clip(d.handovers[from:]), d.published)
	d.handed = append(slices.Clip(d.handed[from:]), d.version)
	d.before, d.trusted = trusted, next
}

// trustedFor is whose endorsements count for the current version.
func (s *State) trustedFor() directory.Trust {
	if n := len(s.handovers); n > 0 && string(s.handovers[n-1].Directory) == string(s.encoded) {
		return s.before
	}
	return s.trusted
}

func (s *State) endorsed(server uint32) bool {
	return slices.ContainsFunc(s.endorsements, func(e *wire.Endorsement) bool { return e.Server == server })
}

// Handovers are the published directories after each of which other servers'
// endorsements counted, oldest first: whoever was away follows them one by one.
// The caller must not change them.
func (s *State) Handovers() []*wire.SignedDirectory { return s.handovers }

// HandoversBetween are the handovers of versions after one and before another.
func (s *State) HandoversBetween(after, before uint64) (list []*wire.SignedDirectory) {
	for i, version := range s.handed {
		if version > after && version < before {
			list = append(list, s.handovers[i])
		}
	}
	return list
}

// Trusted is whose endorsements count for the version after the published one.
func (s *State) Trusted() directory.Trust { return s.trusted }
