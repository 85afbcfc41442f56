package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
)

// joinWith takes a directory with a group of some of its agencies.
func (d *desktop) joinWith(t tb, group []directory.AgencyID, agencies ...directory.Agency) {
	t.Helper()
	dir := d.centre.directory(agencies)
	if len(group) > 0 {
		dir.Policy.Groups = []directory.Group{{Name: "front-range", Agencies: group}}
	}
	if err := d.flow.Join(dir, func(*store.Tx) error { return nil }); err != nil {
		t.Fatalf("%s joins: %v", d.agency.ID, err)
	}
}

func (d *desktop) handle(t tb, c casefile.CaseID, to casefile.Sharing, ids ...identifier.Identifier) {
	t.Helper()
	if err := d.flow.Handle(context.Background(), c, ids, to, "m.okafor"); err != nil {
		t.Fatalf("%s handles: %v", d.agency.ID, err)
	}
}

func (d *desktop) purge(t tb, c casefile.CaseID, ids ...identifier.Identifier) {
	t.Helper()
	if err := d.flow.Purge(context.Background(), c, ids, "m.okafor"); err != nil {
		t.Fatalf("%s purges: %v", d.agency.ID, err)
	}
}

func (d *desktop) compacts(t tb) {
	t.Helper()
	d.all(t, "compacts", d.flow.Compact)
}

func (d *desktop) closes(t tb) {
	t.Helper()
	d.all(t, "closes audiences", d.flow.CloseAudiences)
}

// fetchAll takes all that from has for d.
func (d *desktop) fetchAll(t tb, from *desktop) {
	t.Helper()
	for {
		before, after := d.whole(t, from), ""
		d.fetch(t, from, false)
		if after = d.whole(t, from); after == before {
			return
		}
	}
}

// whole says how d has from's feeds.
func (d *desktop) whole(t tb, from *desktop) string {
	t.Helper()
	held, err := d.flow.Holds(from.agency.ID)
	if err != nil {
		t.Fatalf("holds: %v", err)
	}
	return fmt.Sprint(held)
}

func group(t tb) directory.Audience {
	t.Helper()
	a, err := directory.GroupAudience("front-range")
	if err != nil {
		t.Fatalf("%v", err)
	}
	return a
}

func listed(t tb, ids ...directory.AgencyID) directory.Audience {
	t.Helper()
	a, err := directory.ListAudience(ids...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return a
}

// TestHandlingDecidesWhoIsAlerted lets three agencies enter, handle otherwise,
// withdraw, purge, compact and fetch in any order, while a group changes and nodes
// crash; then lets everything arrive. Whoever holds what another shows them has an
// alert, and nobody has one of what was never shown to them.
func TestHandlingDecidesWhoIsAlerted(t *testing.T) {
	const persons, cases = 4, 2
	rapid.Check(t, func(t *rapid.T) {
		r := &registry{}
		var all []*desktop
		var members []directory.Agency
		ids := []directory.AgencyID{"aurora-pd", "boulder-so", "denver-pd"}
		for _, id := range ids {
			d := newDesktop(t, id, r)
			d.open(t, cases)
			all, members = append(all, d), append(members, d.agency)
		}
		inGroup := ids[:2]
		p := people(t, persons)
		w := newWorld()
		for _, d := range all {
			d.joinWith(t, inGroup, members...)
			d.derive(t)
		}
		ways := []casefile.Sharing{{}, {Audience: group(t)}, {Audience: listed(t, "denver-pd")}, {Way: casefile.Watch}, {Way: casefile.Withdrawn}}
		pick := rapid.IntRange(0, len(all)-1)
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			d := all[pick.Draw(t, "agency")]
			n := rapid.IntRange(0, persons-1).Draw(t, "person")
			c := casefile.CaseID(rapid.IntRange(1, cases).Draw(t, "case"))
			k := holding{d.agency.ID, c, n}
			switch rapid.IntRange(0, 8).Draw(t, "step") {
			case 0, 1, 2:
				d.enter(t, c, p[n])
				if _, held := w.now[k]; !held {
					w.set(k, casefile.Sharing{})
				}
			case 3, 4:
				if _, held := w.now[k]; held {
					to := rapid.SampledFrom(ways).Draw(t, "way")
					d.handle(t, c, to, p[n])
					w.set(k, to)
				}
			case 5:
				d.purge(t, c, p[n])
				delete(w.now, k)
			case 6:
				d.compacts(t)
			case 7:
				d.fetch(t, all[pick.Draw(t, "from")], false)
			case 8:
				inGroup = nil
				for _, id := range ids {
					if rapid.Bool().Draw(t, "in the group") {
						inGroup = append(inGroup, id)
					}
				}
				for _, d := range all {
					d.joinWith(t, inGroup, members...)
					d.closes(t)
				}
			}
			w.see(all[0].flow.directory.Load(), ids, persons)
		}
		for range 2 {
			for _, d := range all {
				d.derive(t)
				d.catchUp(t)
				d.compacts(t)
				for _, from := range all {
					if from != d {
						d.fetchAll(t, from)
					}
				}
			}
		}
		for _, d := range all {
			w.compare(t, d, ids, persons)
		}
	})
}

// holding is a case that holds a person.
type holding struct {
	agency directory.AgencyID
	c      casefile.CaseID
	person int
}

// shown is that an agency shows a person to another.
type shown struct {
	by, to directory.AgencyID
	person int
}

// world is what the agencies hold and show, now and at any time before.
type world struct {
	now     map[holding]casefile.Sharing
	met     map[holding]bool
	shown   map[shown]bool
	current map[shown]bool
}

func newWorld() *world {
	return &world{now: map[holding]casefile.Sharing{}, met: map[holding]bool{}, shown: map[shown]bool{}}
}

func (w *world) set(k holding, s casefile.Sharing) {
	w.now[k] = s
	if s.Matches() {
		w.met[k] = true
	}
}

// see notes who shows what to whom now.
func (w *world) see(d *directory.Directory, ids []directory.AgencyID, persons int) {
	w.current = map[shown]bool{}
	for k, s := range w.now {
		for _, to := range ids {
			if to != k.agency && s.Way == casefile.Share && s.Audience.Admits(d, k.agency, to) {
				w.current[shown{k.agency, to, k.person}], w.shown[shown{k.agency, to, k.person}] = true, true
			}
		}
	}
}

// compare holds d's alerts against what was, and is, shown to it.
func (w *world) compare(t tb, d *desktop, ids []directory.AgencyID, persons int) {
	t.Helper()
	type alerted struct {
		c      casefile.CaseID
		with   directory.AgencyID
		person string
	}
	has := map[alerted]bool{}
	for _, m := range d.meetings(t) {
		for _, v := range m.Values {
			has[alerted{m.Case, m.With, v}] = true
			var n int
			if _, err := fmt.Sscanf(v, "p%d@example.org", &n); err != nil {
				t.Fatalf("%v", err)
			}
			if !w.met[holding{d.agency.ID, m.Case, n}] || !w.shown[shown{m.With, d.agency.ID, n}] {
				t.Fatalf("case %d of %s is alerted of person %d at %s, who never showed it", m.Case, d.agency.ID, n, m.With)
			}
		}
	}
	for k, s := range w.now {
		for _, by := range ids {
			if k.agency != d.agency.ID || !s.Matches() || !w.current[shown{by, d.agency.ID, k.person}] {
				continue
			}
			if !has[alerted{k.c, by, fmt.Sprintf("p%d@example.org", k.person)}] {
				t.Fatalf("case %d of %s is not alerted of person %d, whom %s shows", k.c, d.agency.ID, k.person, by)
			}
		}
	}
}

// TestWhatWasWithdrawnRaisesNothingAnyMore: not at who has caught up, whoever
// enters it later, nor at home.
func TestWhatWasWithdrawnRaisesNothingAnyMore(t *testing.T) {
	for name, end := range map[string]func(*desktop, identifier.Identifier){
		"withdrawn": func(d *desktop, i identifier.Identifier) {
			d.handle(t, 1, casefile.Sharing{Way: casefile.Withdrawn}, i)
		},
		"purged": func(d *desktop, i identifier.Identifier) { d.purge(t, 1, i) },
		"purged and compacted": func(d *desktop, i identifier.Identifier) {
			d.purge(t, 1, i)
			d.compacts(t)
		},
		"kept from an audience": func(d *desktop, i identifier.Identifier) {
			d.handle(t, 1, casefile.Sharing{Audience: listed(t, "aurora-pd")}, i)
		},
	} {
		r := &registry{}
		denver, boulder := two(t, r)
		p := people(t, 3)
		denver.enter(t, 1, p...)
		boulder.fetchAll(t, denver)
		end(denver, p[0])
		boulder.fetchAll(t, denver)
		boulder.enter(t, 1, p[0])
		boulder.wants(t, name+": what was ended", 0)
		if name != "kept from an audience" { // its author still learns of others
			denver.fetchAll(t, boulder)
			denver.wants(t, name+": what was ended, at home", 0)
		}
		boulder.enter(t, 1, p[1])
		boulder.wants(t, name+": another one", 1)
	}
}

func TestAWatchedIdentifierIsMetAndNeverLeaves(t *testing.T) {
	r := &registry{}
	denver, boulder := two(t, r)
	p := people(t, 1)
	found := []casefile.Found{{Identifier: p[0], Sharing: casefile.Sharing{Way: casefile.Watch}}}
	if _, err := denver.flow.Enter(context.Background(), 1, found, nothing); err != nil {
		t.Fatal(err)
	}
	if h := denver.flow.head(t, "denver-pd"); h.Number != 0 {
		t.Errorf("the feed has %d entries, want none", h.Number)
	}
	boulder.fetchAll(t, denver)
	boulder.enter(t, 1, p[0])
	denver.fetchAll(t, boulder)
	denver.wants(t, "what it watches", 1)
	boulder.wants(t, "what another watches", 0)
}

// TestAPurgedIdentifierIsForgotten: by its own node, and by the feeds of those who
// moved to the next generation, which fetch nothing again.
func TestAPurgedIdentifierIsForgotten(t *testing.T) {
	r := &registry{}
	denver, boulder := two(t, r)
	p := people(t, 30)
	denver.enter(t, 1, p...)
	boulder.fetchAll(t, denver)
	denver.purge(t, 1, p[3], p[7])
	denver.compacts(t)
	theirs := feed.ID{Author: "denver-pd"}
	for _, b := range boulder.next(t, denver) {
		if len(b.Entries) != 1 || b.Entries[0].Number <= 30 || len(b.Kept) == 0 {
			t.Errorf("sent %d entries, of which one is new", len(b.Entries))
		}
	}
	boulder.fetchAll(t, denver)
	for _, d := range []*desktop{denver, boulder} {
		err := d.store.View(func(tx *store.Tx) error {
			f, err := tx.Feed(theirs)
			if err != nil || f.Generation != 2 || f.Moving != nil {
				t.Errorf("%s has generation %d, moving %t, %v; want the second", d.agency.ID, f.Generation, f.Moving != nil, err)
			}
			list, err := tx.EntriesAfter(theirs, 0, 100)
			for _, e := range list {
				if e.Number == 4 || e.Number == 8 {
					t.Errorf("%s still has entry %d", d.agency.ID, e.Number)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := denver.store.View(func(tx *store.Tx) error {
		_, err := tx.Known(p[3])
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the purged identifier is still known: %v", err)
	}
	denver.enter(t, 1, p[3])
	boulder.enter(t, 1, p[3], p[4])
	boulder.fetchAll(t, denver)
	if got := boulder.meetings(t); len(got) != 1 || !slices.Equal(got[0].Values, []string{"p3@example.org", "p4@example.org"}) {
		t.Errorf("after it was entered again: %v, want one alert on both", got)
	}
}

func nothing(*store.Tx, desk.Saved) error { return nil }

// TestACompactionThatACrashInterruptedIsEnded: what it has already left out is not
// there to be found again.
func TestACompactionThatACrashInterruptedIsEnded(t *testing.T) {
	r := &registry{}
	denver, boulder := two(t, r)
	p := people(t, 4)
	denver.enter(t, 1, p[:3]...)
	boulder.fetchAll(t, denver)
	denver.purge(t, 1, p[1])
	denver.enter(t, 1, p[3]) // so that the last entry is not the withdrawal
	feeds, err := denver.flow.ownFeeds()
	if err != nil {
		t.Fatal(err)
	}
	c, err := denver.flow.underWay(feeds[0])
	if err != nil || c == nil {
		t.Fatalf("no compaction is under way: %v", err)
	}
	if done, err := denver.flow.step(c); err != nil || done {
		t.Fatalf("the first step ends it: %t, %v", done, err)
	}
	denver.compacts(t) // as after a start: nothing of the former run is known
	serves, err := denver.flow.Servable("denver-pd", "boulder-so")
	if err != nil || len(serves) != 1 || serves[0].Generation != 2 {
		t.Fatalf("serves %v, %v; want the second generation", serves, err)
	}
	boulder.fetchAll(t, denver)
	if got, want := boulder.whole(t, denver), fmt.Sprint(serves); got != want {
		t.Errorf("boulder has %s, want %s", got, want)
	}
}

// TestAnIdentifierSharedAgainDuringARenewalIsRenewed: the pass had left it out,
// for it was withdrawn.
func TestAnIdentifierSharedAgainDuringARenewalIsRenewed(t *testing.T) {
	r := &registry{epochs: []token.Epoch{1}}
	denver, boulder := two(t, r)
	p := people(t, 2)
	denver.enter(t, 1, p...)
	denver.handle(t, 1, casefile.Sharing{Way: casefile.Withdrawn}, p[0])
	r.epochs = []token.Epoch{1, 2}
	denver.join(t, boulder.agency)
	boulder.join(t, denver.agency)
	denver.renew(t)
	denver.handle(t, 1, casefile.Sharing{}, p[0])
	denver.catchUp(t)
	r.epochs = []token.Epoch{2}
	denver.join(t, boulder.agency)
	boulder.join(t, denver.agency)
	denver.sweep(t)
	boulder.fetchAll(t, denver)
	boulder.enter(t, 1, p[0])
	boulder.wants(t, "what was shared again", 1)
}
