package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// day is what happens to one queue: who asks for what and when, how batches end,
// when the key changes, and when the queue is closed. Times are milliseconds.
type day struct {
	callers  []caller
	outcomes []outcome // of the batches, over and over
	changes  []change
	close    int // 0 for when all is over
}

type caller struct {
	at, patience int // patience 0 is endless
	from, n      int // identifiers
	urgency      Urgency
}

type change struct {
	at    int
	epoch bool // or the generation alone
}

const population = 3000 // fewer than a cache remembers

func drawDay(t *rapid.T) (d day) {
	for range rapid.IntRange(1, 12).Draw(t, "callers") {
		c := caller{
			at: rapid.IntRange(0, 100).Draw(t, "at"), urgency: Urgency(rapid.IntRange(0, int(urgencies)-1).Draw(t, "urgency")),
			patience: rapid.SampledFrom([]int{0, 0, 0, 5, 30}).Draw(t, "patience"),
			n:        rapid.SampledFrom([]int{0, 1, 1, 3, 200, 1500, population}).Draw(t, "n"),
		}
		c.from = rapid.IntRange(0, population-c.n).Draw(t, "from")
		d.callers = append(d.callers, c)
	}
	failing := rapid.Bool().Draw(t, "failing")
	for range rapid.IntRange(1, 8).Draw(t, "outcomes") {
		o := outcome{after: time.Duration(rapid.IntRange(0, 20).Draw(t, "after")) * time.Millisecond}
		if failing && rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
			o.err = fmt.Errorf("%w: planned", ErrUnavailable)
		}
		d.outcomes = append(d.outcomes, o)
	}
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		d.changes = append(d.changes, change{rapid.IntRange(0, 120).Draw(t, "at"), rapid.Bool().Draw(t, "epoch")})
	}
	d.close = rapid.SampledFrom([]int{0, 0, 0, 60}).Draw(t, "close")
	return d
}

// mayFail reports whether anything that happens on this day can cost a patient
// caller its tokens.
func (d day) mayFail() bool {
	return d.close > 0 || slices.ContainsFunc(d.outcomes, func(o outcome) bool { return o.err != nil })
}

// after is a wait of the day's clock.
func after(ms int) { <-time.After(time.Duration(ms) * time.Millisecond) }

// live lets the day pass and returns what was wrong with it.
func (d day) live(t *testing.T, ids []identifier.Identifier) []string {
	o := newOffice()
	o.plan = func(batch int) outcome { return d.outcomes[batch%len(d.outcomes)] }
	q := queueAt(t, o)
	o.watch = func(s *sent) string { return crowded(q, s) }
	faults, served, began := make([]string, len(d.callers)), make([]bool, len(d.callers)), time.Now()
	var wg sync.WaitGroup
	for i, c := range d.callers {
		wg.Go(func() { served[i], faults[i] = d.ask(t, q, o, c, ids[c.from:c.from+c.n]) })
	}
	for _, c := range d.changes {
		wg.Go(func() {
			after(c.at)
			o.change(func(k *directory.KeyEpoch) {
				k.Generation++
				if c.epoch {
					k.Epoch, k.Generation = k.Epoch+1, 1
				}
			})
		})
	}
	if d.close > 0 {
		wg.Go(func() { after(d.close); q.Close() })
	}
	wg.Wait()
	after(1000) // what nobody waits for any more arrives too
	synctest.Wait()
	faults = append(faults, o.faults...)
	for i, c := range d.callers {
		if c.urgency == Officer && served[i] {
			faults = append(faults, c.overtaken(o, began, ids))
		}
	}
	faults = append(faults, empty(q), o.twice())
	q.Close()
	return slices.DeleteFunc(faults, func(s string) bool { return s == "" })
}

// ask is one caller's call: whether it got its tokens, and what was wrong.
func (d day) ask(t *testing.T, q *Queue, o *office, c caller, ids []identifier.Identifier) (served bool, fault string) {
	after(c.at)
	ctx := t.Context()
	if c.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.patience)*time.Millisecond)
		defer cancel()
	}
	tokens, epoch, err := q.Tokens(ctx, ids, c.urgency)
	switch {
	case err == nil:
		k, noKey := o.current()
		if noKey != nil || epoch < 1 || epoch > k.Epoch {
			return true, fmt.Sprintf("tokens of epoch %d, which is not yet", epoch)
		}
		if err := (result{tokens, epoch, nil}).right(ids); err != nil {
			return true, err.Error()
		}
	case !errors.Is(err, ErrUnavailable) || tokens != nil:
		return false, fmt.Sprintf("%d tokens and the error %v", len(tokens), err)
	case ctx.Err() == nil && !d.mayFail():
		return false, fmt.Sprintf("failed for no reason: %v", err)
	}
	return err == nil, ""
}

// overtaken says whether a batch that nobody waits for was sent while something
// that an officer had asked for before was still to be sent.
func (c caller) overtaken(o *office, began time.Time, ids []identifier.Identifier) string {
	asked := began.Add(time.Duration(c.at) * time.Millisecond)
	first := map[identifier.Identifier]time.Time{}
	for _, s := range o.sent {
		for _, id := range s.ids {
			if _, ok := first[id]; !ok {
				first[id] = s.at
			}
		}
	}
	for _, s := range o.sent {
		if s.urgency == Officer || !s.at.After(asked) {
			continue
		}
		for _, id := range ids[c.from : c.from+c.n] {
			if first[id].After(s.at) {
				return fmt.Sprintf("what an officer asked for at %d waited behind a batch of urgency %d", c.at, s.urgency)
			}
		}
	}
	return ""
}

// crowded notes the urgency of a batch, and says which bound on what is in flight
// is broken.
func crowded(q *Queue, s *sent) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.urgency = q.flying[flight{s.epoch, s.ids[0]}].urgency
	if patient := q.flies[Import] + q.flies[Renewal]; patient >= inFlight || patient+q.flies[Officer] > inFlight {
		return fmt.Sprintf("in flight by urgency: %v", q.flies)
	}
	return ""
}

// empty says what is left in a queue that nobody uses.
func empty(q *Queue) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	lanes := q.lanes[Officer].Len() + q.lanes[Import].Len() + q.lanes[Renewal].Len()
	if n := lanes + len(q.queued) + len(q.flying); n > 0 || q.flies != [urgencies]int{} {
		return fmt.Sprintf("%d are left, %v in flight", n, q.flies)
	}
	return ""
}

// twice says whether anything was evaluated twice in an epoch.
func (o *office) twice() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var worst token.Epoch
	for f, n := range o.answers {
		if n > 1 {
			worst = max(worst, f.epoch)
		}
	}
	if worst > 0 {
		return fmt.Sprintf("an identifier was evaluated twice in epoch %d", worst)
	}
	return ""
}

func TestEveryCallerGetsRightTokensOrAnErrorWhateverHappens(t *testing.T) {
	ids := identifiers(t, population)
	rapid.Check(t, func(rt *rapid.T) {
		d := drawDay(rt)
		var faults []string
		synctest.Test(t, func(t *testing.T) { faults = d.live(t, ids) })
		if len(faults) > 0 {
			rt.Fatalf("%q", faults)
		}
	})
}
