package tokens

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/binary"
	"errors"
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
	watch func() string           // what is wrong whenever a batch begins; or nil

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
	ids []identifier.Identifier
	out chan outcome // how it ends
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

func (o *office) change(to func(*directory.KeyEpoch)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	to(&o.key)
}

func (o *office) evaluate(ctx context.Context, k epochKey, ids []identifier.Identifier) ([]oprf.Token, error) {
	s, number := o.begin(k, ids)
	if o.watch != nil {
		o.blame(o.watch())
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
	s := &sent{slices.Clone(ids), make(chan outcome, 1)}
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

func closed(t testing.TB, q *Queue) {
	t.Helper()
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

// call asks in the background.
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

func TestBatchesFillWhileTheOnesBeforeAreInFlight(t *testing.T) {
	ids := identifiers(t, 40)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		defer closed(t, q)
		var calls []<-chan result
		for i := range ids {
			calls = append(calls, ask(t.Context(), q, ids[i:i+1], Import))
			synctest.Wait()
		}
		list := wantSizes(t, o, 1, 1)
		list[0].out <- outcome{}
		list = wantSizes(t, o, 1, 1, 38)
		list[1].out <- outcome{}
		list[2].out <- outcome{}
		for i, c := range calls {
			if err := (<-c).right(ids[i : i+1]); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
	})
}

func TestAnOfficerOvertakesAnImport(t *testing.T) {
	rows, mine := identifiers(t, 20_000), identifiers(t, 20_003)[20_000:]
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		imported := ask(t.Context(), q, rows, Import)
		wantSizes(t, o, batchSize, batchSize)

		// The third place is free: it goes at once.
		first := ask(t.Context(), q, mine[:1], Officer)
		list := wantSizes(t, o, batchSize, batchSize, 1)
		list[2].out <- outcome{}
		if err := (<-first).right(mine[:1]); err != nil {
			t.Error(err)
		}

		// All places are taken: it goes with the first that lands.
		second := ask(t.Context(), q, mine[1:2], Officer)
		wantSizes(t, o, batchSize, batchSize, 1, 1)
		third := ask(t.Context(), q, mine[2:], Officer)
		synctest.Wait()
		list[0].out <- outcome{}
		list = wantSizes(t, o, batchSize, batchSize, 1, 1, 1)
		if got := list[4].ids[0]; got != mine[2] {
			t.Error("the batch after the one that landed is not the officer's")
		}
		list[3].out <- outcome{}
		list[4].out <- outcome{}
		for i, c := range []<-chan result{second, third} {
			if err := (<-c).right(mine[1+i : 2+i]); err != nil {
				t.Error(err)
			}
		}
		closed(t, q)
		if r := <-imported; !errors.Is(r.err, ErrUnavailable) {
			t.Errorf("the import ended with %v, want %v", r.err, ErrUnavailable)
		}
	})
}

func TestWhatAnOfficerWantsIsPulledOutOfAnImport(t *testing.T) {
	rows := identifiers(t, 3*batchSize)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		imported := ask(t.Context(), q, rows, Import)
		wantSizes(t, o, batchSize, batchSize)
		last := rows[len(rows)-1:]
		officer := ask(t.Context(), q, last, Officer)
		for _, s := range wantSizes(t, o, batchSize, batchSize, 1) {
			s.out <- outcome{}
		}
		if err := (<-officer).right(last); err != nil {
			t.Error(err)
		}
		wantSizes(t, o, batchSize, batchSize, 1, batchSize-1)[3].out <- outcome{}
		if err := (<-imported).right(rows); err != nil {
			t.Error(err)
		}
		closed(t, q)
		if got, want := q.Stats(), (Stats{Evaluated: uint64(len(rows)), Shared: 1, Batches: 4}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
}

func TestAnIdentifierInFlightIsNotAskedForAgain(t *testing.T) {
	ids := identifiers(t, 3)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		defer closed(t, q)
		first := ask(t.Context(), q, ids[:2], Import)
		synctest.Wait()
		twice := []identifier.Identifier{ids[1], ids[0], ids[1]}
		second := ask(t.Context(), q, twice, Officer)
		list := wantSizes(t, o, 2)
		list[0].out <- outcome{}
		if err := errors.Join((<-first).right(ids[:2]), (<-second).right(twice)); err != nil {
			t.Error(err)
		}
		third := <-ask(t.Context(), q, ids[:2], Officer) // from the cache
		if err := third.right(ids[:2]); err != nil {
			t.Error(err)
		}
		if got, want := q.Stats(), (Stats{Evaluated: 2, Shared: 3, Cached: 2, Batches: 1}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
}

func TestACallerThatGivesUpTakesBackOnlyWhatNobodyElseWants(t *testing.T) {
	rows := identifiers(t, 2*batchSize+3)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		defer closed(t, q)
		ctx, cancel := context.WithCancel(t.Context())
		gone := ask(ctx, q, rows, Import)
		synctest.Wait()
		shared := rows[len(rows)-1:]
		stays := ask(t.Context(), q, shared, Import)
		synctest.Wait()
		if got := q.Stats().Waiting; got != [urgencies]int{Import: 3} {
			t.Errorf("waiting %v", got)
		}
		cancel()
		if r := <-gone; !errors.Is(r.err, context.Canceled) || !errors.Is(r.err, ErrUnavailable) || r.tokens != nil {
			t.Errorf("the call that was cancelled ended with %v", r.err)
		}
		if got := q.Stats().Waiting; got != [urgencies]int{Import: 1} {
			t.Errorf("waiting %v", got)
		}
		for _, s := range wantSizes(t, o, batchSize, batchSize) {
			s.out <- outcome{}
		}
		wantSizes(t, o, batchSize, batchSize, 1)[2].out <- outcome{}
		if err := (<-stays).right(shared); err != nil {
			t.Error(err)
		}
		// What was in flight for the one that gave up was evaluated, and is not asked
		// for again.
		again := <-ask(t.Context(), q, rows[:batchSize], Import)
		if err := again.right(rows[:batchSize]); err != nil {
			t.Error(err)
		}
		wantSizes(t, o, batchSize, batchSize, 1)
	})
}

func TestOneCallNeverGetsTokensOfTwoEpochs(t *testing.T) {
	rows := identifiers(t, 2*batchSize+1)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		defer closed(t, q)
		c := ask(t.Context(), q, rows, Import)
		list := wantSizes(t, o, batchSize, batchSize)
		o.change(func(k *directory.KeyEpoch) { k.Epoch = 2 })
		list[0].out <- outcome{}
		list[1].out <- outcome{}
		list = wantSizes(t, o, batchSize, batchSize, 1)
		list[2].out <- outcome{}
		for _, s := range wantSizes(t, o, batchSize, batchSize, 1, batchSize, batchSize)[3:] {
			s.out <- outcome{}
		}
		r := <-c
		if err := r.right(rows); err != nil || r.epoch != 2 {
			t.Errorf("epoch %d, %v; want 2", r.epoch, err)
		}
	})
}

func TestAnIdentifierInFlightUnderTheFormerKeyIsAskedForUnderTheNewOne(t *testing.T) {
	ids := identifiers(t, 1)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		defer closed(t, q)
		first := ask(t.Context(), q, ids, Officer)
		synctest.Wait()
		o.change(func(k *directory.KeyEpoch) { k.Epoch = 2 })
		second := ask(t.Context(), q, ids, Officer)
		for _, s := range wantSizes(t, o, 1, 1) {
			s.out <- outcome{}
		}
		a, b := <-first, <-second
		if err := errors.Join(a.right(ids), b.right(ids)); err != nil || a.epoch != 1 || b.epoch != 2 {
			t.Errorf("epochs %d and %d, want 1 and 2: %v", a.epoch, b.epoch, err)
		}
	})
}

func TestABatchThatFailsBecauseTheSharesChangedIsSentAgain(t *testing.T) {
	ids := identifiers(t, 2)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		defer closed(t, q)
		c := ask(t.Context(), q, ids, Officer)
		list := wantSizes(t, o, 2)
		o.change(func(k *directory.KeyEpoch) { k.Generation = 2 })
		list[0].out <- outcome{err: ErrUnavailable}
		wantSizes(t, o, 2, 2)[1].out <- outcome{}
		if err := (<-c).right(ids); err != nil {
			t.Error(err)
		}
	})
}

func TestABatchThatIsSentAgainLeavesOutWhatOthersGotUnderTheNewKey(t *testing.T) {
	ids := identifiers(t, 3)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		defer closed(t, q)
		all := ask(t.Context(), q, ids, Import)
		synctest.Wait()
		o.change(func(k *directory.KeyEpoch) { k.Epoch = 2 })
		cached := ask(t.Context(), q, ids[:1], Officer)
		wantSizes(t, o, 3, 1)[1].out <- outcome{}
		flying := ask(t.Context(), q, ids[1:2], Officer)
		list := wantSizes(t, o, 3, 1, 1)
		list[0].out <- outcome{err: ErrUnavailable}
		list = wantSizes(t, o, 3, 1, 1, 1)
		list[2].out <- outcome{}
		list[3].out <- outcome{}
		if err := errors.Join((<-all).right(ids), (<-cached).right(ids[:1]), (<-flying).right(ids[1:2])); err != nil {
			t.Error(err)
		}
	})
}

func TestAFailedBatchFailsWhoeverWaitedForIt(t *testing.T) {
	rows := identifiers(t, 3*batchSize)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		q := queueAt(t, o)
		defer closed(t, q)
		whole := ask(t.Context(), q, rows, Import)
		synctest.Wait()
		part := ask(t.Context(), q, rows[batchSize:batchSize+1], Officer)
		list := wantSizes(t, o, batchSize, batchSize)
		list[0].out <- outcome{err: ErrUnavailable}
		if r := <-whole; !errors.Is(r.err, ErrUnavailable) || r.tokens != nil {
			t.Errorf("the call of the batch that failed got %d tokens, %v", len(r.tokens), r.err)
		}
		list[1].out <- outcome{}
		if err := (<-part).right(rows[batchSize : batchSize+1]); err != nil {
			t.Error(err)
		}
		if got, want := q.Stats(), (Stats{Evaluated: batchSize, Shared: 1, Batches: 2, Failed: 1}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
}

func TestWithoutAKeyThereAreNoTokens(t *testing.T) {
	ids := identifiers(t, 1)
	synctest.Test(t, func(t *testing.T) {
		o := newOffice()
		o.none = true
		q := queueAt(t, o)
		if r := <-ask(t.Context(), q, ids, Officer); !errors.Is(r.err, ErrUnavailable) {
			t.Errorf("Tokens = %v, want %v", r.err, ErrUnavailable)
		}
		closed(t, q)
		o.none = false
		if r := <-ask(t.Context(), q, ids, Officer); !errors.Is(r.err, ErrUnavailable) {
			t.Errorf("after Close: Tokens = %v, want %v", r.err, ErrUnavailable)
		}
		wantSizes(t, o)
	})
}

func TestTheCacheForgetsTheOldestAndHoldsNothingInClear(t *testing.T) {
	c, err := newCache()
	if err != nil {
		t.Fatal(err)
	}
	ids := identifiers(t, remembered+1)
	namer := c.namer()
	put := func(e token.Epoch, id identifier.Identifier) {
		n, tokens := nameOf(namer, id), []oprf.Token{tokenOf(e, id)}
		sealed := c.seal(e, []name{n}, tokens)
		if bytes.Contains(sealed[0], tokens[0][:16]) {
			t.Fatal("a token is in clear")
		}
		c.put(e, n, sealed[0])
	}
	has := func(e token.Epoch, id identifier.Identifier) bool {
		var got oprf.Token
		return c.get(e, nameOf(namer, id), &got) && got == tokenOf(e, id)
	}
	for _, id := range ids {
		put(1, id)
	}
	if has(1, ids[0]) || !has(1, ids[1]) || !has(1, ids[remembered]) || len(c.held) != remembered {
		t.Errorf("of %d tokens %d are held, or not the newest", len(ids), len(c.held))
	}
	put(2, ids[0])
	put(1, ids[1])
	if has(1, ids[1]) || has(2, ids[1]) || !has(2, ids[0]) || len(c.held) != 1 {
		t.Error("tokens of a former epoch are held")
	}
	// A sealed token opens under its own name alone.
	put(2, ids[1])
	a, b := nameOf(namer, ids[0]), nameOf(namer, ids[1])
	c.held[a], c.held[b] = c.held[b], c.held[a]
	var got oprf.Token
	if c.get(2, a, &got) || c.get(2, b, &got) {
		t.Error("a token opens under the name of another identifier")
	}
}
