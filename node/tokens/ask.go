package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/link"
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
		})
	}
	wg.Wait()
	check(r, quorum, answers, errs)
	var bad []oprf.Index
	for i, s := range quorum {
		c.note(s, errs[i])
		if errs[i] != nil {
			bad = append(bad, s.Index)
		}
	}
	return answers, bad
}

// check verifies the answers that came, all at once, and sets the errors of those
// that do not hold.
func check(r *oprf.Request, quorum []directory.Server, answers []oprf.Answer, errs []error) {
	var came []oprf.Answer
	var of []int
	for i, err := range errs {
		if err == nil {
			came, of = append(came, answers[i]), append(of, i)
		}
	}
	for n, err := range r.CheckAll(indices(quorum), came) {
		errs[of[n]] = err
	}
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

// askOne sends one server its request: on a stream that is kept, or on a new one
// where there is none or the server has ended it since.
func (c *Client) askOne(ctx context.Context, k directory.KeyEpoch, quorum []oprf.Index, s directory.Server, blinded []oprf.Element) (oprf.Answer, error) {
	req := requestOf(k, quorum, blinded)
	if stream, ok := c.streams.used(s.Key); ok {
		resp, err := c.converseUsed(ctx, s.Key, stream, req)
		if err == nil {
			return answerOf(s.Index, resp, len(blinded))
		}
		c.streams.drop(s.Key)
	}
	stream, err := c.streams.fresh(ctx, s.Key)
	if err != nil {
		return oprf.Answer{}, err
	}
	resp, err := c.converse(ctx, s.Key, stream, req)
	if err != nil {
		return oprf.Answer{}, err
	}
	return answerOf(s.Index, resp, len(blinded))
}

// converseUsed is converse on a stream that was kept. It may be dead without a
// sign, and so it gets half the patience there is with the server.
func (c *Client) converseUsed(ctx context.Context, to wire.Peer, stream *link.Stream, req *wire.EvaluateRequest) (*wire.EvaluateResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	return c.converse(ctx, to, stream, req)
}

// converse sends a request and receives its answer, and keeps the stream for the
// next.
func (c *Client) converse(ctx context.Context, to wire.Peer, stream *link.Stream, req *wire.EvaluateRequest) (*wire.EvaluateResponse, error) {
	stop := context.AfterFunc(ctx, func() { stream.Reset(wire.CodeTimeout) })
	defer stop()
	var resp wire.EvaluateResponse
	err := stream.Send(req)
	if err == nil {
		err = stream.Receive(&resp)
	}
	if err != nil {
		stream.Reset(wire.CodeNone)
		return nil, err
	}
	if stop() {
		c.streams.put(to, stream)
	}
	return &resp, nil
}

// requestOf is the message that asks for an evaluation.
func requestOf(k directory.KeyEpoch, quorum []oprf.Index, blinded []oprf.Element) *wire.EvaluateRequest {
	req := &wire.EvaluateRequest{Epoch: uint32(k.Epoch), Generation: k.Generation, Blinded: make([]byte, 0, len(blinded)*oprf.ElementSize)}
	for _, i := range quorum {
		req.Quorum = append(req.Quorum, uint32(i))
	}
	for _, e := range blinded {
		req.Blinded = append(req.Blinded, e[:]...)
	}
	return req
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
	switch len(m.Composites) {
	case 0:
		return a, nil
	case oprf.CompositesSize:
		copy(a.Composites[:], m.Composites)
	default:
		return a, fmt.Errorf("composites of %d bytes", len(m.Composites))
	}
	if a.Composites == (oprf.Composites{}) {
		return a, errors.New("composites that are none, written out")
	}
	return a, nil
}

func indices(servers []directory.Server) []oprf.Index {
	list := make([]oprf.Index, len(servers))
	for i, s := range servers {
		list[i] = s.Index
	}
	return list
}
