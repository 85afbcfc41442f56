package membership

import (
	"context"
	"errors"
	"fmt"

	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// Opener opens streams to registry servers; a link.Host is one.
type Opener interface {
	Open(context.Context, wire.Peer, wire.Protocol) (*link.Stream, error)
}

// Standing is what the registry says of us.
type Standing struct {
	Status  directory.Status
	Refusal string // why, where there is a why
	// Signed and Federation are there once active: the directory, and the
	// federation secret.
	Signed     *wire.SignedDirectory
	Federation token.Secret
}

// federationLimit bounds what a sealed secret may open to.
const federationLimit = 64

// Ask asks the registry how we stand, and applies if a is given. The first
// server that answers decides; the error joins what every server said.
func Ask(ctx context.Context, open Opener, n directory.Network, a *wire.Application, id *vault.Identity) (Standing, error) {
	var errs []error
	for _, s := range n.Servers {
		st, err := askOne(ctx, open, n, s.Key, a, id)
		if err == nil {
			return st, nil
		}
		errs = append(errs, fmt.Errorf("registry server %s: %w", s.Name, err))
	}
	return Standing{}, errors.Join(errs...)
}

func askOne(ctx context.Context, open Opener, n directory.Network, server wire.Peer, a *wire.Application, id *vault.Identity) (Standing, error) {
	s, err := open.Open(ctx, server, wire.ProtocolAdmission)
	if err != nil {
		return Standing{}, err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeTimeout) })
	defer stop()
	defer s.Reset(wire.CodeNone)
	var resp wire.AdmissionResponse
	if err := errors.Join(s.Send(&wire.AdmissionRequest{Application: a}), s.CloseWrite()); err != nil {
		return Standing{}, err
	}
	if err := s.Receive(&resp); err != nil {
		return Standing{}, err
	}
	st := Standing{Status: directory.Status(resp.Status), Refusal: resp.Refusal, Signed: resp.Directory}
	if resp.Status > uint32(directory.Refused) {
		return Standing{}, fmt.Errorf("status %d: %w", resp.Status, wire.ErrNotCanonical)
	}
	if st.Status != directory.Active {
		return st, nil
	}
	secret, err := id.Open(resp.Federation, federationLimit)
	if err != nil {
		return Standing{}, fmt.Errorf("open federation secret: %w", err)
	}
	defer clear(secret)
	if len(secret) != len(st.Federation) {
		return Standing{}, fmt.Errorf("federation secret of %d bytes: %w", len(secret), wire.ErrNotCanonical)
	}
	copy(st.Federation[:], secret)
	if st.Federation.Commit() != n.Federation {
		return Standing{}, errors.New("federation secret is not the network's")
	}
	return st, nil
}
