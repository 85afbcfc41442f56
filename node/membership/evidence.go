package membership

import (
	"context"
	"errors"
	"fmt"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// ErrNotTaken says that registry servers answered, and none took the evidence.
var ErrNotTaken = errors.New("the registry does not take the evidence")

// Report hands evidence to the registry's servers: to all of them, so that none
// can keep it to itself. One that takes it is enough.
func Report(ctx context.Context, open Opener, servers []directory.NetworkServer, e *wire.Evidence) error {
	var errs []error
	taken := false
	for _, s := range servers {
		refusal, err := reportTo(ctx, open, s.Key, e)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("registry server %s: %w", s.Name, err))
		case refusal != "":
			errs = append(errs, fmt.Errorf("registry server %s: %w: %q", s.Name, ErrNotTaken, refusal))
		default:
			taken = true
		}
	}
	if taken {
		return nil
	}
	return errors.Join(errs...)
}

func reportTo(ctx context.Context, open Opener, server wire.Peer, e *wire.Evidence) (refusal string, err error) {
	s, err := open.Open(ctx, server, wire.ProtocolEvidence)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeTimeout) })
	defer stop()
	defer s.Reset(wire.CodeNone)
	var resp wire.EvidenceResponse
	if err := errors.Join(s.Send(e), s.CloseWrite()); err != nil {
		return "", err
	}
	if err := s.Receive(&resp); err != nil {
		return "", err
	}
	return resp.Refusal, nil
}
