package centre

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

var (
	errNotActive  = errors.New("not an active agency")
	errNotCurrent = errors.New("this server does not hear from the others")
	errShape      = errors.New("evaluation of another shape")
	errEpoch      = errors.New("the key epoch or its shares are not in force; take the newest directory")
	errNoShare    = errors.New("this server has no share of the key")
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
		began := time.Now()
		response, err := s.answerEvaluation(ctx, st.Peer(), &request)
		s.measured.evaluated(time.Since(began), len(response.GetEvaluated())/oprf.ElementSize, err)
		if err != nil {
			return err
		}
		if err := st.Send(response); err != nil {
			return err
		}
	}
}

func (s *Server) answerEvaluation(ctx context.Context, p wire.Peer, request *wire.EvaluateRequest) (*wire.EvaluateResponse, error) {
	quorum, blinded, err := parseEvaluation(request)
	if err != nil {
		return nil, wire.Refuse(wire.CodeMalformed, err)
	}
	answer, err := s.evaluateFor(ctx, p, generation{token.Epoch(request.Epoch), request.Generation}, quorum, blinded)
	if err != nil {
		return nil, err
	}
	response := &wire.EvaluateResponse{Evaluated: make([]byte, 0, len(answer.Evaluated)*oprf.ElementSize), Proof: answer.Proof[:], Composites: answer.Composites[:]}
	for _, e := range answer.Evaluated {
		response.Evaluated = append(response.Evaluated, e[:]...)
	}
	return response, nil
}

// parseEvaluation checks the shape of a request. Whether its elements are
// elements, and its quorum one, the evaluation finds out.
func parseEvaluation(m *wire.EvaluateRequest) ([]oprf.Index, []oprf.Element, error) {
	n := len(m.Blinded) / oprf.ElementSize
	if n < 1 || n > wire.MaxEvaluate || len(m.Blinded)%oprf.ElementSize != 0 || len(m.Quorum) > directory.MaxServers {
		return nil, nil, fmt.Errorf("%w: %d bytes", errShape, len(m.Blinded))
	}
	var quorum []oprf.Index
	last := uint32(0)
	for _, i := range m.Quorum {
		if i <= last || i != uint32(oprf.Index(i)) {
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

// evaluateFor evaluates for a peer that is an active agency at this moment, out
// of its budget.
func (s *Server) evaluateFor(ctx context.Context, p wire.Peer, g generation, quorum []oprf.Index, blinded []oprf.Element) (oprf.Answer, error) {
	if !s.current() {
		return oprf.Answer{}, wire.Refuse(wire.CodeUnavailable, errNotCurrent)
	}
	agency, ok := s.active(p)
	if !ok {
		return oprf.Answer{}, wire.Refuse(wire.CodeRefused, errNotActive)
	}
	k, err := s.inForce(g)
	if err != nil {
		return oprf.Answer{}, err
	}
	day, err := s.spend(ctx, agency.ID, len(blinded))
	if err != nil {
		return oprf.Answer{}, refusedSpending(err)
	}
	answer, err := s.evaluateWith(ctx, k, quorum, blinded)
	if err != nil {
		s.unspend(agency.ID, day, len(blinded))
		return oprf.Answer{}, err
	}
	s.budgets.add(agency.ID, len(blinded))
	s.log.Info("evaluated", "server", s.Index(), "peer", p.String(), "elements", len(blinded))
	return answer, nil
}

// evaluateWith evaluates under a key epoch, when there is a slot for it.
func (s *Server) evaluateWith(ctx context.Context, k directory.KeyEpoch, quorum []oprf.Index, blinded []oprf.Element) (answer oprf.Answer, err error) {
	select {
	case s.evaluate <- struct{}{}:
		defer func() { <-s.evaluate }()
	case <-ctx.Done():
		return oprf.Answer{}, wire.Refuse(wire.CodeUnavailable, ctx.Err())
	}
	err = s.shares.use(k, s.Index(), func(share *oprf.Share) (err error) {
		answer, err = share.Evaluate(rand.Reader, k.Keys.Threshold, quorum, blinded)
		return err
	})
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, oprf.ErrQuorum), errors.Is(err, oprf.ErrElement):
		return oprf.Answer{}, wire.Refuse(wire.CodeMalformed, err)
	case !errors.Is(err, fs.ErrNotExist):
		s.log.Error("share cannot be used", "server", s.Index(), "cause", err)
	}
	return oprf.Answer{}, wire.Refuse(wire.CodeUnavailable, errNoShare)
}

// inForce is the key epoch that a request names, where this server has a share of
// it. An epoch that is retiring makes no new tokens.
func (s *Server) inForce(g generation) (k directory.KeyEpoch, err error) {
	found := false
	s.cluster.View(func(state *registry.State) {
		for _, k = range state.Epochs() {
			if found = generationOf(k) == g && !k.Retiring; found {
				return
			}
		}
	})
	if !found {
		return k, wire.Refuse(wire.CodeUnavailable, errEpoch)
	}
	_, err = s.shares.of(k, s.Index())
	if err == nil {
		return k, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("share cannot be opened", "server", s.Index(), "cause", err)
	}
	return k, wire.Refuse(wire.CodeUnavailable, errNoShare)
}

// refusedSpending is how a stream ends whose request the budget did not allow.
func refusedSpending(err error) error {
	var already *wire.Refusal
	if errors.As(err, &already) {
		return err
	}
	if refusal, ok := registry.RefusalOf(err); ok {
		return wire.Refuse(refusal.Code(), err)
	}
	return wire.Refuse(wire.CodeUnavailable, err)
}
