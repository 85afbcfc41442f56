package centre

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// proposeTry bounds how long a peer waits for its request to be taken; less
// than the stream's own patience.
const proposeTry = 15 * time.Second

var (
	errTooOften = errors.New("asked too often")
	errNotOwn   = errors.New("signed by another key than the link's")
)

// serveAdmission takes applications and says how they stand.
func (s *Server) serveAdmission(ctx context.Context, st *link.Stream) error {
	for {
		var request wire.AdmissionRequest
		if err := st.Receive(&request); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if !s.limits.allow(st.Peer(), request.Application != nil) {
			return wire.Refuse(wire.CodeBusy, errTooOften)
		}
		response, err := s.admission(ctx, st.Peer(), request.Application)
		if err != nil {
			return err
		}
		if err := st.Send(response); err != nil {
			return err
		}
	}
}

// admission answers the holder of key, who applies or only asks.
func (s *Server) admission(ctx context.Context, key wire.Peer, a *wire.Application) (*wire.AdmissionResponse, error) {
	if a == nil {
		return s.standing(key)
	}
	if string(a.Key) != string(key[:]) {
		return nil, wire.Refuse(wire.CodeForged, errNotOwn)
	}
	for _, address := range a.Addresses {
		if err := link.ParseAddress(address); err != nil {
			return &wire.AdmissionResponse{Status: uint32(directory.Refused), Refusal: err.Error()}, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTry)
	defer cancel()
	index, err := s.propose(ctx, &wire.Command{Of: &wire.Command_Application{Application: a}})
	if err == nil {
		err = s.cluster.Await(ctx, index)
	}
	refusal, refused := registry.RefusalOf(err)
	switch {
	case err == nil, refusal == registry.ErrAlreadyActive:
		return s.standing(key)
	case !refused:
		return nil, wire.Refuse(wire.CodeUnavailable, err)
	case refusal == registry.ErrFull:
		return nil, wire.Refuse(refusal.Code(), err)
	}
	return &wire.AdmissionResponse{Status: uint32(directory.Refused), Refusal: err.Error()}, nil
}

// standing says how the holder of key stands. An agency is told that it is
// active when the published directory says so to everybody; then it gets that,
// and the federation secret sealed to its recipient.
func (s *Server) standing(key wire.Peer) (*wire.AdmissionResponse, error) {
	var status directory.Status
	var reason string
	s.cluster.View(func(state *registry.State) { status, reason = state.Standing(key) })
	if status != directory.Active {
		// A server that lags would call a member a stranger, or one that is back suspended.
		if (status == directory.Unknown || status == directory.Suspended) && !s.current() {
			return nil, wire.Refuse(wire.CodeUnavailable, errNotCurrent)
		}
		return &wire.AdmissionResponse{Status: uint32(status), Refusal: reason}, nil
	}
	signed, d, _ := s.published.get()
	if d == nil {
		return &wire.AdmissionResponse{Status: uint32(directory.Pending)}, nil
	}
	a, ok := d.AgencyOf(key)
	if !ok || a.Status != directory.Active {
		return &wire.AdmissionResponse{Status: uint32(directory.Pending)}, nil
	}
	response := &wire.AdmissionResponse{Status: uint32(directory.Active), Directory: signed}
	for _, k := range s.epochsOf(d) {
		h, err := s.shares.of(k, s.Index())
		if errors.Is(err, fs.ErrNotExist) {
			continue // this server was not there when the key was made; another was
		}
		if err != nil {
			return nil, fmt.Errorf("federation secret of epoch %d: %w", k.Epoch, err)
		}
		sealed, err := a.Recipient.Seal(h.federation[:])
		if err != nil {
			return nil, fmt.Errorf("seal federation secret: %w", err)
		}
		response.Secrets = append(response.Secrets, &wire.EpochSecret{Epoch: uint32(k.Epoch), Sealed: sealed})
	}
	return response, nil
}

// epochsOf are the key epochs of a directory that are still kept, with the shares
// of now: where they were made anew, the secret lies with the new ones.
func (s *Server) epochsOf(d *directory.Directory) (list []directory.KeyEpoch) {
	s.cluster.View(func(state *registry.State) {
		for _, k := range state.Epochs() {
			if _, shown := d.Epoch(k.Epoch); shown {
				list = append(list, k)
			}
		}
	})
	return list
}
