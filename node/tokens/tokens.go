// Package tokens gets the tokens of identifiers from the registry: it blinds
// them, asks a quorum of its servers, checks every server's proof, and
// combines the answers. No identifier, and nothing that can be tested against
// one, leaves the node.
//
// A Client asks for one batch. A Queue stands before it, and is what callers
// use: it takes any number of identifiers, fills batches while earlier ones are
// in flight, lets what a person waits for go first, and has nothing evaluated
// that another caller is asking for or that was evaluated a moment ago.
//
// It promises that a call's tokens are all of one key epoch and belong to its
// identifiers, whichever servers answered. It does not promise that an identifier is
// evaluated once in an epoch: the few thousand tokens that a Queue remembers are
// there for callers that gave up or crashed on the way to the disk. The lasting
// cache of tokens is the node's encrypted store, and whoever calls asks the store
// first. DESIGN.md beside this file has the argument. Package node calls it.
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
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// ErrUnavailable says that fewer servers than the threshold gave a right
// answer.
var ErrUnavailable = errors.New("too few registry servers answer")

// Client asks for one batch of tokens at a time, on behalf of a Queue. Its methods may be called from
// any goroutine.
type Client struct {
	streams *streams
	dir     func() *directory.Directory // nil before enrolment
	log     *slog.Logger

	mu     sync.Mutex
	failed map[oprf.Index]time.Time // owned by mu; when a server last did not answer rightly
	ready  readied                  // owned by mu
}

// readied is what was computed for the key in force.
type readied struct {
	keys   oprf.KeySet
	client *oprf.Client
}

// New returns a client that asks the servers of the current directory.
func New(open Opener, dir func() *directory.Directory, log *slog.Logger) *Client {
	return &Client{streams: newStreams(open, keepFor()), dir: dir, log: log, failed: map[oprf.Index]time.Time{}}
}

// Close ends the streams that are kept open for the next request. The client can
// still be used, and keeps none.
func (c *Client) Close() { c.streams.close() }

// patience is how long one server may take before another quorum is tried.
const patience = 2 * time.Second

// epochKey is a token key that is in force, and the servers that share it.
type epochKey struct {
	directory.KeyEpoch
	holders []directory.Server
}

// current is the key of the directory at this moment.
func (c *Client) current() (epochKey, error) {
	d := c.dir()
	if d == nil {
		return epochKey{}, fmt.Errorf("%w: not a member yet", ErrUnavailable)
	}
	k, ok := d.Current()
	if !ok {
		return epochKey{}, fmt.Errorf("%w: the registry has no token key yet", ErrUnavailable)
	}
	return epochKey{k, holders(d, k)}, nil
}

// holders are the registry's servers that have a share of a key.
func holders(d *directory.Directory, k directory.KeyEpoch) []directory.Server {
	return slices.DeleteFunc(slices.Clone(d.Servers), func(s directory.Server) bool {
		return !slices.ContainsFunc(k.Keys.Shares, func(p oprf.PublicShare) bool { return p.Index == s.Index })
	})
}

// evaluate gets the tokens of one batch, at most wire.MaxEvaluate identifiers,
// under a key. It tries quorums until one answers rightly, or returns
// ErrUnavailable.
func (c *Client) evaluate(ctx context.Context, k epochKey, ids []identifier.Identifier) ([]oprf.Token, error) {
	client, err := c.under(k.Keys)
	if err != nil {
		return nil, fmt.Errorf("registry's token keys: %w", err)
	}
	inputs := make([][]byte, len(ids))
	for i, id := range ids {
		inputs[i] = id.Input()
	}
	r, err := client.Blind(rand.Reader, inputs)
	for _, input := range inputs {
		clear(input)
	}
	if err != nil {
		return nil, fmt.Errorf("blind identifiers: %w", err)
	}
	defer r.Destroy()
	return c.gather(ctx, k, r)
}

// under returns the client of a key set. The last one is kept: to make one costs as
// much as a few identifiers.
func (c *Client) under(keys oprf.KeySet) (*oprf.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.ready.keys
	if c.ready.client != nil && was.Threshold == keys.Threshold && was.Public == keys.Public && slices.Equal(was.Shares, keys.Shares) {
		return c.ready.client, nil
	}
	client, err := oprf.NewClient(keys)
	if err != nil {
		return nil, err
	}
	keys.Shares = slices.Clone(keys.Shares)
	c.ready = readied{keys, client}
	return client, nil
}

// gather asks one quorum after another. A server that fails or lies is left out
// of the next ones.
func (c *Client) gather(ctx context.Context, k epochKey, r *oprf.Request) ([]oprf.Token, error) {
	candidates := c.order(k.holders)
	for len(candidates) >= k.Keys.Threshold {
		quorum := slices.Clone(candidates[:k.Keys.Threshold])
		slices.SortFunc(quorum, func(a, b directory.Server) int { return int(a.Index) - int(b.Index) })
		answers, bad := c.ask(ctx, k.KeyEpoch, quorum, r)
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
