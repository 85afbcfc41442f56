package centre

import (
	"context"
	"io"
	"time"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// readTry is how long a status waits for the newest state.
const readTry = 3 * time.Second

// serveOperator takes an operator's decisions and shows the status.
func (s *Server) serveOperator(ctx context.Context, st *link.Stream) error {
	for {
		var request wire.OperateRequest
		if err := st.Receive(&request); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var refusal string
		if d := request.Decision; d != nil {
			key := st.Peer()
			if string(d.Operator) != string(key[:]) {
				return wire.Refuse(wire.CodeForged, errNotOwn)
			}
			var err error
			if refusal, err = s.decide(ctx, d); err != nil {
				return wire.Refuse(wire.CodeUnavailable, err)
			}
		}
		if err := st.Send(&wire.OperateResponse{Status: s.status(ctx), Refusal: refusal}); err != nil {
			return err
		}
	}
}

// decide has a decision taken, or says in a sentence why it was not.
func (s *Server) decide(ctx context.Context, d *wire.Decision) (refusal string, err error) {
	ctx, cancel := context.WithTimeout(ctx, proposeTry)
	defer cancel()
	_, err = s.propose(ctx, &wire.Command{Of: &wire.Command_Decision{Decision: d}})
	if _, refused := registry.RefusalOf(err); refused {
		s.log.Info("decision refused", "server", s.Index(), "verb", d.Verb)
		return err.Error(), nil
	}
	if err == nil {
		s.log.Info("decision taken", "server", s.Index(), "verb", d.Verb)
	}
	return "", err
}

// status is the registry's state, the newest if a majority can be reached, and
// otherwise as it is here and without a leader; with what this server alone sees.
func (s *Server) status(ctx context.Context) *wire.RegistryStatus {
	var m *wire.RegistryStatus
	now := s.cluster.Status()
	look := func(state *registry.State) {
		m = state.Status()
		d := state.Directory()
		leader, _ := state.Server(now.Leader)
		self, _ := state.ServerOf(s.host.Peer())
		m.Leader, m.Asked = leader.Name, self.Name
		for _, a := range m.Activity {
			agency, _ := d.Agency(directory.AgencyID(a.Agency))
			seen := s.activity.of(agency.Key)
			a.Version, a.Software = seen.version, seen.software
			if !seen.seen.IsZero() {
				a.Seen = uint64(seen.seen.Unix())
			}
		}
		for _, a := range m.ServerActivity {
			server, _ := state.Server(oprf.Index(a.Server))
			a.Reachable = server.Key == s.host.Peer() || s.host.Connected(server.Key)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readTry)
	defer cancel()
	if err := s.cluster.Read(ctx, look); err != nil {
		s.cluster.View(look)
		m.Leader = ""
	}
	m.Applied = now.Applied
	return m
}
