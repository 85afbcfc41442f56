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

// endorseTry bounds one attempt to have an endorsement taken.
const endorseTry = 10 * time.Second

// endorse signs every version of the directory that the replicated state
// reaches. What is to be done follows from the state alone, so it does not
// matter when the server last stopped.
func (s *Server) endorse() {
	select {
	case <-s.ready: // before that, the log's old versions pass by
	case <-s.ctx.Done():
		return
	}
	for {
		changed := s.cluster.Changed()
		if s.endorseNow() {
			continue
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return
		}
	}
}

// endorseNow endorses the current version where this server has not. It reports
// whether to look again at once.
func (s *Server) endorseNow() (again bool) {
	m := &wire.EndorseVersion{Endorsement: &wire.Endorsement{Server: uint32(s.Index())}}
	missing := false
	s.cluster.View(func(state *registry.State) {
		var encoded []byte
		if m.Version, encoded, missing = state.Unendorsed(s.indexIn(state)); missing {
			m.Endorsement.Signature = directory.Endorse(s.secrets.keys.Signing, encoded)
		}
	})
	if !missing {
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, endorseTry)
	defer cancel()
	index, err := s.propose(ctx, &wire.Command{Of: &wire.Command_Endorse{Endorse: m}})
	switch {
	case err == nil:
		// Until it is in the state here, the same would be found to do.
		return s.cluster.Await(ctx, index) == nil
	case errors.Is(err, registry.ErrStale):
		return false // the next version is under way to here, as a change
	case errors.Is(err, cluster.ErrUnavailable):
		return s.ctx.Err() == nil
	case s.ctx.Err() == nil:
		s.log.Error("endorsement was not taken", "server", s.Index(), "version", m.Version, "cause", err)
	}
	return false
}

// propose stamps a command with this server's clock and proposes it.
func (s *Server) propose(ctx context.Context, c *wire.Command) (uint64, error) {
	c.Time = uint64(time.Now().Unix())
	return s.cluster.Propose(ctx, c)
}
