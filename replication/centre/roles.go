package centre

import (
	"context"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// role says what a peer is now. Whoever is nothing else may apply.
func (s *Server) role(p wire.Peer) wire.Role {
	select {
	case <-s.opened:
	default:
		return s.roleOnDisk(p)
	}
	server, operator := s.cluster.Speaks(p), false
	s.cluster.View(func(state *registry.State) {
		operator = state.IsOperator(p)
		if d := s.published.directory(); d != nil && d.Version > state.Version() {
			server = server || s.number(p) != 0 // the state here is behind
		}
	})
	switch {
	case server:
		return wire.RegistryServer
	case operator:
		return wire.RegistryOperator | wire.Applicant
	}
	if _, ok := s.active(p); ok {
		return wire.Member | wire.Applicant
	}
	return wire.Applicant
}

// roleOnDisk is role while the state is being opened: the other servers begin to
// call as soon as this one listens. Whoever else is turned away comes again.
func (s *Server) roleOnDisk(p wire.Peer) wire.Role {
	if s.number(p) != 0 {
		return wire.RegistryServer
	}
	return wire.Nobody
}

// active returns the agency that holds p's key, where it is active. Until this
// server has caught up, the last directory it published says so: it then
// serves nothing that needs more, but members need not be turned away.
func (s *Server) active(p wire.Peer) (a directory.Agency, ok bool) {
	if !s.isReady() {
		if d := s.published.directory(); d != nil {
			a, ok = d.AgencyOf(p)
		}
		return a, ok && a.Status == directory.Active
	}
	s.cluster.View(func(state *registry.State) { a, ok = state.Agency(p) })
	return a, ok && a.Status == directory.Active
}

// current reports whether this server knows what the cluster has decided: it
// has caught up since it started, and hears from a leader. A server that is cut
// off cannot know who was suspended.
func (s *Server) current() bool { return s.isReady() && s.cluster.Status().Leader != 0 }

func (s *Server) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// catchUp waits until the server has everything that was committed before it
// started.
func (s *Server) catchUp() {
	for s.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(s.ctx, catchUpTry)
		err := s.cluster.Read(ctx, func(*registry.State) {})
		cancel()
		if err == nil {
			close(s.ready)
			s.log.Info("registry server has caught up", "server", s.Index())
			s.host.Review()
			return
		}
		if s.ctx.Err() == nil {
			s.log.Warn("registry server has not caught up yet", "server", s.Index(), "cause", err)
		}
	}
}

// catchUpTry is how often a server that waits for the others says so.
const catchUpTry = 30 * time.Second
