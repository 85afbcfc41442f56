package registry

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// The changes of an agency that take a motion; the numbers are the wire's.
const (
	RemoveAgency    = 1
	ReinstateAgency = 2
)

// number is what a suspension of the agency names: of the application that
// admitted it, or of the motion that reinstated it.
func (m member) number() uint64 { return max(m.record.Number, m.record.Reinstated) }

// put makes m the member under its id.
func (d *draft) put(m member) {
	d.agencies = slices.Clone(d.agencies)
	d.ids = maps.Clone(d.ids)
	i, ok := d.find(m.agency.ID)
	if ok {
		delete(d.ids, d.agencies[i].agency.Key)
		d.agencies[i] = m
	} else {
		d.agencies = slices.Insert(d.agencies, i, m)
	}
	d.ids[m.agency.Key] = m.agency.ID
	d.shown = true
}

// admit makes an agency active.
func (d *draft) admit(a applicant, approvals []*wire.Decision) {
	m := member{agency: a.agency, hash: a.hash, record: &wire.Admitted{
		Application: a.record.Application, Number: a.record.Number,
		Status: uint32(directory.Active), Approvals: approvals, Hash: a.hash[:],
	}}
	m.agency.Status = directory.Active
	d.forget(a.agency.Key)
	d.forgetAgency(a.agency.ID)
	d.put(m)
}

// refuse turns a pending application down.
func (d *draft) refuse(a applicant, m *wire.Decision) {
	d.forget(a.agency.Key)
	if len(d.refused) >= MaxRefused {
		d.refused = d.refused[1:]
	}
	d.refused = append(slices.Clone(d.refused), rejection{
		key: a.agency.Key, record: &wire.RefusedApplication{Key: a.agency.Key[:], Decision: m},
	})
}

// suspend cuts an active agency off. What it has asked for in the meantime is
// dropped, so that approvals given before do not reinstate it.
func (d *draft) suspend(m *wire.Decision) (changes bool, err error) {
	i, ok := d.find(directory.AgencyID(m.Agency))
	if !ok {
		return false, ErrUnknownAgency
	}
	a := d.agencies[i]
	switch {
	case proto.Equal(a.record.Suspension, m):
		return false, nil
	case a.number() != m.Number:
		return false, ErrStale
	case string(a.hash[:]) != string(m.Application):
		return false, ErrWrongHash
	case a.agency.Status != directory.Active:
		return false, ErrAlreadySuspended
	}
	d.cut(a, m, nil)
	return true, nil
}

// cut suspends a by decision or by evidence. A motion to reinstate it that still
// waits was about an earlier suspension.
func (d *draft) cut(a member, by *wire.Decision, evidence *wire.Evidence) {
	a.agency.Status = directory.Suspended
	a.record = &wire.Admitted{
		Application: a.record.Application, Number: a.record.Number, Status: uint32(directory.Suspended),
		Approvals: a.record.Approvals, Suspension: by, Evidence: evidence, Hash: a.hash[:], Reinstated: a.record.Reinstated,
	}
	d.forget(a.agency.Key)
	d.forgetAgency(a.agency.ID)
	d.motions = slices.DeleteFunc(slices.Clone(d.motions), func(p motion) bool {
		change := p.record.Decision.Motion.GetAgency()
		return change.GetAgency() == string(a.agency.ID) && change.GetChange() == ReinstateAgency
	})
	d.put(a)
}

// changeAgency removes an agency for good, or reinstates a suspended one.
func (d *draft) changeAgency(m *wire.AgencyChange) error {
	i, ok := d.find(directory.AgencyID(m.GetAgency()))
	if !ok {
		return ErrUnknownAgency
	}
	a := d.agencies[i]
	switch m.Change {
	case RemoveAgency:
		d.forget(a.agency.Key)
		d.forgetAgency(a.agency.ID)
		d.agencies = slices.Delete(slices.Clone(d.agencies), i, i+1)
		d.ids = maps.Clone(d.ids)
		delete(d.ids, a.agency.Key)
		at, _ := slices.BinarySearch(d.removed, m.Agency)
		d.removed = slices.Insert(slices.Clone(d.removed), at, m.Agency)
		d.accounts = maps.Clone(d.accounts)
		delete(d.accounts, a.agency.ID)
		d.shown = true
	case ReinstateAgency:
		if a.agency.Status != directory.Suspended {
			return ErrNoChange
		}
		a.agency.Status = directory.Active
		// The number is new, so that no decision of before fits again.
		a.record = &wire.Admitted{
			Application: a.record.Application, Number: a.record.Number, Status: uint32(directory.Active),
			Approvals: a.record.Approvals, Hash: a.hash[:], Reinstated: d.index,
		}
		d.put(a)
	default:
		return ErrMalformed
	}
	return nil
}
