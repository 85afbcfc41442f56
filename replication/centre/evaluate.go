package centre

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// epoch is that of the share; there is one.
const epoch = 1

var (
	errNotActive  = errors.New("not an active agency")
	errNotCurrent = errors.New("this server does not hear from the others")
	errShape      = errors.New("evaluation of another shape")
)

// serveEvaluations answers one request after another on a member's stream.
func (s *Server) serveEvaluations(ctx context.Context, st *link.Stream) error {
	for {
		var request wire.EvaluateRequest
		if err := st.Receive(&request); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		quorum, blinded, err := s.parseEvaluation(&request)
		if err != nil {
			return wire.Refuse(wire.CodeMalformed, err)
		}
		answer, err := s.evaluateFor(ctx, st.Peer(), quorum, blinded)
		if err != nil {
			return err
		}
		response := &wire.EvaluateResponse{Evaluated: make([]byte, 0, len(answer.Evaluated)*oprf.ElementSize), Proof: answer.Proof[:]}
		for _, e := range answer.Evaluated {
			response.Evaluated = append(response.Evaluated, e[:]...)
		}
		if err := st.Send(response); err != nil {
			return err
		}
	}
}

// parseEvaluation checks the shape of a request. Whether its elements are
// elements, the evaluation finds out.
func (s *Server) parseEvaluation(m *wire.EvaluateRequest) ([]oprf.Index, []oprf.Element, error) {
	n := len(m.Blinded) / oprf.ElementSize
	if m.Epoch != epoch || n < 1 || n > wire.MaxEvaluate || len(m.Blinded)%oprf.ElementSize != 0 {
		return nil, nil, fmt.Errorf("%w: epoch %d, %d bytes", errShape, m.Epoch, len(m.Blinded))
	}
	var quorum []oprf.Index
	last := uint32(0)
	for _, i := range m.Quorum {
		if i <= last || int(i) > len(s.foundation().Servers) {
			return nil, nil, fmt.Errorf("%w: quorum", errShape)
		}
		last = i
		quorum = append(quorum, oprf.Index(i))
	}
	blinded := make([]oprf.Element, n)
	for i := range blinded {
		copy(blinded[i][:], m.Blinded[i*oprf.ElementSize:])
	}
	return quorum, blinded, nil
}

// evaluateFor evaluates for a peer that is an active agency at this moment.
func (s *Server) evaluateFor(ctx context.Context, p wire.Peer, quorum []oprf.Index, blinded []oprf.Element) (oprf.Answer, error) {
	select {
	case s.evaluate <- struct{}{}:
		defer func() { <-s.evaluate }()
	case <-ctx.Done():
		return oprf.Answer{}, wire.Refuse(wire.CodeUnavailable, ctx.Err())
	}
	if !s.current() {
		return oprf.Answer{}, wire.Refuse(wire.CodeUnavailable, errNotCurrent)
	}
	agency, ok := s.active(p)
	if !ok {
		return oprf.Answer{}, wire.Refuse(wire.CodeRefused, errNotActive)
	}
	answer, err := s.secrets.share.Evaluate(rand.Reader, s.foundation().Keys.Threshold, quorum, blinded)
	switch {
	case errors.Is(err, oprf.ErrQuorum), errors.Is(err, oprf.ErrElement):
		return oprf.Answer{}, wire.Refuse(wire.CodeMalformed, err)
	case err != nil:
		return oprf.Answer{}, wire.Refuse(wire.CodeUnavailable, err)
	}
	s.meter.add(agency.ID, len(blinded))
	s.log.Info("evaluated", "server", s.Index(), "peer", p.String(), "elements", len(blinded))
	return answer, nil
}

// meter counts evaluated elements by agency.
type meter struct {
	mu sync.Mutex
	n  map[directory.AgencyID]uint64 // owned by mu
}

func (m *meter) add(id directory.AgencyID, elements int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n == nil {
		m.n = make(map[directory.AgencyID]uint64)
	}
	m.n[id] += uint64(elements)
}

func (m *meter) read() map[directory.AgencyID]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.n)
}
