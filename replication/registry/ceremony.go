package registry

import (
	"errors"
	"fmt"
	"slices"

	"interlock/crypto/dkg"
	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// ceremony is a key ceremony under way: the log is its broadcast channel. It is
// never changed: each message makes another.
type ceremony struct {
	record     *wire.Ceremony
	plan       dkg.Plan
	transcript *dkg.Transcript
}

// hold begins a ceremony, or takes one up again: the messages were accepted
// before, or are refused now.
func (s *State) hold(m *wire.Ceremony) (*ceremony, error) {
	c := &ceremony{record: m, plan: dkg.Plan{
		Kind: dkg.Kind(m.GetKind()), Ceremony: m.GetNumber(), Threshold: int(m.GetThreshold()),
		Receivers: indicesOf(m.GetReceivers()), Context: s.Hash[:],
	}}
	if c.plan.Kind == dkg.Reshare {
		n := len(s.epochs)
		if n == 0 {
			return nil, ErrUnknownEpoch
		}
		old := s.epochs[n-1].Keys
		c.plan.Dealers, c.plan.Old, c.plan.Federation = indicesOf(m.Dealers), &old, s.epochs[n-1].Federation
	}
	var err error
	if c.transcript, err = dkg.New(c.plan); err != nil {
		return nil, err
	}
	for i, said := range m.Messages {
		if err := c.hear(s, m.Messages[:i], said); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// hear applies a message to the transcript. A phase is closed when a majority
// of the servers has said so.
func (c *ceremony) hear(s *State, before []*wire.CeremonyMessage, m *wire.CeremonyMessage) error {
	if err := s.checkStatement(m); err != nil {
		return err
	}
	if (m.Close == 0) == (len(m.Message) == 0) {
		return ErrMalformed
	}
	if m.Close == 0 {
		said, err := dkg.ParseMessage(m.Message)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if uint32(said.From) != m.Server {
			return ErrBadSignature
		}
		return c.apply(said)
	}
	if uint32(c.transcript.Phase()) != m.Close {
		return ErrStale
	}
	closing := 1
	for _, b := range before {
		if b.Close == m.Close && b.Server == m.Server {
			return errRepeated
		}
		if b.Close == m.Close {
			closing++
		}
	}
	if closing != directory.Majority(len(s.servers)) {
		return nil
	}
	return c.apply(c.transcript.Closing())
}

// errRepeated says that a message was taken before: it changes nothing.
var errRepeated = errors.New("said before")

func (c *ceremony) apply(m dkg.Message) error {
	changed, err := c.transcript.Apply(m)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrCeremony, err)
	case !changed:
		return errRepeated
	}
	return nil
}

// generate begins the making of a new key.
func (s *State) generate(number uint64, epoch token.Epoch, threshold int) (*ceremony, error) {
	return s.hold(&wire.Ceremony{
		Number: number, Kind: uint32(dkg.Generate), Epoch: uint32(epoch), Generation: 1, Threshold: uint32(threshold),
		Receivers: numbersOf(s.indices()), Day: s.day,
	})
}

// newEpoch begins a ceremony for another key. Until it has ended, and the old
// epoch is retired, both match.
func (d *draft) newEpoch(threshold int) error {
	switch {
	case d.ceremony != nil:
		return ErrCeremony
	case len(d.epochs) == 0 || len(d.epochs) >= directory.MaxEpochs:
		return ErrUnknownEpoch
	}
	if threshold == 0 {
		threshold = d.threshold()
	}
	c, err := d.generate(d.index, d.epochs[len(d.epochs)-1].Epoch+1, threshold)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTooFew, err)
	}
	d.ceremony = c
	return nil
}

// reshare begins a ceremony that gives the servers of now new shares of the key
// in force; one that is under way begins again with them.
func (d *draft) reshare(threshold int) error {
	if threshold == 0 {
		threshold = d.aimed()
	}
	var err error
	if n := len(d.epochs); n == 0 || d.ceremony != nil && d.ceremony.plan.Kind == dkg.Generate {
		// No key yet, or a new one under way: made anew by those who are there now.
		epoch := token.Epoch(1)
		if n > 0 {
			epoch = d.epochs[n-1].Epoch + 1
		}
		d.ceremony, err = d.generate(d.index, epoch, threshold)
	} else {
		current := d.epochs[n-1]
		var dealers []oprf.Index
		for _, share := range current.Keys.Shares {
			if _, ok := d.Server(share.Index); ok {
				dealers = append(dealers, share.Index)
			}
		}
		d.ceremony, err = d.hold(&wire.Ceremony{
			Number: d.index, Kind: uint32(dkg.Reshare), Epoch: uint32(current.Epoch), Generation: current.Generation + 1,
			Threshold: uint32(threshold), Dealers: numbersOf(dealers), Receivers: numbersOf(d.indices()), Day: d.day,
		})
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTooFew, err)
	}
	return nil
}

// refreshIfDue begins a refresh of the shares where policy says that it is time.
func (d *draft) refreshIfDue() error {
	if d.refreshed == 0 {
		d.refreshed = d.day // the first day that is known
	}
	if d.policy.Refresh == 0 || d.ceremony != nil || len(d.epochs) == 0 || d.day < d.refreshed+uint64(d.policy.Refresh) {
		return nil
	}
	return d.reshare(0)
}

// retire lets go of an epoch that another has replaced.
func (d *draft) retire(epoch uint32) error {
	i := slices.IndexFunc(d.epochs, func(k directory.KeyEpoch) bool { return uint32(k.Epoch) == epoch && k.Retiring })
	if i < 0 {
		return ErrUnknownEpoch
	}
	d.epochs = slices.Delete(slices.Clone(d.epochs), i, i+1)
	d.shown = true
	return nil
}

// speak takes a server's part in the ceremony.
func (d *draft) speak(m *wire.CeremonyMessage) (changes bool, err error) {
	if d.ceremony == nil || m.GetCeremony() != d.ceremony.record.Number {
		return false, ErrStale
	}
	next := cloneCeremony(d.ceremony.record)
	next.Messages = append(next.Messages, m)
	c, err := d.hold(next)
	switch {
	case errors.Is(err, errRepeated):
		return false, nil
	case err != nil:
		return false, err
	}
	d.ceremony = c
	switch c.transcript.Phase() {
	case dkg.Done:
		return true, d.install(c)
	case dkg.Failed:
		return true, d.retry(c)
	}
	return true, nil
}

// install brings what came of a ceremony into force.
func (d *draft) install(c *ceremony) error {
	outcome, ok := c.transcript.Outcome()
	if !ok {
		return ErrCeremony
	}
	k := directory.KeyEpoch{
		Epoch: token.Epoch(c.record.Epoch), Generation: c.record.Generation, Keys: outcome.Keys, Federation: outcome.Federation,
	}
	epochs := slices.Clone(d.epochs)
	if n := len(epochs); c.plan.Kind == dkg.Reshare {
		epochs[n-1] = k
	} else {
		if n > 0 {
			epochs[n-1].Retiring = true
		}
		epochs = append(epochs, k)
	}
	d.epochs, d.ceremony, d.refreshed, d.shown = epochs, nil, d.day, true
	if err := d.blame(c); err != nil {
		return err
	}
	return d.write(&wire.RecordEntry{Of: &wire.RecordEntry_Key{Key: k.Message()}})
}

// retry begins a ceremony that failed again, with the servers of now.
func (d *draft) retry(c *ceremony) error {
	d.ceremony = nil
	if err := d.blame(c); err != nil {
		return err
	}
	if err := d.notify(&wire.Notice{Kind: CeremonyFailed, Text: "a key ceremony failed and begins again: too few servers took part or agreed"}); err != nil {
		return err
	}
	if c.plan.Kind == dkg.Reshare {
		return d.reshare(int(c.record.Threshold))
	}
	next, err := d.generate(d.index, token.Epoch(c.record.Epoch), int(c.record.Threshold))
	d.ceremony = next
	return err
}

// blame tells the operators which servers were at fault.
func (d *draft) blame(c *ceremony) error {
	for _, f := range c.transcript.Faults() {
		server, _ := d.Server(f.Server)
		if err := d.notify(&wire.Notice{
			Kind: ServerDisqualified, Server: uint32(f.Server),
			Text: fmt.Sprintf("server %d %s in a key ceremony: %s while %s", f.Server, server.Name, f.Reason, f.Phase),
		}); err != nil {
			return err
		}
	}
	return nil
}

func numbersOf(list []oprf.Index) []uint32 {
	var numbers []uint32
	for _, i := range list {
		numbers = append(numbers, uint32(i))
	}
	return numbers
}

func indicesOf(list []uint32) []oprf.Index {
	var indices []oprf.Index
	for _, i := range list {
		indices = append(indices, oprf.Index(i))
	}
	return indices
}

// cloneCeremony copies what can be appended to.
func cloneCeremony(m *wire.Ceremony) *wire.Ceremony {
	return &wire.Ceremony{
		Number: m.Number, Kind: m.Kind, Epoch: m.Epoch, Generation: m.Generation, Threshold: m.Threshold,
		Dealers: m.Dealers, Receivers: m.Receivers, Messages: slices.Clip(m.Messages), Day: m.Day,
	}
}

// message is the ceremony as a snapshot holds it.
func (c *ceremony) message() *wire.Ceremony {
	if c == nil {
		return nil
	}
	return c.record
}

func (s *State) restoreCeremony(m *wire.Ceremony) (*ceremony, error) {
	if m == nil {
		return nil, nil
	}
	return s.hold(m)
}
