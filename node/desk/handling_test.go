package desk

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// federates puts four agencies into the directory, and groups.
func (r *room) federates() {
	d := &directory.Directory{Version: 1}
	for _, id := range []directory.AgencyID{"boulder-so", "cheyenne-pd", "denver-pd", "laramie-pd"} {
		d.Agencies = append(d.Agencies, directory.Agency{ID: id, Name: string(id), Status: directory.Active})
	}
	d.Agencies[3].Status = directory.Suspended
	d.Policy.Groups = []directory.Group{
		{Name: "front-range", Agencies: []directory.AgencyID{"boulder-so", "denver-pd"}},
		{Name: "wyoming", Agencies: []directory.AgencyID{"cheyenne-pd", "laramie-pd"}},
	}
	r.network.directory = d
}

// caseOf is a case with n identifiers.
func (r *room) caseOf(t *testing.T, by casefile.Officer, n int) (casefile.CaseID, []identifier.Identifier) {
	t.Helper()
	c := r.opens(t, by, "D-1")
	draft, err := r.Draft(by, c, report(t, n), "")
	if err == nil {
		_, err = r.Save(t.Context(), by, c, draft, nil, casefile.Sharing{})
	}
	if err != nil {
		t.Fatal(err)
	}
	ids, err := r.Identifiers(by, c)
	if err != nil || len(ids) != n {
		t.Fatalf("the case holds %d identifiers, %v; want %d", len(ids), err, n)
	}
	return c, ids
}

func group(t *testing.T, name string) casefile.Sharing {
	t.Helper()
	a, err := directory.GroupAudience(name)
	if err != nil {
		t.Fatal(err)
	}
	return casefile.Sharing{Audience: a}
}

func listed(t *testing.T, ids ...directory.AgencyID) casefile.Sharing {
	t.Helper()
	a, err := directory.ListAudience(ids...)
	if err != nil {
		t.Fatal(err)
	}
	return casefile.Sharing{Audience: a}
}

var (
	everyone  = casefile.Sharing{}
	watch     = casefile.Sharing{Way: casefile.Watch}
	withdrawn = casefile.Sharing{Way: casefile.Withdrawn}
)

func TestAnAgencySharesWithTheGroupsItIsInAndWithActiveMembers(t *testing.T) {
	r := newRoom(t)
	if got := r.Audiences(); len(got.Groups)+len(got.Agencies) != 0 {
		t.Errorf("before admission: %+v, want none", got)
	}
	r.federates()
	got := r.Audiences()
	if len(got.Groups) != 1 || got.Groups[0].Name != "front-range" {
		t.Errorf("groups %v, want front-range", got.Groups)
	}
	var ids []directory.AgencyID
	for _, a := range got.Agencies {
		ids = append(ids, a.ID)
	}
	if want := []directory.AgencyID{"boulder-so", "cheyenne-pd"}; !cmp.Equal(ids, want) {
		t.Errorf("agencies %v, want %v", ids, want)
	}
	c, held := r.caseOf(t, okafor, 1)
	draft, err := r.Draft(okafor, c, report(t, 1), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what string
		to   casefile.Sharing
		may  bool
	}{
		{"a group of ours", group(t, "front-range"), true},
		{"a group of others", group(t, "wyoming"), false},
		{"no group", group(t, "nowhere"), false},
		{"members", listed(t, "boulder-so", "cheyenne-pd"), true},
		{"one suspended", listed(t, "boulder-so", "laramie-pd"), false},
		{"ourselves", listed(t, "denver-pd"), false},
		{"a stranger", listed(t, "nobody-pd"), false},
		{"nobody", watch, true},
		{"everyone", everyone, true},
		{"no way", casefile.Sharing{Way: 9}, false},
	} {
		err := r.Handle(t.Context(), okafor, c, held, tt.to)
		if may := err == nil; may != tt.may || !may && !errors.Is(err, errNotOffered) {
			t.Errorf("%s: %v, want allowed %t", tt.what, err, tt.may)
		}
		if tt.may {
			continue
		}
		if _, err := r.Save(t.Context(), okafor, c, draft, nil, tt.to); !errors.Is(err, errNotOffered) {
			t.Errorf("saved for %s: %v, want %v", tt.what, err, errNotOffered)
		}
	}
	if _, err := r.Save(t.Context(), okafor, c, draft, nil, withdrawn); !errors.Is(err, errNotOffered) {
		t.Errorf("saved withdrawn: %v, want %v", err, errNotOffered)
	}
}

func TestWhatIsNewIsHandledAsSavedAndWhatIsHeldKeepsItsOwn(t *testing.T) {
	r := newRoom(t)
	r.federates()
	c, _ := r.caseOf(t, okafor, 2)
	draft, err := r.Draft(okafor, c, report(t, 4), "")
	if err == nil {
		_, err = r.Save(t.Context(), okafor, c, draft, nil, watch)
	}
	if err != nil {
		t.Fatal(err)
	}
	part, err := r.Holdings(okafor, c, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []casefile.Way
	for _, h := range part.Holdings {
		got = append(got, h.Sharing.Way)
	}
	if want := []casefile.Way{casefile.Share, casefile.Share, casefile.Watch, casefile.Watch}; !cmp.Equal(got, want) {
		t.Errorf("ways %v, want %v", got, want)
	}
}

func TestHandlingAndPurgingAreForThoseWhoMay(t *testing.T) {
	r := newRoom(t)
	c, ids := r.caseOf(t, okafor, 6)
	for n, tt := range []struct {
		by            casefile.Officer
		handle, purge error
	}{
		{okafor, nil, nil},
		{chief, nil, nil},
		{lind, ErrNotFound, ErrNotFound},
		{admin, ErrNotFound, ErrNotFound},
	} {
		if err := r.Handle(t.Context(), tt.by, c, ids[n:n+1], watch); !errors.Is(err, tt.handle) {
			t.Errorf("%s handles: %v, want %v", tt.by.Name, err, tt.handle)
		}
		if err := r.Purge(t.Context(), tt.by, c, ids[n:n+1]); !errors.Is(err, tt.purge) {
			t.Errorf("%s purges: %v, want %v", tt.by.Name, err, tt.purge)
		}
		_, history := r.History(tt.by, c)
		_, _, coverage := r.Coverage(tt.by, c)
		_, certificate := r.Certificate(tt.by, c)
		_, holdings := r.Holdings(tt.by, c, 0)
		_, all := r.Identifiers(tt.by, c)
		for what, err := range map[string]error{"history": history, "coverage": coverage, "certificate": certificate, "holdings": holdings, "identifiers": all} {
			if !errors.Is(err, tt.handle) {
				t.Errorf("%s asks for %s: %v, want %v", tt.by.Name, what, err, tt.handle)
			}
		}
	}
}

func TestAnOfficerWhoJoinedACaseWithdrawsButDoesNotPurge(t *testing.T) {
	c := casefile.Case{Officers: []casefile.OfficerName{okafor.Name, lind.Name}}
	for _, tt := range []struct {
		by   casefile.Officer
		want bool
	}{{okafor, true}, {lind, false}, {chief, true}, {admin, false}} {
		if got := MayPurge(tt.by, c); got != tt.want {
			t.Errorf("%s may purge %t, want %t", tt.by.Name, got, tt.want)
		}
	}
}

func TestWhatTheCaseDoesNotHoldIsNotHandled(t *testing.T) {
	r := newRoom(t)
	c, _ := r.caseOf(t, okafor, 1)
	for _, ids := range [][]identifier.Identifier{nil, {email(t, "other@example.org")}} {
		if err := r.Handle(t.Context(), okafor, c, ids, watch); !errors.Is(err, errNoneChosen) {
			t.Errorf("handling %d identifiers that are not there: %v, want %v", len(ids), err, errNoneChosen)
		}
		if err := r.Purge(t.Context(), okafor, c, ids); !errors.Is(err, errNoneChosen) {
			t.Errorf("purging %d identifiers that are not there: %v, want %v", len(ids), err, errNoneChosen)
		}
	}
}

func TestALargeCaseIsReadPartByPart(t *testing.T) {
	r := newRoom(t)
	const n = ShownHoldings + 3
	c, ids := r.caseOf(t, okafor, n)
	for _, tt := range []struct{ after, want int }{{-1, ShownHoldings}, {0, ShownHoldings}, {ShownHoldings, 3}, {n, 0}, {1 << 40, 0}} {
		part, err := r.Holdings(okafor, c, tt.after)
		list := part.Holdings
		if err != nil || len(list) != tt.want || len(part.Numbers) != tt.want || part.Total != n {
			t.Errorf("after %d: %d identifiers of %d, %v; want %d", tt.after, len(list), part.Total, err, tt.want)
		}
		if len(list) > 0 && list[0].Identifier != ids[max(tt.after, 0)] {
			t.Errorf("after %d comes %v, want %v", tt.after, list[0].Identifier.Value(), ids[max(tt.after, 0)].Value())
		}
	}
}

func TestOneActOnManyIdentifiersIsOneChange(t *testing.T) {
	r := newRoom(t)
	c, ids := r.caseOf(t, okafor, 10)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		r.clock.now = r.clock.now.Add(oneAct + time.Second)
	}
	do(r.Handle(t.Context(), okafor, c, ids[:5], watch))
	do(r.Handle(t.Context(), okafor, c, ids[5:9], watch))
	do(r.Handle(t.Context(), chief, c, ids[9:], withdrawn))
	do(r.Purge(t.Context(), chief, c, ids[7:]))
	history, err := r.History(okafor, c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range history.Changes {
		got = append(got, fmt.Sprintf("%s %d to %d purged %t: %d, %d named", l.By, l.From.Way, l.To.Way, l.Purged, l.Count, len(l.Named)))
	}
	want := []string{
		"chief 2 to 0 purged true: 1, 0 named",
		"chief 1 to 0 purged true: 2, 0 named",
		"chief 0 to 2 purged false: 1, 0 named",
		"m.okafor 0 to 1 purged false: 4, 2 named",
		"m.okafor 0 to 1 purged false: 5, 3 named",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes, want and got:\n%s", diff)
	}
}

func TestAWithdrawalIsOutstandingUntilEveryMemberOfItsAudienceAcknowledged(t *testing.T) {
	r := newRoom(t)
	r.federates()
	c, ids := r.caseOf(t, okafor, 3)
	acknowledges := func(m directory.AgencyID, a directory.Audience, generation uint32, n uint64) {
		t.Helper()
		if err := r.store.Update(func(tx *store.Tx) error { return tx.Acknowledge(m, a, generation, n) }); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, members ...string) Outstanding {
		t.Helper()
		history, err := r.History(okafor, c)
		if err != nil {
			t.Fatal(err)
		}
		o := history.Outstanding
		var got []string
		for _, m := range o.Members {
			got = append(got, fmt.Sprintf("%s %d", m.Agency.ID, m.Count))
		}
		if diff := cmp.Diff(members, got); diff != "" {
			t.Errorf("%s, want and got:\n%s", what, diff)
		}
		return o
	}
	want("before any withdrawal")
	if err := r.Handle(t.Context(), okafor, c, ids[:2], withdrawn); err != nil { // entries 1 and 2
		t.Fatal(err)
	}
	want("nobody has said anything; the suspended member is not asked", "boulder-so 2", "cheyenne-pd 2")
	acknowledges("boulder-so", directory.Everyone, 1, 1)
	acknowledges("cheyenne-pd", directory.Everyone, 1, 2)
	o := want("one member has the first", "boulder-so 1")
	if _, some := o.Identifiers[ids[0]]; some {
		t.Errorf("the first identifier is outstanding: %v", o.Identifiers[ids[0]])
	}
	if got := o.Identifiers[ids[1]].Members; len(got) != 1 || got[0].ID != "boulder-so" {
		t.Errorf("the second identifier is outstanding at %v, want boulder-so", got)
	}
	acknowledges("boulder-so", directory.Everyone, 2, 1)
	want("a later generation that has not come so far", "boulder-so 1")
	acknowledges("boulder-so", directory.Everyone, 2, 2)
	want("a later generation that has")

	front := group(t, "front-range")
	if err := r.Handle(t.Context(), okafor, c, ids[2:], front); err != nil { // entry 3, to everyone
		t.Fatal(err)
	}
	if err := r.Purge(t.Context(), okafor, c, ids[2:]); err != nil { // entry 4, to the group
		t.Fatal(err)
	}
	o = want("narrowed, then purged", "boulder-so 2", "cheyenne-pd 1")
	if len(o.Identifiers) != 0 {
		t.Errorf("a purged identifier is named: %v", o.Identifiers)
	}
	acknowledges("boulder-so", front.Audience, 1, 4)
	acknowledges("cheyenne-pd", directory.Everyone, 1, 3)
	want("each audience by itself", "boulder-so 1")
}

// covers says what it was told to.
type covers struct{ coverage Coverage }

func (c *covers) Coverage(casefile.CaseID) (Coverage, error)  { return c.coverage, nil }
func (c *covers) Certificate(casefile.CaseID) ([]byte, error) { return []byte(`{"case":1}`), nil }

func TestCoverageIsWhatTheNetworkSaysOfIt(t *testing.T) {
	r := newRoom(t)
	c := r.opens(t, okafor, "D-1")
	r.covers.coverage = Coverage{Entries: 7, Members: []Covered{{Number: 7, Complete: true}}}
	got, ok, err := r.Coverage(okafor, c)
	if err != nil || !ok || !reflect.DeepEqual(got, r.covers.coverage) {
		t.Errorf("Coverage = %+v, %t, %v", got, ok, err)
	}
	if b, err := r.Certificate(okafor, c); err != nil || string(b) != `{"case":1}` {
		t.Errorf("Certificate = %s, %v", b, err)
	}
	silent := New(Options{Agency: r.agency, Store: r.store, Flow: r.flow, Network: r.network, Now: r.now})
	if _, ok, err := silent.Coverage(okafor, c); ok || err != nil {
		t.Errorf("where nobody says: %t, %v", ok, err)
	}
	if _, err := silent.Certificate(okafor, c); !errors.Is(err, ErrNotFound) {
		t.Errorf("a certificate of nobody: %v, want %v", err, ErrNotFound)
	}
}
