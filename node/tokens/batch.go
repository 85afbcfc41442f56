package tokens

import (
	"slices"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/identifier"
)

// batch is identifiers of one urgency that go to the registry together.
type batch struct {
	key     epochKey
	urgency Urgency
	wants   []*want
}

// wish has a call get the token of its next identifier: from the cache, with
// whoever asked already, or by queueing it. q.mu is held.
func (q *Queue) wish(c *call, e token.Epoch) {
	id, at := c.ids[c.next], c.next
	if q.cache.get(e, c.names[0], &c.tokens[at]) {
		c.epochs[at], c.epoch = e, max(c.epoch, e)
		return
	}
	w, ok := q.flying[flight{e, id}]
	if !ok {
		w, ok = q.queued[id]
	}
	if !ok {
		w = &want{id: id, name: c.names[0], urgency: c.urgency}
		w.queued = q.lanes[w.urgency].PushBack(w)
		q.queued[id] = w
	}
	w.waiters = append(w.waiters, waiter{c, at})
	c.open[w] = struct{}{}
	q.hasten(w, c.urgency)
}

// hasten moves a want that is not sent yet to the lane of somebody more urgent.
func (q *Queue) hasten(w *want, u Urgency) {
	if w.queued != nil && u < w.urgency {
		q.lanes[w.urgency].Remove(w.queued)
		w.urgency, w.queued = u, q.lanes[u].PushBack(w)
	}
}

// drop ends a call that gets nothing. What nobody else wants is taken out of the
// queue; what is in flight arrives, and is remembered. q.mu is held.
func (q *Queue) drop(c *call, err error) {
	if c.err != nil {
		return
	}
	c.err = err
	for w := range c.open {
		w.waiters = slices.DeleteFunc(w.waiters, func(to waiter) bool { return to.call == c })
		if len(w.waiters) == 0 && w.queued != nil {
			q.lanes[w.urgency].Remove(w.queued)
			w.queued = nil
			delete(q.queued, w.id)
		}
	}
	c.open = nil
	clear(c.tokens)
	c.rouse()
}

// fail ends every call that waits for one of the wants. q.mu is held.
func (q *Queue) fail(wants []*want, err error) {
	for _, w := range wants {
		for len(w.waiters) > 0 {
			q.drop(w.waiters[0].call, err)
		}
	}
}

// send lets batches go as long as there is a place for them. q.mu is held.
func (q *Queue) send() {
	for u, ok := q.nextLane(); ok && !q.closed; u, ok = q.nextLane() {
		b := &batch{urgency: u}
		for lane := q.lanes[u]; lane.Len() > 0 && len(b.wants) < batchSize; {
			w := lane.Remove(lane.Front()).(*want)
			w.queued = nil
			delete(q.queued, w.id)
			b.wants = append(b.wants, w)
		}
		var err error
		if b.key, err = q.source.current(); err != nil {
			q.fail(b.wants, err)
			continue
		}
		for _, w := range b.wants {
			q.flying[flight{b.key.Epoch, w.id}] = w
		}
		q.flies[u]++
		q.running.Go(func() { q.fly(b) })
	}
}

// nextLane is the lane that the next batch comes from, if one may go now.
func (q *Queue) nextLane() (Urgency, bool) {
	patient := q.flies[Import] + q.flies[Renewal]
	if patient+q.flies[Officer] >= inFlight {
		return 0, false
	}
	for u, lane := range q.lanes {
		if lane.Len() > 0 {
			return Urgency(u), Urgency(u) == Officer || patient < inFlight-1
		}
	}
	return 0, false
}

// fly has a batch evaluated.
func (q *Queue) fly(b *batch) {
	ids, names := make([]identifier.Identifier, len(b.wants)), make([]name, len(b.wants))
	for i, w := range b.wants {
		ids[i], names[i] = w.id, w.name
	}
	tokens, err := q.source.evaluate(q.ctx, b.key, ids)
	defer clear(tokens)
	var sealed [][]byte
	if err == nil {
		sealed = q.cache.seal(b.key.Epoch, names, tokens)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flies[b.urgency]--
	for _, w := range b.wants {
		delete(q.flying, flight{b.key.Epoch, w.id})
	}
	switch {
	case err == nil:
		q.land(b, tokens, sealed)
	case q.outdated(b):
		q.again(b)
	default:
		q.fail(b.wants, err)
	}
	q.send()
}

// land gives out the tokens of a batch. q.mu is held.
func (q *Queue) land(b *batch, tokens []oprf.Token, sealed [][]byte) {
	for i, w := range b.wants {
		q.cache.put(b.key.Epoch, w.name, sealed[i])
		w.grant(&tokens[i], b.key.Epoch)
	}
}

// outdated reports whether the key changed while a batch was in flight, which
// is reason enough for servers to refuse it. q.mu is held.
func (q *Queue) outdated(b *batch) bool {
	k, err := q.source.current()
	return err == nil && !q.closed && (k.Epoch != b.key.Epoch || k.Generation != b.key.Generation)
}

// again puts what a batch held at the head of its lane, as far as it is still
// wanted, and was not evaluated or asked for by others under the new key since.
// q.mu is held.
func (q *Queue) again(b *batch) {
	k, err := q.source.current()
	if err != nil {
		q.fail(b.wants, err)
		return
	}
	var t oprf.Token
	defer clear(t[:])
	for _, w := range slices.Backward(b.wants) {
		other, ok := q.flying[flight{k.Epoch, w.id}]
		if !ok {
			other, ok = q.queued[w.id]
		}
		switch {
		case len(w.waiters) == 0:
		case q.cache.get(k.Epoch, w.name, &t):
			w.grant(&t, k.Epoch)
		case ok:
			w.join(other)
			q.hasten(other, w.urgency)
		default:
			w.queued = q.lanes[w.urgency].PushFront(w)
			q.queued[w.id] = w
		}
	}
}
