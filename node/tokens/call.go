package tokens

import (
	"container/list"
	"slices"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/identifier"
)

// call is one call of Queue.Tokens. The queue's lock guards it, except what says
// otherwise.
type call struct {
	ids     []identifier.Identifier // fixed
	urgency Urgency                 // fixed
	next    int                     // which identifier is asked for next; the caller's goroutine's
	names   []name                  // of the identifiers from next on; the caller's goroutine's
	wake    chan struct{}           // receives, without blocking, when the call can go on

	tokens []oprf.Token
	epochs []token.Epoch      // of each token; 0 where there is none yet
	epoch  token.Epoch        // the newest of them
	open   map[*want]struct{} // what the call waits for
	err    error              // why it gets nothing
}

func newCall(ids []identifier.Identifier, u Urgency) *call {
	return &call{
		ids: ids, urgency: u, wake: make(chan struct{}, 1),
		tokens: make([]oprf.Token, len(ids)), epochs: make([]token.Epoch, len(ids)), open: map[*want]struct{}{},
	}
}

func (c *call) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take records a token for the identifier at a place.
func (c *call) take(at int, t *oprf.Token, e token.Epoch) {
	c.tokens[at], c.epochs[at], c.epoch = *t, e, max(c.epoch, e)
}

// want is one identifier that is queued or in flight, for all who want it.
type want struct {
	id      identifier.Identifier
	name    name
	urgency Urgency // whose lane it is in, or was
	waiters []waiter
	queued  *list.Element // nil once it is sent
}

// waiter is the place in a call that a token is for.
type waiter struct {
	call *call
	at   int
}

// grant gives a token to everybody who waits for it.
func (w *want) grant(t *oprf.Token, e token.Epoch) {
	for _, to := range w.waiters {
		to.call.take(to.at, t, e)
		delete(to.call.open, w)
		// A call goes on when a whole batch of it can follow.
		if left := len(to.call.open); left == 0 || left == underWay-batchSize {
			to.call.rouse()
		}
	}
	w.waiters = nil
}

// join makes everybody who waits for w wait for another want of the same.
func (w *want) join(other *want) {
	for _, to := range w.waiters {
		delete(to.call.open, w)
		to.call.open[other] = struct{}{}
	}
	other.waiters = append(other.waiters, w.waiters...)
	w.waiters = nil
}

// advance asks for as many of a call's identifiers as may be under way. It
// reports true when the call has all its tokens.
func (q *Queue) advance(c *call) (done bool, err error) {
	for more := true; more && !done && err == nil; {
		if len(c.names) == 0 && c.next < len(c.ids) {
			namer := q.cache.namer()
			for _, id := range c.ids[c.next:min(len(c.ids), c.next+batchSize)] {
				c.names = append(c.names, nameOf(namer, id))
			}
		}
		more, done, err = q.put(c)
	}
	return done, err
}

// put asks for the identifiers that have their names ready. It reports whether
// there is room for more.
func (q *Queue) put(c *call) (more, done bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, false, errClosed
	}
	if c.err != nil {
		return false, false, c.err
	}
	k, err := q.source.current()
	if err != nil {
		return false, false, err
	}
	for len(c.names) > 0 && len(c.open) < underWay {
		if c.epochs[c.next] == 0 || c.epochs[c.next] != c.epoch {
			q.wish(c, k.Epoch)
		}
		c.next, c.names = c.next+1, c.names[1:]
	}
	if q.send(); c.err != nil { // there was a key a moment ago
		return false, false, c.err
	}
	if c.next < len(c.ids) || len(c.open) > 0 {
		return c.next < len(c.ids) && len(c.open) < underWay, false, nil
	}
	// The key may have changed while the first tokens were there already.
	older := slices.IndexFunc(c.epochs, func(e token.Epoch) bool { return e != c.epoch })
	if older < 0 {
		if len(c.ids) == 0 {
			c.epoch = k.Epoch
		}
		return false, true, nil
	}
	c.next = older
	return true, false, nil
}
