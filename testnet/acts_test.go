package testnet

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/protocol/directory"
)

// patience is for a machine that has no time for us. No claim is about time:
// speed is measured in benchmarks.
const patience = 4 * time.Minute

func start(t *testing.T, a *Agency) {
	t.Helper()
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, s interface{ Stop() error }) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func opens(t *testing.T, a *Agency, number string) casefile.CaseID {
	t.Helper()
	c, err := a.Opens(okafor, number, "")
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

func pastes(t *testing.T, a *Agency, c casefile.CaseID, text string) desk.Saved {
	t.Helper()
	saved, err := a.Pastes(t.Context(), okafor, c, text)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// settleAndCheck lets everything arrive and checks every invariant.
func settleAndCheck(t *testing.T, net *Net) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := net.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if err := net.Check(); err != nil {
		t.Fatal(err)
	}
}

func alerts(t *testing.T, a *Agency) int {
	t.Helper()
	list, err := a.Alerts()
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

var (
	watched   = casefile.Sharing{Way: casefile.Watch}
	withdrawn = casefile.Sharing{Way: casefile.Withdrawn}
	shared    = casefile.Sharing{}
)

func toGroup(t *testing.T, name string) casefile.Sharing {
	t.Helper()
	a, err := directory.GroupAudience(name)
	if err != nil {
		t.Fatal(err)
	}
	return casefile.Sharing{Audience: a}
}

func toListed(t *testing.T, agencies ...directory.AgencyID) casefile.Sharing {
	t.Helper()
	a, err := directory.ListAudience(agencies...)
	if err != nil {
		t.Fatal(err)
	}
	return casefile.Sharing{Audience: a}
}

func shares(t *testing.T, a *Agency, c casefile.CaseID, to casefile.Sharing, text string) {
	t.Helper()
	if _, err := a.Shares(t.Context(), okafor, c, to, text); err != nil {
		t.Fatal(err)
	}
}

func handles(t *testing.T, a *Agency, c casefile.CaseID, to casefile.Sharing, text string) {
	t.Helper()
	if err := a.Handles(t.Context(), okafor, c, to, text); err != nil {
		t.Fatal(err)
	}
}

// group makes one group of the federation, and lets every node act on it.
func group(t *testing.T, net *Net, name string, agencies ...directory.AgencyID) {
	t.Helper()
	slices.Sort(agencies)
	err := net.Groups(t.Context(), []directory.Group{{Name: name, Agencies: agencies}})
	if err == nil {
		err = net.await(t.Context(), "the group everywhere", func() (bool, error) {
			return !slices.ContainsFunc(net.Agencies(), func(a *Agency) bool {
				d := a.Node().Directory()
				return d == nil || !slices.Equal(d.Policy.Group(name), agencies)
			}), nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// feedsOf is how far an agency holds the feeds of an author, by audience.
func feedsOf(t *testing.T, a *Agency, author string) map[string]uint64 {
	t.Helper()
	held := map[string]uint64{}
	err := a.Node().View(func(tx *store.Tx) error {
		feeds, err := tx.Feeds(directory.AgencyID(author))
		for _, f := range feeds {
			at, err := tx.Position(f.ID)
			if err != nil {
				return err
			}
			held[f.ID.Audience.String()] = at.Number
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// alertedOf is what an agency's alerts are about: agency and value, once for each
// case of the other side.
func alertedOf(t *testing.T, a *Agency) []string {
	t.Helper()
	list := []string{}
	err := a.Node().View(func(tx *store.Tx) error {
		all, err := a.Alerts()
		for _, al := range all {
			grounds, err := tx.Grounds(al.ID, math.MaxInt)
			if err != nil {
				return err
			}
			for _, g := range grounds {
				list = append(list, string(al.Pair.Agency)+" "+g.Identifier.Value())
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func wantAlerted(t *testing.T, a *Agency, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(append([]string{}, want...), alertedOf(t, a)); diff != "" {
		t.Errorf("%s is alerted of, want and got:\n%s", a.ID, diff)
	}
}
