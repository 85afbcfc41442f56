package testnet

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

func TestAnEntryReachesItsAudienceAndNobodyElse(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "aurora-pd", "golden-pd")})
	denver, boulder, aurora, golden := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("aurora-pd"), net.Agency("golden-pd")
	group(t, net, "border", "denver-pd", "boulder-so")
	for _, a := range []*Agency{boulder, aurora, golden} {
		shares(t, a, opens(t, a, "W-1"), watched, "group1@example.org group2@example.org listed@example.org both@example.org all@example.org")
	}
	d := opens(t, denver, "D-1")
	shares(t, denver, d, toGroup(t, "border"), "group1@example.org group2@example.org")
	shares(t, denver, d, toListed(t, "boulder-so"), "listed@example.org")
	shares(t, denver, d, toListed(t, "boulder-so", "aurora-pd"), "both@example.org")
	shares(t, denver, d, shared, "all@example.org")
	settleAndCheck(t, net)

	const one, two = "agencies:boulder-so", "agencies:aurora-pd,boulder-so"
	all := map[string]uint64{"": 1, "group:border": 2, one: 1, two: 1}
	for a, want := range map[*Agency]map[string]uint64{
		denver: all, boulder: all, aurora: {"": 1, two: 1}, golden: {"": 1},
	} {
		if diff := cmp.Diff(want, feedsOf(t, a, denver.ID)); diff != "" {
			t.Errorf("%s holds of denver's feeds, want and got:\n%s", a.ID, diff)
		}
	}
	wantAlerted(t, denver)
	wantAlerted(t, boulder, "denver-pd group1@example.org", "denver-pd group2@example.org", "denver-pd listed@example.org", "denver-pd both@example.org", "denver-pd all@example.org")
	wantAlerted(t, aurora, "denver-pd both@example.org", "denver-pd all@example.org")
	wantAlerted(t, golden, "denver-pd all@example.org")

	o := outside(t, golden)
	o.subscribesInVain(t, denver, boulder)
	o.comparesInVain(t, denver, boulder)
	o.hearsNothing(t, denver, d)
}

func TestWhoLeavesAGroupHoldsNothingMoreOfItAndWhoJoinsIsMatchedWithWhatWasThere(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "aurora-pd")})
	denver, boulder, aurora := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("aurora-pd")
	group(t, net, "border", "denver-pd", "boulder-so")
	d, b, a := opens(t, denver, "D-1"), opens(t, boulder, "B-1"), opens(t, aurora, "A-1")
	shares(t, denver, d, toGroup(t, "border"), "before@example.org early@example.org")
	shares(t, boulder, b, watched, "before@example.org later@example.org")
	shares(t, aurora, a, watched, "before@example.org later@example.org")
	settleAndCheck(t, net)
	wantAlerted(t, boulder, "denver-pd before@example.org")
	wantAlerted(t, aurora)

	group(t, net, "border", "denver-pd", "aurora-pd")
	settleAndCheck(t, net) // which waits until boulder holds nothing that it may not
	if held := feedsOf(t, boulder, denver.ID); held["group:border"] != 0 {
		t.Errorf("boulder has left the group and holds %v", held)
	}
	wantAlerted(t, aurora, "denver-pd before@example.org")
	shares(t, denver, d, toGroup(t, "border"), "later@example.org")
	shares(t, boulder, b, watched, "early@example.org") // it was announced while boulder was in the group
	settleAndCheck(t, net)
	wantAlerted(t, boulder, "denver-pd before@example.org")
	wantAlerted(t, aurora, "denver-pd before@example.org", "denver-pd later@example.org")

	// An author that has left speaks to the group no more; one that is back is.
	group(t, net, "border", "aurora-pd", "boulder-so")
	settleAndCheck(t, net)
	shares(t, boulder, b, toGroup(t, "border"), "new@example.org")
	shares(t, aurora, a, watched, "early@example.org new@example.org")
	settleAndCheck(t, net)
	wantAlerted(t, aurora, "denver-pd before@example.org", "denver-pd later@example.org", "boulder-so new@example.org")
	group(t, net, "border", "aurora-pd", "boulder-so", "denver-pd")
	settleAndCheck(t, net)
	wantAlerted(t, aurora, "denver-pd before@example.org", "denver-pd early@example.org", "denver-pd later@example.org", "boulder-so new@example.org")
	wantAlerted(t, boulder, "denver-pd before@example.org", "denver-pd early@example.org", "denver-pd later@example.org")
}

func TestHandlingIsWidenedAndNarrowedLater(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "aurora-pd")})
	denver, boulder, aurora := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("aurora-pd")
	d := opens(t, denver, "D-1")
	const name = "j.doe@example.org"
	watches := func(a *Agency, number string) {
		t.Helper()
		shares(t, a, opens(t, a, number), watched, name)
	}
	one := "denver-pd " + name
	shares(t, denver, d, toListed(t, "boulder-so"), name)
	watches(boulder, "B-1")
	watches(aurora, "A-1")
	settleAndCheck(t, net)
	wantAlerted(t, boulder, one)
	wantAlerted(t, aurora)

	handles(t, denver, d, shared, name) // wider
	settleAndCheck(t, net)
	wantAlerted(t, boulder, one) // not again
	wantAlerted(t, aurora, one)

	handles(t, denver, d, toListed(t, "boulder-so"), name) // narrower
	settleAndCheck(t, net)
	watches(aurora, "A-2")
	watches(boulder, "B-2")
	settleAndCheck(t, net)
	wantAlerted(t, boulder, one, one)
	wantAlerted(t, aurora, one)

	for _, to := range []casefile.Sharing{watched, withdrawn} {
		handles(t, denver, d, to, name)
		settleAndCheck(t, net)
		watches(boulder, fmt.Sprintf("B-3-%d", to.Way))
		settleAndCheck(t, net)
		wantAlerted(t, boulder, one, one)
	}
	shares(t, boulder, opens(t, boulder, "B-5"), shared, name) // meets the second case of aurora too
	settleAndCheck(t, net)
	wantAlerted(t, denver) // has withdrawn it
	wantAlerted(t, aurora, one, "boulder-so "+name, "boulder-so "+name)

	handles(t, denver, d, toListed(t, "aurora-pd"), name)
	settleAndCheck(t, net)
	wantAlerted(t, denver, "boulder-so "+name)
	wantAlerted(t, aurora, one, one, "boulder-so "+name, "boulder-so "+name)
	wantAlerted(t, boulder, one, one)

	if err := denver.Purges(t.Context(), okafor, d, name); err != nil {
		t.Fatal(err)
	}
	settleAndCheck(t, net)
	watches(aurora, "A-6")
	settleAndCheck(t, net)
	wantAlerted(t, aurora, one, one, "boulder-so "+name, "boulder-so "+name, "boulder-so "+name)
	for _, a := range net.Agencies() {
		for audience := range feedsOf(t, denver, denver.ID) {
			if n := announcements(t, a, denver.ID, audience); n != 0 {
				t.Errorf("%s holds %d announcements of denver to %q, which has purged all", a.ID, n, audience)
			}
		}
	}
}

// announcements counts those that an agency holds in a feed, standing or not.
func announcements(t *testing.T, a *Agency, author, audience string) (n int) {
	t.Helper()
	of, err := directory.ParseAudience(audience)
	if err == nil {
		err = a.Node().View(func(tx *store.Tx) error {
			list, err := tx.EntriesAfter(feed.ID{Author: directory.AgencyID(author), Audience: of}, 0, math.MaxInt)
			for _, e := range list {
				if e.Kind == feed.Announce {
					n++
				}
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}
