package tokens

import (
	"container/list"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/identifier"
	"interlock/protocol/wire"
)

// Urgency says who waits for a token.
type Urgency int

// The urgencies, the most urgent first.
const (
	Officer Urgency = iota // a person who has just pressed a key
	Import                 // an import, or identifiers that wait for their first token
	Renewal                // tokens that are made anew for a new key
	urgencies
)

const (
	// batchSize is the most identifiers in one batch.
	batchSize = wire.MaxEvaluate
	// inFlight is the most batches that are with the registry at once. A batch that
	// no person waits for never takes the last place.
	inFlight = 3
	// underWay is how many identifiers of one call are queued or in flight at once:
	// as much again as flies, so that there is always a full batch to follow.
	underWay = 2 * (inFlight - 1) * batchSize
)

// errClosed says that the queue was closed.
var errClosed = fmt.Errorf("%w: the queue is closed", ErrUnavailable)

// source evaluates batches under the key in force; a Client is one.
type source interface {
	current() (epochKey, error)
	evaluate(context.Context, epochKey, []identifier.Identifier) ([]oprf.Token, error)
	Close()
}

// Queue gathers what its callers ask for into batches. Its methods may be called
// from any goroutine.
type Queue struct {
	source  source
	ctx     context.Context // of the batches; ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool                            // owned by mu, as all below
	cache  *cache                          // what it says needs no lock needs none
	lanes  [urgencies]*list.List           // of *want, in the order in which they go
	queued map[identifier.Identifier]*want // what is in the lanes
	flying map[flight]*want                // what is with the registry
	flies  [urgencies]int                  // batches in flight
}

// flight is an identifier that is being evaluated under the key of an epoch.
type flight struct {
	epoch token.Epoch
	id    identifier.Identifier
}

// NewQueue returns a queue before a client, which is its own from then on. Whoever
// made it closes it.
func NewQueue(c *Client) (*Queue, error) { return newQueue(c) }

func newQueue(s source) (*Queue, error) {
	cache, err := newCache()
	if err != nil {
		return nil, err
	}
	q := &Queue{source: s, cache: cache, queued: map[identifier.Identifier]*want{}, flying: map[flight]*want{}}
	for u := range q.lanes {
		q.lanes[u] = list.New()
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q, nil
}

// Tokens returns the token of each identifier, of which there may be any number,
// and their epoch: the newest that any of them was evaluated in. Where one
// batch that it depends on fails it returns ErrUnavailable, and so it does, with the
// error of ctx, when ctx ends. What was asked for by then is not lost: a batch
// that is in flight arrives, and the newest 4,096 tokens are remembered for a while.
// So a call should not hold more than its caller then writes at once.
func (q *Queue) Tokens(ctx context.Context, ids []identifier.Identifier, u Urgency) ([]oprf.Token, token.Epoch, error) {
	if ctx.Err() != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	c := newCall(ids, u)
	for {
		done, err := q.advance(c)
		if done {
			return c.tokens, c.epoch, nil
		}
		if err == nil {
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				err = fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
			}
		}
		q.mu.Lock()
		q.drop(c, err)
		q.mu.Unlock()
		return nil, 0, err
	}
}

// Close gives up what is under way, fails its callers with ErrUnavailable, and
// returns when nothing of it runs any more. The client is closed too.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.fail(slices.Collect(maps.Values(q.queued)), errClosed)
	q.mu.Unlock()
	q.cancel()
	q.running.Wait()
	q.source.Close()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cache.forget()
}
