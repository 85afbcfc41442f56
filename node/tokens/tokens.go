// Package tokens gets the tokens of identifiers from the registry: it blinds
// them, asks a quorum of its servers, checks every server's proof, and
// combines the answers. No identifier, and nothing that can be tested against
// one, leaves the node.
package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// ErrUnavailable says that fewer servers than the threshold gave a right
// answer.
var ErrUnavailable = errors.New("too few registry servers answer")

// Opener opens streams to registry servers; a link.Host is one.
type Opener interface {
	Open(context.Context, wire.Peer, wire.Protocol) (*link.Stream, error)
}

// Client gets tokens. Its methods may be called from any goroutine.
type Client struct {
	open Opener
	dir  func() *directory.Directory // nil before enrolment
	log  *slog.Logger

	mu     sync.Mutex
	failed map[oprf.Index]time.Time // owned by mu; when a server last did not answer rightly
}

// New returns a client that asks the servers of the current directory.
func New(open Opener, dir func() *directory.Directory, log *slog.Logger) *Client {
	return &Client{open: open, dir: dir, log: log, failed: map[oprf.Index]time.Time{}}
}

// patience is how long one server may take before another quorum is tried.
const patience = 2 * time.Second

// Tokens returns the token of each identifier, at most wire.MaxEvaluate, and
// their epoch. It tries quorums until one answers rightly, or returns
// ErrUnavailable.
func (c *Client) Tokens(ctx context.Context, ids []identifier.Identifier) ([]oprf.Token, token.Epoch, error) {
	d := c.dir()
	if d == nil {
		return nil, 0, fmt.Errorf("%w: not a member yet", ErrUnavailable)
	}
	k, ok := d.Current()
	if !ok {
		return nil, 0, fmt.Errorf("%w: the registry has no token key yet", ErrUnavailable)
	}
	client, err := oprf.NewClient(k.Keys)
	if err != nil {
		return nil, 0, fmt.Errorf("registry's token keys: %w", err)
	}
	inputs := make([][]byte, len(ids))
	for i, id := range ids {
		inputs[i] = id.Input()
	}
	r, err := client.Blind(rand.Reader, inputs)
	if err != nil {
		return nil, 0, fmt.Errorf("blind identifiers: %w", err)
	}
	defer r.Destroy()
	tokens, err := c.evaluate(ctx, holders(d, k), k, r)
	return tokens, k.Epoch, err
}

// holders are the registry's servers that have a share of a key.
func holders(d *directory.Directory, k directory.KeyEpoch) []directory.Server {
	return slices.DeleteFunc(slices.Clone(d.Servers), func(s directory.Server) bool {
		return !slices.ContainsFunc(k.Keys.Shares, func(p oprf.PublicShare) bool { return p.Index == s.Index })
	})
}

// evaluate asks one quorum after another. A server that fails or lies is left
// out of the next ones.
func (c *Client) evaluate(ctx context.Context, servers []directory.Server, k directory.KeyEpoch, r *oprf.Request) ([]oprf.Token, error) {
	candidates := c.order(servers)
	for len(candidates) >= k.Keys.Threshold {
		quorum := slices.Clone(candidates[:k.Keys.Threshold])
		slices.SortFunc(quorum, func(a, b directory.Server) int { return int(a.Index) - int(b.Index) })
		answers, bad := c.ask(ctx, k, quorum, r)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
		if len(bad) == 0 {
			return r.Finalize(indices(quorum), answers)
		}
		candidates = slices.DeleteFunc(candidates, func(s directory.Server) bool { return slices.Contains(bad, s.Index) })
	}
	return nil, ErrUnavailable
}

// order puts the servers that have not failed before those that have, the
// longest ago first.
func (c *Client) order(servers []directory.Server) []directory.Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Clone(servers)
	slices.SortStableFunc(list, func(a, b directory.Server) int {
		return c.failed[a.Index].Compare(c.failed[b.Index])
	})
	return list
}

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
	var bad []oprf.Index
	for i, s := range quorum {
		err := errs[i]
		if err == nil {
			err = r.Check(indices(quorum), answers[i])
		}
		c.note(s, err)
		if err != nil {
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
