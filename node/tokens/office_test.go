package tokens

import (
	"context"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// office is a registry without links or curves. A batch stays until the test lets
// it go, or as long as the plan says.
type office struct {
	plan  func(batch int) outcome // nil where the test lets go
	watch func(*sent) string      // what is wrong when a batch has begun; or nil

	mu      sync.Mutex
	key     directory.KeyEpoch
	none    bool // there is no key
	sent    []*sent
	flying  map[flight]bool
	answers map[flight]int // how often an identifier was evaluated with success
	faults  []string       // what no queue may do
}

// sent is a batch as the office sees it.
type sent struct {
	ids     []identifier.Identifier
	epoch   token.Epoch
	at      time.Time
	urgency Urgency      // what watch found
	out     chan outcome // how it ends
}

type outcome struct {
	after time.Duration
	err   error
}

func newOffice() *office {
	return &office{key: directory.KeyEpoch{Epoch: 1, Generation: 1}, flying: map[flight]bool{}, answers: map[flight]int{}}
}

// tokenOf is what the office evaluates an identifier to.
func tokenOf(e token.Epoch, id identifier.Identifier) oprf.Token {
	return sha512.Sum512(append(binary.BigEndian.AppendUint32(nil, uint32(e)), id.Input()...))
}

func (o *office) current() (epochKey, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.none {
		return epochKey{}, fmt.Errorf("%w: no key", ErrUnavailable)
	}
	return epochKey{KeyEpoch: o.key}, nil
}

func (o *office) Close() {}

func (o *office) change(to func(*directory.KeyEpoch)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	to(&o.key)
}

func (o *office) evaluate(ctx context.Context, k epochKey, ids []identifier.Identifier) ([]oprf.Token, error) {
	s, number := o.begin(k, ids)
	if o.watch != nil {
		o.blame(o.watch(s))
	}
	if o.plan != nil {
		s.out <- o.plan(number)
	}
	var out outcome
	select {
	case out = <-s.out:
	case <-ctx.Done():
	}
	select {
	case <-time.After(out.after):
	case <-ctx.Done():
		out.err = fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	return o.end(k, ids, out.err)
}

func (o *office) blame(fault string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = append(o.faults, fault)
}

func (o *office) begin(k epochKey, ids []identifier.Identifier) (*sent, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(ids) < 1 || len(ids) > batchSize {
		o.faults = append(o.faults, fmt.Sprintf("a batch of %d", len(ids)))
	}
	for _, id := range ids {
		f := flight{k.Epoch, id}
		if o.flying[f] {
			o.faults = append(o.faults, "an identifier is in flight twice")
		}
		o.flying[f] = true
	}
	s := &sent{ids: slices.Clone(ids), epoch: k.Epoch, at: time.Now(), out: make(chan outcome, 1)}
	o.sent = append(o.sent, s)
	return s, len(o.sent) - 1
}

func (o *office) end(k epochKey, ids []identifier.Identifier, err error) ([]oprf.Token, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		delete(o.flying, flight{k.Epoch, id})
	}
	if err != nil {
		return nil, err
	}
	tokens := make([]oprf.Token, len(ids))
	for i, id := range ids {
		o.answers[flight{k.Epoch, id}]++
		tokens[i] = tokenOf(k.Epoch, id)
	}
	return tokens, nil
}

// evaluated is how many identifiers were evaluated with success.
func (o *office) evaluated() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, times := range o.answers {
		n += times
	}
	return n
}

// wantWaiting compares how many identifiers are not sent yet, by Urgency.
func wantWaiting(t testing.TB, q *Queue, want [urgencies]int) {
	t.Helper()
	synctest.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	var got [urgencies]int
	for u, lane := range q.lanes {
		got[u] = lane.Len()
	}
	if got != want {
		t.Errorf("waiting by urgency: got %v, want %v", got, want)
	}
}

// batches are what was sent up to now.
func (o *office) batches() []*sent {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.sent)
}

// result is how one call of Tokens ended.
type result struct {
	tokens []oprf.Token
	epoch  token.Epoch
	err    error
}

func queueAt(t testing.TB, o *office) *Queue {
	t.Helper()
	q, err := newQueue(o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// atOffice runs a test in a bubble of its own, with an office and a queue at it that
// is closed in the end, if it was not before.
func atOffice(t *testing.T, test func(*testing.T, *office, *Queue)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		defer q.Close()
		test(t, o, q)
	})
}

// ask asks in the background.
func ask(ctx context.Context, q *Queue, ids []identifier.Identifier, u Urgency) <-chan result {
	out := make(chan result, 1)
	go func() {
		tokens, epoch, err := q.Tokens(ctx, ids, u)
		out <- result{tokens, epoch, err}
	}()
	return out
}

// right says what is wrong with a result, if anything is.
func (r result) right(ids []identifier.Identifier) error {
	if r.err != nil {
		return r.err
	}
	if len(r.tokens) != len(ids) {
		return fmt.Errorf("%d tokens for %d identifiers", len(r.tokens), len(ids))
	}
	for i, id := range ids {
		if r.tokens[i] != tokenOf(r.epoch, id) {
			return fmt.Errorf("token %d is not the one of its identifier in epoch %d", i, r.epoch)
		}
	}
	return nil
}

// wantSizes compares the sizes of the batches that were sent.
func wantSizes(t testing.TB, o *office, want ...int) []*sent {
	t.Helper()
	synctest.Wait()
	var got []int
	list := o.batches()
	for _, s := range list {
		got = append(got, len(s.ids))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("batches of %v, want %v", got, want)
	}
	return list
}

// holding returns the batch that an identifier is in. Batches that are sent at once
// begin in any order.
func holding(t testing.TB, list []*sent, id identifier.Identifier) *sent {
	t.Helper()
	at := slices.IndexFunc(list, func(s *sent) bool { return slices.Contains(s.ids, id) })
	if at < 0 {
		t.Fatal("no batch holds the identifier")
	}
	return list[at]
}
