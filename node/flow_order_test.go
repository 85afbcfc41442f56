package node

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// TestAlertsFollowFromWhatIsHeldWhateverTheOrder lets three agencies enter,
// fetch, lose and regain their registry in any order, while token keys come into
// force and retire, each agency learning it at another time; then lets everything
// arrive, and compares the alerts of each with what the agencies hold.
func TestAlertsFollowFromWhatIsHeldWhateverTheOrder(t *testing.T) {
	const persons, cases = 5, 2
	rapid.Check(t, func(t *rapid.T) {
		keys := [][]token.Epoch{{1}, {1, 2}, {2}, {2, 3}, {3}}
		r := &registry{epochs: keys[0]}
		var all []*desktop
		var members []directory.Agency
		for _, id := range []directory.AgencyID{"aurora-pd", "boulder-so", "denver-pd"} {
			d := newDesktop(t, id, r)
			d.open(t, cases)
			all, members = append(all, d), append(members, d.agency)
		}
		p := people(t, persons)
		held := map[string][]casefile.CaseID{} // agency and person → cases, the announcing one first
		pick := rapid.IntRange(0, len(all)-1)
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			d := all[pick.Draw(t, "agency")]
			switch rapid.IntRange(0, 8).Draw(t, "step") {
			case 0, 1:
				n := rapid.IntRange(0, persons-1).Draw(t, "person")
				c := casefile.CaseID(rapid.IntRange(1, cases).Draw(t, "case"))
				d.enter(t, c, p[n])
				k := fmt.Sprint(d.agency.ID, n)
				if !slices.Contains(held[k], c) {
					held[k] = append(held[k], c)
				}
			case 2:
				r.down = !r.down
			case 3:
				d.join(t, members...)
			case 4:
				d.fetch(t, all[pick.Draw(t, "from")], rapid.Bool().Draw(t, "again"))
			case 5:
				if !r.down {
					d.catchUp(t)
				}
			case 6:
				if !r.down {
					d.renew(t)
				}
			case 7:
				d.sweep(t)
			case 8:
				if len(keys) > 1 && rapid.Bool().Draw(t, "key") {
					keys = keys[1:]
					r.epochs = keys[0]
				}
			}
		}
		r.down = false
		for range 2 {
			for _, d := range all {
				d.join(t, members...)
				d.derive(t)
				d.catchUp(t)
				d.renew(t)
				d.sweep(t)
				for _, from := range all {
					if from != d {
						d.fetch(t, from, false)
					}
				}
			}
		}
		for _, d := range all {
			if diff := cmp.Diff(expected(t, d, all, held, persons), d.meetings(t)); diff != "" {
				t.Errorf("alerts of %s (-want +got):\n%s", d.agency.ID, diff)
			}
		}
	})
}

// expected computes d's alerts from who holds what, without tokens or tags.
// An identifier is announced under the lowest case that held it when its token
// came, which only the announcing node knows: it is asked for that alone.
func expected(t tb, d *desktop, all []*desktop, held map[string][]casefile.CaseID, persons int) []meeting {
	t.Helper()
	found := map[string]*meeting{}
	for n := range persons {
		for _, c := range held[fmt.Sprint(d.agency.ID, n)] {
			for _, other := range all {
				theirs := held[fmt.Sprint(other.agency.ID, n)]
				if other == d || len(theirs) == 0 {
					continue
				}
				m := meeting{Case: c, With: other.agency.ID, Theirs: other.announcedUnder(t, people(t, persons)[n])}
				if !slices.ContainsFunc(theirs, func(c casefile.CaseID) bool { return m.Theirs[1] == byte(c) }) {
					t.Fatalf("%s announced under a case that does not hold it", other.agency.ID)
				}
				k := fmt.Sprint(m)
				if found[k] == nil {
					found[k] = &m
				}
				found[k].Values = append(found[k].Values, fmt.Sprintf("p%d@example.org", n))
			}
		}
	}
	var list []meeting
	for _, m := range found {
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b meeting) int {
		return bytes.Compare([]byte(fmt.Sprint(a)), []byte(fmt.Sprint(b)))
	})
	return list
}

// announcedUnder opens d's own entry for an identifier.
func (d *desktop) announcedUnder(t tb, i identifier.Identifier) (c token.CasePointer) {
	t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		id, err := tx.Known(i)
		if err != nil {
			return err
		}
		standing, err := tx.Standing(id)
		if err != nil || len(standing) == 0 {
			return fmt.Errorf("announced %d times: %w", len(standing), err)
		}
		p, err := (&pen{f: d.flow, tx: tx}).opened(held{id, i}, standing[len(standing)-1])
		c = p.Case
		return err
	})
	if err != nil {
		t.Fatalf("own entry of %s: %v", d.agency.ID, err)
	}
	return c
}
