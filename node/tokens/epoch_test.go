package tokens

import (
	"errors"
	"testing"
	"testing/synctest"

	"interlock/protocol/directory"
)

func TestOneCallNeverGetsTokensOfTwoEpochs(t *testing.T) {
	rows := identifiers(t, 2*batchSize+1)
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
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
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
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
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
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
	atOffice(t, func(t *testing.T, o *office, q *Queue) {
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
