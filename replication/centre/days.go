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

func (s *Server) tick() error {
	day, reached, known := directory.Day(s.now()), uint64(0), false
	s.cluster.View(func(state *registry.State) {
		self := s.indexIn(state)
		reached, known = state.Reached(self), self != 0
	})
	if !known || day <= reached {
		return nil
	}
	usage := s.budgets.usage()
	m, err := registry.SignStatement(s.secrets.keys.Signing, &wire.Tick{Server: uint32(s.Index()), Day: day, Usage: usage})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, proposeTry)
	defer cancel()
	index, err := s.propose(ctx, &wire.Command{Of: &wire.Command_Tick{Tick: m}})
	if err != nil {
		s.budgets.giveBack(usage)
		if errors.Is(err, cluster.ErrUnavailable) {
			return nil // the next look tries again
		}
		return err
	}
	return s.cluster.Await(ctx, index)
}
