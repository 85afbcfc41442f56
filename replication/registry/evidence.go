package registry

import (
	"fmt"
	"slices"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// The kinds of notices; the numbers are the wire's.
const (
	UnusualDemand      = 1
	ForkedFeed         = 2
	CeremonyFailed     = 3
	ServerDisqualified = 4
)

// notify tells the operators, and the record.
func (d *draft) notify(n *wire.Notice) error {
	n.Number, n.Time = d.index, d.time
	if len(d.notices) >= MaxNotices {
		d.notices = d.notices[1:]
	}
	d.notices = append(slices.Clone(d.notices), n)
	return d.write(&wire.RecordEntry{Of: &wire.RecordEntry_Notice{Notice: n}})
}

// noticed reports whether a notice of a kind was given of an agency since a
// log index.
func (s *State) noticed(kind uint32, agency string, since uint64) bool {
	return slices.ContainsFunc(s.notices, func(n *wire.Notice) bool {
		return n.Kind == kind && n.Agency == agency && n.Number > since
	})
}

// forked returns the number at which evidence shows that one of the agency's
// feeds forks: both heads are of one audience, generation and number. The
// registry believes nobody: both signatures prove it.
func (m member) forked(e *wire.Evidence) (number uint64, err error) {
	first, err := feed.ParseHead(e.GetFirst())
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	second, err := feed.ParseHead(e.GetSecond())
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if first.Author != m.agency.ID || !first.Conflicts(second) ||
		!first.Verified(m.agency.Key) || !second.Verified(m.agency.Key) {
		return 0, ErrNoEvidence
	}
	return first.Number, nil
}

// convict takes evidence that an agency has shown its feed differently to
// different members.
func (d *draft) convict(e *wire.Evidence) (changes bool, err error) {
	i, ok := d.find(directory.AgencyID(e.GetFirst().GetAuthor()))
	if !ok {
		return false, ErrUnknownAgency
	}
	a := d.agencies[i]
	number, err := a.forked(e)
	if err != nil {
		return false, err
	}
	if a.record.Evidence != nil || d.noticed(ForkedFeed, string(a.agency.ID), a.number()) {
		return false, nil // once for each admission: what forked cannot be mended
	}
	if d.policy.SuspendForks && a.agency.Status == directory.Active {
		d.cut(a, nil, e)
	}
	if err := d.write(&wire.RecordEntry{Of: &wire.RecordEntry_Evidence{Evidence: e}}); err != nil {
		return false, err
	}
	return true, d.notify(&wire.Notice{
		Kind: ForkedFeed, Agency: string(a.agency.ID), Text: fmt.Sprintf("%s signed two different feeds of %d entries", a.agency.ID, number),
	})
}
