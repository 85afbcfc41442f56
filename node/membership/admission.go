package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	// Secrets are there once active: the federation secret of each key epoch
	// that the server that answered holds. The directory says whether they are right.
	Secrets map[token.Epoch]token.Secret
	// Agency is what the directory of the server that answered says of us, once
	// active. It is not verified: to show it, no more.
	Agency *directory.Agency
}

// federationLimit bounds what a sealed secret may open to.
const federationLimit = 64

// Ask asks the registry how we stand, and applies if a is given. The first
// server that answers decides; the error joins what every server said.
func Ask(ctx context.Context, open Opener, servers []directory.NetworkServer, a *wire.Application, id *vault.Identity) (Standing, error) {
	var errs []error
	for _, s := range servers {
		st, err := askOne(ctx, open, s.Key, a, id)
		if err == nil {
			return st, nil
		}
		errs = append(errs, fmt.Errorf("registry server %s: %w", s.Name, err))
	}
	return Standing{}, errors.Join(errs...)
}

func askOne(ctx context.Context, open Opener, server wire.Peer, a *wire.Application, id *vault.Identity) (Standing, error) {
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
	st := Standing{Status: directory.Status(resp.Status), Refusal: resp.Refusal}
	if resp.Status > uint32(directory.Refused) || len(resp.Secrets) > directory.MaxEpochs {
		return Standing{}, fmt.Errorf("status %d: %w", resp.Status, wire.ErrNotCanonical)
	}
	if st.Status != directory.Active {
		return st, nil
	}
	if d, err := directory.Decode(resp.Directory.GetDirectory()); err == nil {
		if i := slices.IndexFunc(d.Agencies, func(a directory.Agency) bool { return a.Recipient == id.Recipient() }); i >= 0 {
			st.Agency = &d.Agencies[i]
		}
	}
	st.Secrets = make(map[token.Epoch]token.Secret, len(resp.Secrets))
	for _, m := range resp.Secrets {
		secret, err := openSecret(id, m.Sealed)
		if err != nil {
			return Standing{}, err
		}
		st.Secrets[token.Epoch(m.Epoch)] = secret
	}
	return st, nil
}

func openSecret(id *vault.Identity, sealed []byte) (secret token.Secret, err error) {
	b, err := id.Open(sealed, federationLimit)
	if err != nil {
		return secret, fmt.Errorf("open federation secret: %w", err)
	}
	defer clear(b)
	if len(b) != len(secret) {
		return secret, fmt.Errorf("federation secret of %d bytes: %w", len(b), wire.ErrNotCanonical)
	}
	copy(secret[:], b)
	return secret, nil
}
