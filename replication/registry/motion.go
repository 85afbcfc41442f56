package registry

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// motion is what one operator has put and a second has not decided yet.
type motion struct {
	hash   [sha256.Size]byte
	record *wire.PendingMotion
}

// MotionHash names a motion; an operator approves exactly it.
func MotionHash(m *wire.Motion) ([sha256.Size]byte, error) {
	b, err := wire.Marshal(m)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("encode motion: %w", err)
	}
	return sha256.Sum256(b), nil
}

func (s *State) motionNumbered(number uint64) (int, bool) {
	i := slices.IndexFunc(s.motions, func(p motion) bool { return p.record.Number == number })
	return i, i >= 0
}

// move takes a motion, which must be possible as things stand. Its number is
// how many motions there were before, so that it cannot be put again by
// somebody who overheard it.
func (d *draft) move(m *wire.Decision) (changes bool, err error) {
	hash, err := MotionHash(m.Motion)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if string(hash[:]) != string(m.Application) || m.Agency != m.Motion.GetAgency().GetAgency() {
		return false, ErrWrongHash
	}
	switch {
	case m.Number != d.motioned && d.heard(m):
		return false, nil
	case m.Number != d.motioned:
		return false, ErrStale
	case len(d.motions) >= MaxMotions:
		return false, ErrFull
	}
	if err := d.rehearse(m.Motion); err != nil {
		return false, err
	}
	d.motions = append(slices.Clip(d.motions), motion{hash: hash, record: &wire.PendingMotion{Decision: m, Hash: hash[:], Number: d.index}})
	d.motioned++
	return true, nil
}

// rehearse reports why a motion could not be carried out now.
func (d *draft) rehearse(m *wire.Motion) error {
	trial := &draft{State: d.State, index: d.index, time: d.time}
	return trial.carry(m)
}

// decideMotion approves or refuses another operator's motion. Whoever put it
// may withdraw it.
func (d *draft) decideMotion(i int, m *wire.Decision) (changes bool, err error) {
	p := d.motions[i]
	if string(p.hash[:]) != string(m.Application) || m.Agency != p.record.Decision.Agency {
		return false, ErrWrongHash
	}
	if Verb(m.Verb) == Approve && string(p.record.Decision.Operator) == string(m.Operator) {
		return false, ErrSameOperator
	}
	d.motions = slices.Delete(slices.Clone(d.motions), i, i+1)
	if Verb(m.Verb) == Refuse {
		return true, nil
	}
	return true, d.carry(p.record.Decision.Motion)
}

// carry does what a motion says.
func (d *draft) carry(m *wire.Motion) error {
	switch of := m.GetOf().(type) {
	case *wire.Motion_Policy:
		return d.changePolicy(of.Policy)
	case *wire.Motion_Server:
		return d.changeServer(of.Server)
	case *wire.Motion_Operator:
		return d.changeOperator(of.Operator)
	case *wire.Motion_Agency:
		return d.changeAgency(of.Agency)
	case *wire.Motion_NewEpoch:
		return d.newEpoch(int(of.NewEpoch.GetThreshold()))
	case *wire.Motion_RetireEpoch:
		return d.retire(of.RetireEpoch.GetEpoch())
	case *wire.Motion_Reshare:
		return d.reshare(int(of.Reshare.GetThreshold()))
	}
	return ErrMalformed
}

// repetition is how many entries of the record are searched for a decision that
// is sent again.
const repetition = 256

// heard reports whether m, which puts or decides a motion or invites, was taken
// lately: then it is the same message once more, from somebody who did not hear
// the answer.
func (s *State) heard(m *wire.Decision) bool {
	size := s.record.Size()
	entries, err := s.record.Entries(size-min(size, repetition), repetition)
	if err != nil {
		return false
	}
	taken, motion := false, m.Motion != nil || m.Invitation != nil
	for _, b := range entries {
		var e wire.RecordEntry
		if err := wire.Unmarshal(b, &e); err != nil {
			return false
		}
		have := e.GetDecision()
		taken = taken || have != nil && proto.Equal(have, m)
		motion = motion || have.GetMotion() != nil && string(have.Application) == string(m.Application)
	}
	return taken && motion
}

func (d *draft) changePolicy(m *wire.Policy) error {
	p, err := directory.PolicyOf(m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if proto.Equal(m, d.policy.Message()) {
		return ErrNoChange
	}
	d.policy, d.shown = p, true
	return nil
}
