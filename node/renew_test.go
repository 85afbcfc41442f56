package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"interlock/crypto/token"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// two are denver and boulder, members of each other's network, with one case
// each.
func two(t *testing.T, r *registry) (denver, boulder *desktop) {
	t.Helper()
	denver, boulder = newDesktop(t, "denver-pd", r), newDesktop(t, "boulder-so", r)
	denver.join(t, boulder.agency)
	boulder.join(t, denver.agency)
	denver.open(t, 1)
	boulder.open(t, 1)
	return denver, boulder
}

func (d *desktop) epochs(t tb) (e store.Epochs) {
	t.Helper()
	if err := d.store.View(func(tx *store.Tx) (err error) { e, err = tx.Epochs(); return err }); err != nil {
		t.Fatalf("read epochs: %v", err)
	}
	return e
}

// tokens are the epochs in which d has a token of an identifier.
func (d *desktop) tokens(t tb, i identifier.Identifier) (list []token.Epoch) {
	t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		id, err := tx.Known(i)
		if err != nil {
			return err
		}
		for e := token.Epoch(1); e < 5; e++ {
			if _, err := tx.TokenOf(id, e); err == nil {
				list = append(list, e)
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read tokens: %v", err)
	}
	return list
}

func (d *desktop) wants(t *testing.T, when string, want int) {
	t.Helper()
	if got := d.meetings(t); len(got) != want {
		t.Errorf("%s: %s has alerts %v, want %d", when, d.agency.ID, got, want)
	}
}

func TestBothKeysMatchWhileOneReplacesTheOther(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}}
	denver, boulder := two(t, r)
	p := people(t, 3)
	denver.enter(t, 1, p[0], p[1])
	boulder.enter(t, 1, p[0])

	r.epochs = []token.Epoch{1, 2}
	denver.join(t, boulder.agency)
	denver.renew(t)
	if diff := cmp.Diff([]token.Epoch{1, 2}, denver.tokens(t, p[0])); diff != "" {
		t.Errorf("epochs of the tokens (-want +got):\n%s", diff)
	}
	denver.fetch(t, boulder, false) // an entry of the key that retires
	denver.wants(t, "an old entry after all is renewed", 1)
	boulder.join(t, denver.agency)
	boulder.fetch(t, denver, false) // entries of both
	boulder.wants(t, "entries of both keys", 1)
	boulder.renew(t)
	denver.fetch(t, boulder, false)
	boulder.enter(t, 1, p[1])
	denver.fetch(t, boulder, false)
	for _, d := range []*desktop{denver, boulder} {
		got := d.meetings(t)
		if len(got) != 1 || len(got[0].Values) != 2 {
			t.Errorf("%s has alerts %v, want one on two identifiers", d.agency.ID, got)
		}
	}
	if denver.raised != 2 || boulder.raised != 2 {
		t.Errorf("pushed %d and %d times, want twice each: a renewed entry is no news", denver.raised, boulder.raised)
	}
}

func TestARetiredKeyRaisesNothingAndLeavesNothing(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}}
	denver, boulder := two(t, r)
	p := people(t, 2)
	denver.enter(t, 1, p...)
	boulder.enter(t, 1, p...)
	r.epochs = []token.Epoch{1, 2}
	denver.join(t, boulder.agency)
	denver.renew(t)
	r.epochs = []token.Epoch{2}
	denver.join(t, boulder.agency)
	denver.sweep(t)
	if diff := cmp.Diff([]token.Epoch{2}, denver.tokens(t, p[0])); diff != "" {
		t.Errorf("epochs of the tokens (-want +got):\n%s", diff)
	}
	own := token.Derive(tokenOf(p[0], 1), token.Secret{7}, 1)
	err := denver.store.View(func(tx *store.Tx) error {
		expected, err := tx.Expected(boulder.agency.ID, 1, own.Tag(boulder.agency.ID.Author()))
		if len(expected) > 0 {
			t.Error("a tag of the retired key is still expected")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	denver.fetch(t, boulder, false)
	if h := denver.flow.head(t, boulder.agency.ID); h.Number != 2 {
		t.Errorf("boulder's feed is held up to %d, want 2: it must stay whole", h.Number)
	}
	denver.wants(t, "entries of a retired key", 0)
	boulder.join(t, denver.agency)
	boulder.renew(t)
	denver.fetch(t, boulder, false)
	denver.wants(t, "the entries of the new key", 1)
}

// TestAnEntryOfARetiredKeyRaisesNothingBeforeTheSweep: the sweep
// may come later than the entry.
func TestAnEntryOfARetiredKeyRaisesNothingBeforeTheSweep(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}}
	denver, boulder := two(t, r)
	p := people(t, 1)
	denver.enter(t, 1, p...)
	boulder.enter(t, 1, p...)
	r.epochs = []token.Epoch{2}
	denver.join(t, boulder.agency)
	denver.fetch(t, boulder, false)
	denver.wants(t, "an entry of a retired key", 0)
}

func TestANodeThatWasOffDuringTheWholeChangeCatchesUp(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}}
	denver, boulder := two(t, r)
	p := people(t, 3)
	denver.enter(t, 1, p...)
	boulder.enter(t, 1, p[0])
	boulder.fetch(t, denver, false)
	before := boulder.meetings(t)

	for _, epochs := range [][]token.Epoch{{1, 2}, {2}, {2, 3}, {3}} {
		r.epochs = epochs
		boulder.join(t, denver.agency)
		boulder.renew(t)
		boulder.sweep(t)
	}
	boulder.enter(t, 1, p[1])
	denver.join(t, boulder.agency) // back, and two keys later
	denver.fetch(t, boulder, false)
	denver.renew(t)
	denver.sweep(t)
	boulder.fetch(t, denver, false)
	got := boulder.meetings(t)
	if len(got) != 1 || got[0].Theirs != before[0].Theirs || len(got[0].Values) != 2 {
		t.Errorf("boulder's alerts are %v, want the one of before (%v) with one identifier more", got, before)
	}
	denver.wants(t, "back", 1)
}

func TestAnEntryOfAKeyThatIsStillToComeIsMatchedOnceItIsHere(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}}
	denver, boulder := two(t, r)
	p := people(t, 1)
	denver.enter(t, 1, p[0])
	r.epochs = []token.Epoch{1, 2}
	boulder.join(t, denver.agency)
	boulder.enter(t, 1, p[0])
	denver.fetch(t, boulder, false)
	denver.wants(t, "before the directory is here", 0)
	denver.join(t, boulder.agency)
	denver.renew(t)
	denver.wants(t, "after it", 1)
}

func TestAMemberThatJoinsWhileAKeyRetiresIsDerivedForBoth(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}}
	denver, boulder := newDesktop(t, "denver-pd", r), newDesktop(t, "boulder-so", r)
	denver.open(t, 1)
	boulder.open(t, 1)
	p := people(t, 2)
	denver.enter(t, 1, p...)
	boulder.enter(t, 1, p[0])
	r.epochs = []token.Epoch{1, 2}
	denver.join(t)
	denver.renew(t)
	denver.join(t, boulder.agency)
	denver.fetch(t, boulder, false)
	denver.derive(t)
	denver.wants(t, "an entry of the key that retires", 1)
	boulder.join(t)
	boulder.enter(t, 1, p[1])
	denver.fetch(t, boulder, false)
	if got := denver.meetings(t); len(got) != 1 || len(got[0].Values) != 2 {
		t.Errorf("alerts %v, want one on both identifiers", got)
	}
}

func TestATokenOfTheFormerKeyThatComesLateIsNotUsed(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}}
	denver, boulder := two(t, r)
	p := people(t, 1)
	// Asked under the key 1; the directory with key 2 is taken before the save.
	r.between = func() {
		r.between = nil
		r.epochs = []token.Epoch{1, 2}
		denver.join(t, boulder.agency)
		r.epochs = []token.Epoch{1}
	}
	if got := denver.enter(t, 1, p[0]); got.Waiting != 1 {
		t.Errorf("saved %+v, want it to wait", got)
	}
	r.epochs = []token.Epoch{1, 2}
	denver.catchUp(t)
	if diff := cmp.Diff([]token.Epoch{2}, denver.tokens(t, p[0])); diff != "" {
		t.Errorf("epochs of the tokens (-want +got):\n%s", diff)
	}
}

func TestWithoutTheSecretOfTheNewKeyNothingIsAskedAndAllMatchesByTheOld(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}}
	denver, boulder := two(t, r)
	p := people(t, 3)
	denver.enter(t, 1, p[0], p[1])
	boulder.enter(t, 1, p[0])
	secrets := denver.flow.secrets.Load()
	denver.flow.secrets.Store(&map[token.Epoch]token.Secret{1: (*secrets)[1]})
	r.epochs = []token.Epoch{1, 2}
	denver.join(t, boulder.agency)
	asked := r.asked
	if _, err := denver.flow.Renew(t.Context()); !errors.Is(err, errNoSecret) {
		t.Errorf("Renew = %v, want %v", err, errNoSecret)
	}
	if got := denver.enter(t, 1, p[2]); got.Waiting != 1 {
		t.Errorf("saved %+v, want it to wait", got)
	}
	if r.asked != asked {
		t.Errorf("%d tokens were asked for that could not be used", r.asked-asked)
	}
	denver.fetch(t, boulder, false)
	denver.wants(t, "without the new secret", 1)
	denver.flow.secrets.Store(secrets)
	denver.catchUp(t)
	denver.renew(t)
	if e := denver.epochs(t); e.Done != e.Until || len(denver.tokens(t, p[2])) != 1 {
		t.Errorf("renewed %d of %d, and the one that waited has tokens of %v", e.Done, e.Until, denver.tokens(t, p[2]))
	}
}

func TestTokensMadeAnewLeaveHalfOfTheBudgetToTheOfficers(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}, daily: 20}
	denver, boulder := two(t, r)
	p := people(t, 26)
	denver.enter(t, 1, p[:25]...)
	r.epochs = []token.Epoch{1, 2}
	denver.join(t, boulder.agency)
	r.asked = 0
	denver.renew(t)
	if e := denver.epochs(t); r.asked != 10 || e.Done != 10 || e.Until != 25 {
		t.Errorf("%d asked, %d of %d renewed on one day; want 10 of 25", r.asked, e.Done, e.Until)
	}
	denver.renew(t)
	if r.asked != 10 {
		t.Errorf("%d asked on one day, want 10", r.asked)
	}
	denver.enter(t, 1, p[20], p[25]) // an officer's overtake the rest
	if len(denver.tokens(t, p[20])) != 2 || len(denver.tokens(t, p[21])) != 1 {
		t.Errorf("an identifier that an officer entered again has tokens of %v, the next of %v; want two and one",
			denver.tokens(t, p[20]), denver.tokens(t, p[21]))
	}
	denver.flow.now = func() time.Time { return at.AddDate(0, 0, 1) }
	denver.renew(t)
	denver.flow.now = func() time.Time { return at.AddDate(0, 0, 2) }
	denver.renew(t)
	if e := denver.epochs(t); e.Done != e.Until || r.asked != 10+2+14 {
		t.Errorf("%d of %d renewed after three days, %d asked; want all, and 26", e.Done, e.Until, r.asked)
	}
	if h := denver.flow.head(t, "denver-pd"); h.Number != 25+25+1 {
		t.Errorf("%d entries, want each identifier announced once in each epoch", h.Number)
	}
}

// TestACrashAtAnyWriteOfARenewalAlertsOnceAllTheSame fails the disk at one write
// after another, starts again from what was on it, and goes on.
func TestACrashAtAnyWriteOfARenewalAlertsOnceAllTheSame(t *testing.T) {
	p := people(t, 2*renewedAtOnce+40)
	run := func(dieAt int) (writes int) {
		r := &registry{epochs: []token.Epoch{1}}
		disk := vfs.NewCrashableMem()
		broken := errors.New("power failed")
		counting, n := false, 0
		fails := func() error {
			if counting {
				n++
			}
			if dieAt > 0 && n >= dieAt {
				return broken
			}
			return nil
		}
		denver, boulder := openDesktop(t, "denver-pd", r, disk, fails), newDesktop(t, "boulder-so", r)
		members := []directory.Agency{denver.agency, boulder.agency}
		denver.join(t, members...)
		boulder.join(t, members...)
		denver.open(t, 1)
		boulder.open(t, 1)
		denver.enter(t, 1, p...)
		boulder.enter(t, 1, p[0], p[renewedAtOnce+3], p[len(p)-1])
		denver.fetch(t, boulder, false)
		r.epochs = []token.Epoch{1, 2}
		boulder.join(t, members...)
		boulder.renew(t)

		counting = true
		step := func(d *desktop) error {
			if err := d.flow.Join(r.directory(members), func(*store.Tx) error { return nil }); err != nil {
				return err
			}
			for more := true; more; {
				var err error
				if more, err = d.flow.Renew(context.Background()); err != nil {
					return err
				}
			}
			return nil
		}
		err := step(denver)
		if dieAt > 0 && err == nil {
			return n // the disk was not asked that often
		}
		writes = n
		counting, dieAt = false, 0
		if err != nil {
			denver = openDesktop(t, "denver-pd", r, disk.CrashClone(vfs.CrashCloneCfg{}), nil)
			if err := step(denver); err != nil {
				t.Fatalf("after the crash: %v", err)
			}
		}
		boulder.fetch(t, denver, false)
		r.epochs = []token.Epoch{2}
		for _, d := range []*desktop{denver, boulder} {
			d.join(t, members...)
			d.renew(t)
			d.sweep(t)
		}
		denver.fetch(t, boulder, false)
		boulder.fetch(t, denver, false)
		for _, d := range []*desktop{denver, boulder} {
			if got := d.meetings(t); len(got) != 1 || len(got[0].Values) != 3 {
				t.Errorf("died at write %d: %s has alerts %v, want one on three identifiers", writes, d.agency.ID, got)
			}
		}
		if h := denver.flow.head(t, "denver-pd"); h.Number != uint64(2*len(p)) {
			t.Errorf("died at write %d: %d entries, want %d", writes, h.Number, 2*len(p))
		}
		return writes
	}
	writes := run(0)
	if writes < 4 {
		t.Fatalf("a renewal takes %d writes, want one for each of its steps at least", writes)
	}
	for dieAt := 1; dieAt <= writes; dieAt++ {
		run(dieAt)
	}
}
