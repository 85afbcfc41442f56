package registry

import (
	"slices"
	"testing"

	"interlock/crypto/dkg"
	"interlock/crypto/oprf"
	"interlock/protocol/wire"
)

// cast plays the servers in the ceremonies of one log.
type cast struct {
	n        *network
	ceremony dkg.PlanID
	players  map[oprf.Index]*dkg.Participant
	made     map[oprf.Index]*dkg.Holding // by the ceremony under way
	holdings map[oprf.Index]*dkg.Holding // of the key in force
	twist    func(dkg.Message) dkg.Message
}

func newCast(n *network) *cast {
	return &cast{n: n, holdings: map[oprf.Index]*dkg.Holding{}, twist: func(m dkg.Message) dkg.Message { return m }}
}

// says is what a server has to say in the ceremony, signed; nil for nothing.
func (c *cast) says(t testing.TB, now Ceremony, server oprf.Index) *wire.CeremonyMessage {
	t.Helper()
	if id := now.Plan.ID(); c.ceremony != id {
		c.ceremony, c.players, c.made = id, map[oprf.Index]*dkg.Participant{}, map[oprf.Index]*dkg.Holding{}
	}
	p := c.players[server]
	if p == nil {
		var held *dkg.Holding
		if slices.Contains(now.Plan.Dealers, server) {
			held = c.holdings[server]
		}
		var err error
		if p, err = dkg.Begin(now.Plan, server, held); err != nil {
			t.Fatal(err)
		}
		c.players[server] = p
	}
	said, ok, err := p.Next(now.Transcript)
	if err != nil {
		t.Fatal(err)
	}
	if now.Transcript.Phase() == dkg.Confirming {
		share, secret, err := p.Share(now.Transcript)
		if err != nil {
			t.Fatal(err)
		}
		c.made[server] = &dkg.Holding{Share: share, Federation: secret}
		said, ok = p.Confirm(now.Transcript, secret)
	}
	if !ok {
		return nil
	}
	b, err := c.twist(said).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return signed(c.n, &wire.CeremonyMessage{Ceremony: now.Number, Server: uint32(server), Message: b})
}

// closes is a server's word that the phase has lasted long enough.
func (c *cast) closes(now Ceremony, server oprf.Index) *wire.CeremonyMessage {
	return signed(c.n, &wire.CeremonyMessage{Ceremony: now.Number, Server: uint32(server), Close: uint32(now.Transcript.Phase())})
}

// next is the next message of the ceremony where the given servers are silent:
// the others speak, and then close the phase.
func (l *log) next(silent ...oprf.Index) *wire.CeremonyMessage {
	l.t.Helper()
	now, ok := l.Ceremony()
	if !ok {
		return nil
	}
	for _, i := range now.Transcript.Expected() {
		if slices.Contains(silent, i) {
			continue
		}
		if m := l.cast.says(l.t, now, i); m != nil {
			return m
		}
	}
	for _, s := range l.Servers() {
		if !slices.Contains(silent, s.Index) && !now.Closed(s.Index) {
			return l.cast.closes(now, s.Index)
		}
	}
	l.t.Fatalf("ceremony %d: nobody has anything to say while %s", now.Number, now.Transcript.Phase())
	return nil
}

// says takes one message of the ceremony.
func (l *log) says(m *wire.CeremonyMessage) {
	l.t.Helper()
	l.takes(speaks(m))
	if l.ceremony == nil {
		l.cast.holdings = l.cast.made
	}
}

// performs plays the ceremony under way to its end, without the silent servers.
func (l *log) performs(silent ...oprf.Index) {
	l.t.Helper()
	begun, ok := l.Ceremony()
	if !ok {
		l.t.Fatal("no key ceremony is under way")
	}
	for l.ceremony != nil && l.ceremony.record.Number == begun.Number {
		l.says(l.next(silent...))
	}
}

// founded is a log whose servers have made the first key, on a day.
func (n *network) founded(t testing.TB, day uint64) *log {
	l := n.log(t)
	l.performs()
	l.dawns(n, day)
	return l
}
