package registry

import (
	"interlock/crypto/dkg"
	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/wire"
)

// Ceremony is a key ceremony as a server takes part in it.
type Ceremony struct {
	Number     uint64
	Epoch      token.Epoch
	Generation uint32
	Plan       dkg.Plan
	Transcript *dkg.Transcript // to be read only
	closed     map[oprf.Index]bool
}

// Ceremony returns the key ceremony under way.
func (s *State) Ceremony() (Ceremony, bool) {
	if s.ceremony == nil {
		return Ceremony{}, false
	}
	m := s.ceremony.record
	c := Ceremony{
		Number: m.Number, Epoch: token.Epoch(m.Epoch), Generation: m.Generation, Plan: s.ceremony.plan,
		Transcript: s.ceremony.transcript, closed: map[oprf.Index]bool{},
	}
	for _, said := range m.Messages {
		if said.Close != 0 && said.Close == uint32(c.Transcript.Phase()) {
			c.closed[oprf.Index(said.Server)] = true
		}
	}
	return c, true
}

// Closed reports whether a server has said that the present phase has lasted
// long enough.
func (c Ceremony) Closed(server oprf.Index) bool { return c.closed[server] }

func (s *State) ceremonyStatus() *wire.CeremonyStatus {
	if s.ceremony == nil {
		return nil
	}
	return &wire.CeremonyStatus{
		Number: s.ceremony.record.Number, Kind: s.ceremony.record.Kind, Phase: s.ceremony.transcript.Phase().String(),
		Expected: numbersOf(s.ceremony.transcript.Expected()),
	}
}
