package tokens

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"interlock/protocol/identifier"
)

func TestBatchesFillWhileTheOnesBeforeAreInFlight(t *testing.T) {
	ids := identifiers(t, 40)
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
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
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
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
		q.Close()
		if r := <-imported; !errors.Is(r.err, ErrUnavailable) {
			t.Errorf("the import ended with %v, want %v", r.err, ErrUnavailable)
		}
	})
}

func TestWhatAnOfficerWantsIsPulledOutOfAnImport(t *testing.T) {
	rows := identifiers(t, 3*batchSize)
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
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
		q.Close()
		if got, want := o.evaluated(), len(rows); got != want {
			t.Errorf("evaluated: got %d identifiers, want %d", got, want)
		}
	})
}

func TestAnIdentifierInFlightIsNotAskedForAgain(t *testing.T) {
	ids := identifiers(t, 3)
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
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
		if got, want := o.evaluated(), 2; got != want {
			t.Errorf("evaluated: got %d identifiers, want %d", got, want)
		}
	})
}

func TestACallerThatGivesUpTakesBackOnlyWhatNobodyElseWants(t *testing.T) {
	rows := identifiers(t, 2*batchSize+3)
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
		ctx, cancel := context.WithCancel(t.Context())
		gone := ask(ctx, q, rows, Import)
		synctest.Wait()
		shared := rows[len(rows)-1:]
		stays := ask(t.Context(), q, shared, Import)
		synctest.Wait()
		wantWaiting(t, q, [urgencies]int{Import: 3})
		cancel()
		if r := <-gone; !errors.Is(r.err, context.Canceled) || !errors.Is(r.err, ErrUnavailable) || r.tokens != nil {
			t.Errorf("the call that was cancelled ended with %v", r.err)
		}
		wantWaiting(t, q, [urgencies]int{Import: 1})
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

func TestAFailedBatchFailsWhoeverWaitedForIt(t *testing.T) {
	rows := identifiers(t, 3*batchSize)
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
		whole := ask(t.Context(), q, rows, Import)
		synctest.Wait()
		part := ask(t.Context(), q, rows[batchSize:batchSize+1], Officer)
		list := wantSizes(t, o, batchSize, batchSize)
		holding(t, list, rows[0]).out <- outcome{err: ErrUnavailable}
		if r := <-whole; !errors.Is(r.err, ErrUnavailable) || r.tokens != nil {
			t.Errorf("the call of the batch that failed got %d tokens, %v", len(r.tokens), r.err)
		}
		holding(t, list, rows[batchSize]).out <- outcome{}
		if err := (<-part).right(rows[batchSize : batchSize+1]); err != nil {
			t.Error(err)
		}
		if got, want := o.evaluated(), batchSize; got != want {
			t.Errorf("evaluated: got %d identifiers, want %d", got, want)
		}
	})
}

func TestWithoutAKeyThereAreNoTokens(t *testing.T) {
	ids := identifiers(t, 1)
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
		o.none = true
		if r := <-ask(t.Context(), q, ids, Officer); !errors.Is(r.err, ErrUnavailable) {
			t.Errorf("Tokens = %v, want %v", r.err, ErrUnavailable)
		}
		q.Close()
		o.none = false
		if r := <-ask(t.Context(), q, ids, Officer); !errors.Is(r.err, ErrUnavailable) {
			t.Errorf("after Close: Tokens = %v, want %v", r.err, ErrUnavailable)
		}
		wantSizes(t, o)
	})
}

// forgetful has a key when it is asked first, and none from then on.
type forgetful struct {
	*office
	asked bool
}

func (f *forgetful) current() (epochKey, error) {
	f.none, f.asked = f.asked, true
	return f.office.current()
}

func TestAKeyThatGoesWhileACallIsQueuedFailsTheCall(t *testing.T) {
	q, err := newQueue(&forgetful{office: newOffice()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if tokens, _, err := q.Tokens(t.Context(), identifiers(t, 2), Officer); !errors.Is(err, ErrUnavailable) || tokens != nil {
		t.Errorf("Tokens = %d tokens, %v; want %v", len(tokens), err, ErrUnavailable)
	}
}
