package centre

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"interlock/crypto/dkg"
	"interlock/crypto/oprf"
	"interlock/protocol/wire"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

// DefaultPatience is how long the servers wait for one that is silent in a key
// ceremony.
const DefaultPatience = 2 * time.Minute

// part is this server's part in the ceremony under way.
type part struct {
	number      uint64
	phase       dkg.Phase
	since       time.Time // the phase began, as seen here
	participant *dkg.Participant
	took        bool // its share is on the disk already
}

// holdCeremonies takes part in every key ceremony. What is to be said follows
// from the replicated state and from what is on the disk, so it does not matter
// when the server last stopped.
func (s *Server) holdCeremonies() {
	select {
	case <-s.ready: // before that, the log's old ceremonies pass by
	case <-s.ctx.Done():
		return
	}
	p := &part{}
	defer p.leave()
	for {
		changed := s.cluster.Changed()
		said, err := s.ceremonyStep(p)
		if err != nil && s.ctx.Err() == nil {
			s.log.Error("key ceremony does not go on here", "server", s.Index(), "cause", err)
		}
		if said {
			continue
		}
		pause := time.NewTimer(s.patience / 4)
		select {
		case <-changed:
		case <-pause.C:
		case <-s.ctx.Done():
			pause.Stop()
			return
		}
		pause.Stop()
	}
}

// ceremonyStep says at most one thing, and reports whether it did.
func (s *Server) ceremonyStep(p *part) (said bool, err error) {
	var c registry.Ceremony
	var under bool
	live := make(map[generation]bool)
	s.cluster.View(func(state *registry.State) {
		c, under = state.Ceremony()
		for _, k := range state.Epochs() {
			live[generationOf(k)] = true
		}
	})
	file := ""
	if under {
		live[generation{c.Epoch, c.Generation}], file = true, ceremonyFile(c.Number)
	}
	if !under || c.Number != p.number {
		p.leave()
	}
	if err := errors.Join(s.shares.keep(live), s.shares.keepCeremony(file)); err != nil || !under {
		return false, err
	}
	if phase := c.Transcript.Phase(); p.number != c.Number || phase != p.phase || p.since.IsZero() {
		p.number, p.phase, p.since = c.Number, phase, time.Now()
	}
	self := s.Index()
	if self == 0 {
		return false, nil // not one of the servers any more
	}
	m, ok, err := s.nextWord(p, c, self)
	if err != nil {
		return false, err
	}
	statement := &wire.CeremonyMessage{Ceremony: c.Number, Server: uint32(self)}
	switch {
	case ok:
		if statement.Message, err = m.MarshalBinary(); err != nil {
			return false, err
		}
	case time.Since(p.since) > s.patience && !c.Closed(self) && c.Transcript.Check(c.Transcript.Closing()) == nil:
		statement.Close = uint32(c.Transcript.Phase())
	default:
		return false, nil
	}
	return s.say(statement)
}

// nextWord is what this server has to say in the ceremony, if anything.
func (s *Server) nextWord(p *part, c registry.Ceremony, self oprf.Index) (m dkg.Message, ok bool, err error) {
	if !slices.Contains(c.Plan.Receivers, self) && !slices.Contains(c.Plan.Dealers, self) {
		return m, false, nil
	}
	if p.participant == nil {
		if p.participant, err = s.participate(c, self); err != nil {
			return m, false, err
		}
	}
	if c.Transcript.Phase() != dkg.Confirming {
		return p.participant.Next(c.Transcript)
	}
	if !slices.Contains(c.Transcript.Expected(), self) {
		return m, false, nil
	}
	share, secret, err := p.participant.Share(c.Transcript)
	if err != nil {
		return m, false, err
	}
	defer clear(secret[:])
	if p.took { // and the word was lost: it is said again
		share.Destroy()
	} else if err := s.shares.put(generation{c.Epoch, c.Generation}, holding{share: share, federation: secret}); err != nil {
		share.Destroy()
		return m, false, err
	}
	p.took = true
	m, ok = p.participant.Confirm(c.Transcript, secret)
	return m, ok, nil
}

// participate takes up this server's part: from the disk, where it is on it, for
// a server that restarts must say what it said before.
func (s *Server) participate(c registry.Ceremony, self oprf.Index) (*dkg.Participant, error) {
	var held *dkg.Holding
	if slices.Contains(c.Plan.Dealers, self) {
		old, err := s.shares.get(generation{c.Epoch, c.Generation - 1})
		if err != nil {
			return nil, fmt.Errorf("share to be dealt anew: %w", err)
		}
		held = &dkg.Holding{Share: old.share, Federation: old.federation}
	}
	path := filepath.Join(s.shares.dir, ceremonyFile(c.Number))
	sealed, err := os.ReadFile(path)
	switch {
	case err == nil:
		b, err := s.secrets.keys.Age.Open(sealed, secretLimit)
		defer clear(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		return dkg.Resume(c.Plan, b, held)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	participant, err := dkg.Begin(c.Plan, self, held)
	if err != nil {
		return nil, err
	}
	b, err := participant.MarshalBinary()
	defer clear(b)
	if err == nil {
		err = writeSealedTo(s.secrets.keys.Age.Recipient(), path, b)
	}
	if err != nil {
		participant.Destroy()
		return nil, err
	}
	return participant, nil
}

// ceremonyFile is the name of what is kept for a ceremony while it is under way.
func ceremonyFile(number uint64) string { return fmt.Sprintf("ceremony-%d.age", number) }

// say has a statement taken by the cluster, and reports whether it is in the
// state here. One that has been overtaken is no error.
func (s *Server) say(m *wire.CeremonyMessage) (bool, error) {
	ctx, cancel := context.WithTimeout(s.ctx, proposeTry)
	defer cancel()
	signed, err := registry.SignStatement(s.secrets.keys.Signing, s.secrets.foundation.Hash, m)
	if err != nil {
		return false, err
	}
	index, err := s.propose(ctx, &wire.Command{Of: &wire.Command_Ceremony{Ceremony: signed}})
	switch {
	case errors.Is(err, registry.ErrStale), errors.Is(err, registry.ErrCeremony), errors.Is(err, cluster.ErrUnavailable):
		s.log.Info("key ceremony went on without this word", "server", s.Index(), "cause", err)
		return false, nil
	case err != nil:
		return false, err
	}
	return true, s.cluster.Await(ctx, index)
}

// leave drops this server's part in memory.
func (p *part) leave() {
	if p.participant != nil {
		p.participant.Destroy()
	}
	*p = part{}
}
