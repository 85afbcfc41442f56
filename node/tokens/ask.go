package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// ask sends the blinded identifiers to the whole quorum at once and returns
// the checked answers, or the servers that gave none.
func (c *Client) ask(ctx context.Context, k directory.KeyEpoch, quorum []directory.Server, r *oprf.Request) ([]oprf.Answer, []oprf.Index) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	blinded := r.Blinded()
	answers := make([]oprf.Answer, len(quorum))
	errs := make([]error, len(quorum))
	var wg sync.WaitGroup
	for i, s := range quorum {
		wg.Go(func() {
			answers[i], errs[i] = c.askOne(ctx, k, indices(quorum), s, blinded)
			if errs[i] == nil {
				errs[i] = r.Check(indices(quorum), answers[i])
			}
		})
	}
	wg.Wait()
	var bad []oprf.Index
	for i, s := range quorum {
		c.note(s, errs[i])
		if errs[i] != nil {
			bad = append(bad, s.Index)
		}
	}
	return answers, bad
}

// note remembers whether a server answered rightly. A wrong share is evidence
// against its server and is said aloud.
func (c *Client) note(s directory.Server, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var wrong *oprf.WrongShareError
	switch {
	case err == nil:
		delete(c.failed, s.Index)
		return
	case errors.As(err, &wrong):
		c.log.Error("registry server gave a wrong share", "server", s.Index, "name", s.Name)
	default:
		c.log.Warn("registry server gave no answer", "server", s.Index, "cause", err)
	}
	c.failed[s.Index] = time.Now()
}

// askOne sends one server its request.
func (c *Client) askOne(ctx context.Context, k directory.KeyEpoch, quorum []oprf.Index, s directory.Server, blinded []oprf.Element) (oprf.Answer, error) {
	stream, err := c.open.Open(ctx, s.Key, wire.ProtocolEvaluate)
	if err != nil {
		return oprf.Answer{}, err
	}
	stop := context.AfterFunc(ctx, func() { stream.Reset(wire.CodeTimeout) })
	defer stop()
	defer stream.Reset(wire.CodeNone)
	req := &wire.EvaluateRequest{Epoch: uint32(k.Epoch), Generation: k.Generation, Blinded: make([]byte, 0, len(blinded)*oprf.ElementSize)}
	for _, i := range quorum {
		req.Quorum = append(req.Quorum, uint32(i))
	}
	for _, e := range blinded {
		req.Blinded = append(req.Blinded, e[:]...)
	}
	var resp wire.EvaluateResponse
	if err := errors.Join(stream.Send(req), stream.CloseWrite()); err != nil {
		return oprf.Answer{}, err
	}
	if err := stream.Receive(&resp); err != nil {
		return oprf.Answer{}, err
	}
	return answerOf(s.Index, &resp, len(blinded))
}

// answerOf parses a server's answer to n elements.
func answerOf(from oprf.Index, m *wire.EvaluateResponse, n int) (oprf.Answer, error) {
	a := oprf.Answer{Server: from, Evaluated: make([]oprf.Element, n)}
	if len(m.Evaluated) != n*oprf.ElementSize || len(m.Proof) != oprf.ProofSize {
		return a, fmt.Errorf("answer of %d bytes to %d elements, proof of %d", len(m.Evaluated), n, len(m.Proof))
	}
	for i := range a.Evaluated {
		copy(a.Evaluated[i][:], m.Evaluated[i*oprf.ElementSize:])
	}
	copy(a.Proof[:], m.Proof)
	return a, nil
}

func indices(servers []directory.Server) []oprf.Index {
	list := make([]oprf.Index, len(servers))
	for i, s := range servers {
		list[i] = s.Index
	}
	return list
}
