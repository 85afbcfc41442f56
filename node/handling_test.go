package node

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/feed"
)

func TestAChangeSaysWhichEntriesItWithdrew(t *testing.T) {
	r := &registry{}
	d := newDesktop(t, "denver-pd", r)
	d.open(t, 2)
	ids := people(t, 3)
	d.enter(t, 1, ids...) // entries 1 to 3
	d.enter(t, 2, ids[2]) // which goes on sharing it
	watch := casefile.Sharing{Way: casefile.Watch}
	ctx := context.Background()
	if err := d.flow.Handle(ctx, 1, ids[:1], watch, "m.okafor"); err != nil { // entry 4
		t.Fatal(err)
	}
	if err := d.flow.Handle(ctx, 1, ids[:1], watch, "m.okafor"); err != nil { // changes nothing
		t.Fatal(err)
	}
	if err := d.flow.Handle(ctx, 2, ids[:1], watch, "m.okafor"); err != nil { // the case does not hold it
		t.Fatal(err)
	}
	if err := d.flow.Purge(ctx, 1, ids[1:2], "m.okafor"); err != nil { // entry 5
		t.Fatal(err)
	}
	if err := d.flow.Handle(ctx, 2, ids[2:], watch, "m.okafor"); err != nil { // the first case shares it still
		t.Fatal(err)
	}
	one, err := ids[0].MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	three, err := ids[2].MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	changes := func(c casefile.CaseID) (list []casefile.Change) {
		t.Helper()
		err := d.store.View(func(tx *store.Tx) (err error) {
			list, err = tx.Changes(c, 10)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	want := []casefile.Change{
		{Case: 1, Purged: true, By: "m.okafor", At: at, Withdrawn: []casefile.Withdrawal{{Number: 5}}},
		{Case: 1, Identifier: one, To: watch, By: "m.okafor", At: at, Withdrawn: []casefile.Withdrawal{{Number: 4}}},
	}
	audiences := cmp.Comparer(func(a, b casefile.Sharing) bool { return a == b })
	withdrawals := cmp.Comparer(func(a, b casefile.Withdrawal) bool { return a == b })
	if diff := cmp.Diff(want, changes(1), audiences, withdrawals); diff != "" {
		t.Errorf("changes of the first case, want and got:\n%s", diff)
	}
	want = []casefile.Change{{Case: 2, Identifier: three, To: watch, By: "m.okafor", At: at}}
	if diff := cmp.Diff(want, changes(2), audiences, withdrawals); diff != "" {
		t.Errorf("changes of the second case, want and got:\n%s", diff)
	}
	for n, of := range map[uint64]uint64{4: 1, 5: 2} {
		var e feed.Entry
		err := d.store.View(func(tx *store.Tx) (err error) {
			e, err = tx.Entry(feed.ID{Author: "denver-pd"}, n)
			return err
		})
		if err != nil || e.Kind != feed.Withdraw || e.Withdraws() != of {
			t.Errorf("entry %d is %+v, %v; want the withdrawal of %d", n, e, err, of)
		}
	}
}
