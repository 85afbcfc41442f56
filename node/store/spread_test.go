package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// pairOf is the n-th pair of a case of ours: every agency has two cases.
func pairOf(c casefile.CaseID, n int) alert.Pair {
	return alert.Pair{Case: c, Agency: directory.AgencyID(fmt.Sprintf("agency-%03d", n/2)), Theirs: token.CasePointer{byte(n >> 8), byte(n), 1}}
}

func raise(t testing.TB, s *Store, i identifier.Identifier, pairs ...alert.Pair) (told []alert.Alert) {
	t.Helper()
	update(t, s, func(tx *Tx) (err error) {
		for _, p := range pairs {
			if err := tx.Raise(p, alert.Ground{Identifier: i, Handling: token.H1, At: noon}); err != nil {
				return err
			}
		}
		told, err = tx.Raised()
		return err
	})
	return told
}

// alertsOf are the alerts of a case: those of pairs, and the summaries.
func alertsOf(t testing.TB, s *Store, c casefile.CaseID) (pairs []alert.Pair, summaries []alert.Alert) {
	t.Helper()
	view(t, s, func(tx *Tx) error {
		return tx.CaseAlerts(c, func(a alert.Alert) error {
			if a.IsSummary() {
				summaries = append(summaries, a)
			} else {
				pairs = append(pairs, a.Pair)
			}
			return nil
		})
	})
	return pairs, summaries
}

func TestACommonIdentifierGrowsOneSummary(t *testing.T) {
	s, i := open(t, options("/store", vfs.NewMem())), email(t, "everybody@example.org")
	for n := range alert.PairsPerCase {
		if told := raise(t, s, i, pairOf(1, n)); len(told) != 1 || told[0].IsSummary() {
			t.Fatalf("pair %d: told %d alerts, want its own", n, len(told))
		}
	}
	id := alert.SummaryID(1, i)
	var told []int
	for n := alert.PairsPerCase; n < 100; n++ {
		for range 2 { // a replay changes nothing
			for _, a := range raise(t, s, i, pairOf(1, n)) {
				if a.ID != id {
					t.Fatalf("pair %d raised an alert of its own", n)
				}
				told = append(told, a.Spread.Cases)
			}
		}
	}
	if want := []int{21, 32, 64}; !slices.Equal(told, want) {
		t.Errorf("officers were told at %v cases, want %v", told, want)
	}
	pairs, summaries := alertsOf(t, s, 1)
	if len(pairs) != alert.PairsPerCase || len(summaries) != 1 {
		t.Fatalf("%d alerts and %d summaries, want %d and 1", len(pairs), len(summaries), alert.PairsPerCase)
	}
	got := summaries[0]
	want := alert.Alert{
		ID: id, Pair: alert.Pair{Case: 1}, Total: 1, Spread: alert.Spread{Cases: 100, Agencies: 50}, Raised: noon,
		Grounds: []alert.Ground{{Identifier: i, Handling: token.H1, At: noon}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b identifier.Identifier) bool { return a == b })); diff != "" {
		t.Errorf("the summary (-want +got):\n%s", diff)
	}
	view(t, s, func(tx *Tx) error {
		all, err := tx.Met(id, 1000)
		some, limited := tx.Met(id, 7)
		if len(all) != 100 || len(some) != 7 {
			t.Errorf("%d and %d cases are listed, want all 100 and the 7 asked for", len(all), len(some))
		}
		return errors.Join(err, limited)
	})
	if told := raise(t, s, email(t, "j.doe@example.org"), pairOf(1, 99)); len(told) != 1 || told[0].IsSummary() {
		t.Error("another identifier of a pair in the summary raised no alert")
	}
}

func TestTheCapHoldsForAllOurCasesTogether(t *testing.T) {
	s, i := open(t, options("/store", vfs.NewMem())), email(t, "everybody@example.org")
	for c := range casefile.CaseID(10) {
		for n := range 8 {
			raise(t, s, i, pairOf(c+1, n))
		}
	}
	alerts, summed := 0, 0
	for c := range casefile.CaseID(10) {
		pairs, summaries := alertsOf(t, s, c+1)
		alerts += len(pairs)
		for _, a := range summaries {
			if a.Spread != (alert.Spread{Cases: 8, Agencies: 4}) {
				t.Errorf("case %d: the summary has %+v, want all 8 cases of 4 agencies", c+1, a.Spread)
			}
			summed++
		}
	}
	if alerts != alert.PairsInAll || summed != 4 {
		t.Errorf("%d alerts and %d summaries, want %d and 4", alerts, summed, alert.PairsInAll)
	}
}

func TestASummaryHasTheStrictestHandling(t *testing.T) {
	s, i := open(t, options("/store", vfs.NewMem())), email(t, "everybody@example.org")
	for n := range 30 {
		g := alert.Ground{Identifier: i, Handling: token.H0, At: noon.Add(time.Duration(n))}
		if n == 3 || n == 25 {
			g.Handling = token.Handling(n % 4)
		}
		update(t, s, func(tx *Tx) error { return tx.Raise(pairOf(1, n), g) })
	}
	_, summaries := alertsOf(t, s, 1)
	if len(summaries) != 1 || len(summaries[0].Grounds) != 1 || summaries[0].Grounds[0].Handling != token.H3 {
		t.Errorf("%+v, want one summary under H3", summaries)
	}
}

// TestNoPairIsLostAndNoneComesTwice whatever the order, and however often
// anything is repeated.
func TestNoPairIsLostAndNoneComesTwice(t *testing.T) {
	values := []identifier.Identifier{email(t, "a@example.org"), email(t, "b@example.org")}
	type event struct {
		value int
		pair  alert.Pair
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t, options("/store", vfs.NewMem()))
		defer func() {
			if err := s.Close(); err != nil {
				rt.Error(err)
			}
		}()
		var events []event
		for v := range values {
			for c := range casefile.CaseID(3) {
				for n := range rapid.IntRange(0, 30).Draw(rt, "pairs") {
					events = append(events, event{v, pairOf(c+1, n)})
				}
			}
		}
		again := rapid.SliceOfN(rapid.SampledFrom(append(events, event{0, pairOf(1, 0)})), 0, 40).Draw(rt, "again")
		order := rapid.Permutation(append(slices.Clone(events), again...)).Draw(rt, "order")
		want := map[event]bool{}
		for step := range slices.Chunk(order, rapid.IntRange(1, 50).Draw(rt, "at once")) {
			update(t, s, func(tx *Tx) error {
				for _, e := range step {
					want[e] = true
					if err := tx.Raise(e.pair, alert.Ground{Identifier: values[e.value], At: noon}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		inAll := map[int]int{}
		for c := range casefile.CaseID(3) {
			for v, i := range values {
				got := readPairs(t, s, c+1, i)
				inAll[v] += len(got.raised)
				if len(got.raised) > alert.PairsPerCase {
					rt.Errorf("case %d: %d alerts of one identifier", c+1, len(got.raised))
				}
				expected := map[alert.Pair]bool{}
				for e := range want {
					if e.value == v && e.pair.Case == c+1 {
						expected[e.pair] = true
					}
				}
				if diff := cmp.Diff(expected, got.all()); diff != "" {
					rt.Errorf("case %d, value %d: pairs (-want +got):\n%s", c+1, v, diff)
				}
				if got.summary.IsSummary() && (got.summary.Spread.Cases != len(expected) || len(got.summed) != len(expected)) {
					rt.Errorf("case %d: the summary counts %d and lists %d of %d", c+1, got.summary.Spread.Cases, len(got.summed), len(expected))
				}
				if !got.summary.IsSummary() && len(got.raised) != len(expected) {
					rt.Errorf("case %d: %d alerts of %d pairs, and no summary", c+1, len(got.raised), len(expected))
				}
			}
		}
		for v, n := range inAll {
			if n > alert.PairsInAll {
				rt.Errorf("value %d is a ground of %d alerts", v, n)
			}
		}
	})
}

// held is where the pairs of one identifier in one case are.
type held struct {
	raised, summed []alert.Pair
	summary        alert.Alert
}

func (h held) all() map[alert.Pair]bool {
	all := map[alert.Pair]bool{}
	for _, p := range append(slices.Clone(h.raised), h.summed...) {
		all[p] = true
	}
	return all
}

func readPairs(t testing.TB, s *Store, c casefile.CaseID, i identifier.Identifier) (h held) {
	t.Helper()
	view(t, s, func(tx *Tx) error {
		err := tx.CaseAlerts(c, func(a alert.Alert) error {
			holds := slices.ContainsFunc(a.Grounds, func(g alert.Ground) bool { return g.Identifier == i })
			switch {
			case holds && a.IsSummary():
				h.summary = a
			case holds:
				h.raised = append(h.raised, a.Pair)
			}
			return nil
		})
		met, listing := tx.Met(alert.SummaryID(c, i), 10_000)
		for _, m := range met {
			h.summed = append(h.summed, alert.Pair{Case: c, Agency: m.Agency, Theirs: m.Theirs})
		}
		return errors.Join(err, listing)
	})
	return h
}
