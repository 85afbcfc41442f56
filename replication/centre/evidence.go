package centre

import (
	"context"
	"io"

	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// serveEvidence takes evidence of forked feeds from members. The replicated
// state checks it: a member is not believed.
func (s *Server) serveEvidence(ctx context.Context, st *link.Stream) error {
	for {
		var e wire.Evidence
		if err := st.Receive(&e); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if !s.limits.allow(st.Peer(), true) {
			return wire.Refuse(wire.CodeBusy, errTooOften)
		}
		response, err := s.convict(ctx, &e)
		if err != nil {
			return err
		}
		if err := st.Send(response); err != nil {
			return err
		}
	}
}

func (s *Server) convict(ctx context.Context, e *wire.Evidence) (*wire.EvidenceResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, proposeTry)
	defer cancel()
	_, err := s.propose(ctx, &wire.Command{Of: &wire.Command_Evidence{Evidence: e}})
	if _, refused := registry.RefusalOf(err); refused {
		return &wire.EvidenceResponse{Refusal: err.Error()}, nil
	}
	if err != nil {
		return nil, wire.Refuse(wire.CodeUnavailable, err)
	}
	s.log.Warn("evidence of a forked feed was taken", "server", s.Index())
	return &wire.EvidenceResponse{}, nil
}
