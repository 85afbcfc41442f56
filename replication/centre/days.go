package centre

import (
	"context"
	"errors"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

// lookAtClock is how often a server looks whether a day has begun.
const lookAtClock = 20 * time.Second

// countDays tells the registry when this server's clock has reached a day, with
// what was evaluated since it last did.
func (s *Server) countDays() {
	select {
	case <-s.ready:
	case <-s.ctx.Done():
		return
	}
	ticker := time.NewTicker(lookAtClock)
	defer ticker.Stop()
	for {
		if err := s.tick(); err != nil && s.ctx.Err() == nil {
			s.log.Warn("day could not be told", "server", s.Index(), "cause", err)
		}
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			return
		}
	}
}

// tick tells the day once. Where the answer is lost the very same is told again,
// so that nothing that was evaluated stands in the record twice.
func (s *Server) tick() error {
	s.budgets.telling.Lock()
	defer s.budgets.telling.Unlock()
	if s.budgets.told == nil && !s.reachedDay() {
		return nil
	}
	m := s.budgets.told
	signed, err := registry.SignStatement(s.secrets.keys.Signing, s.secrets.foundation.Hash, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, proposeTry)
	defer cancel()
	index, err := s.propose(ctx, &wire.Command{Of: &wire.Command_Tick{Tick: signed}})
	if errors.Is(err, cluster.ErrUnavailable) {
		return nil // the next look tries again
	}
	if err != nil {
		s.budgets.giveBack(m.Usage)
	}
	s.budgets.told = nil
	if err != nil {
		return err
	}
	return s.cluster.Await(ctx, index)
}

// reachedDay reports whether this server's clock has reached a day that the
// registry does not know of, and makes what is to be told of it.
func (s *Server) reachedDay() bool {
	day, m := directory.Day(s.now()), &wire.Tick{}
	s.cluster.View(func(state *registry.State) {
		if self := s.indexIn(state); day > state.Reached(self) {
			m.Server, m.Day = uint32(self), day
		}
	})
	if m.Server == 0 {
		return false
	}
	m.Usage = s.budgets.usage()
	s.budgets.told = m
	return true
}
