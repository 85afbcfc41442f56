package web_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/testnet/browser"
)

// saves brings a text's identifiers into the first case, and returns how forms
// name what it holds then.
func (c *client) saves(text string, choice url.Values) []string {
	c.t.Helper()
	form := url.Values{"do": {"save"}, "draft": drafts(c.hands("/cases/1/intake", text))}
	for k, v := range choice {
		form[k] = v
	}
	if got := c.post("/cases/1/check", form); got.path != "/cases/1" {
		c.t.Fatalf("after the save: %d %s", got.status, got.path)
	}
	return c.keys()
}

// keys is how forms name what the first case holds.
func (c *client) keys() (keys []string) {
	c.t.Helper()
	held, err := c.desk.Identifiers(okafor(), 1)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, i := range held {
		key, err := webKey(i)
		if err != nil {
			c.t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// atWork is an officer with a case, in a network with groups.
func atWork(t *testing.T) (*world, *client) {
	t.Helper()
	w := open(t)
	w.network.groups()
	w.opens("m.okafor", "DPD-1", "")
	return w, w.signsIn("m.okafor")
}

func lacks(t *testing.T, page shown, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page.body, text) {
			t.Errorf("%s (%d) says %q", page.path, page.status, text)
		}
	}
}

func TestWhoMayLearnIsChosenBeforeTheSave(t *testing.T) {
	_, b := atWork(t)
	page := b.hands("/cases/1/intake", tip)
	says(t, page, "Who may learn of these?", `value="everyone" checked`, "Group front-range", "Boulder County Sheriff, Denver Police Department", `value="cheyenne-pd"`, "Nobody: only watch")
	lacks(t, page, "wyoming", `name="agency" id="agency-2"`)

	form := url.Values{"do": {"save"}, "draft": drafts(page), "who": {"agencies"}}
	page = b.post("/cases/1/check", form)
	says(t, page, "No agency is chosen.", `value="agencies" checked`)
	for n := range directory.MaxListed + 1 {
		form.Add("agency", fmt.Sprint("agency-", n))
	}
	says(t, b.post("/cases/1/check", form), "At most 32 agencies can be chosen.")
	for who, status := range map[string]int{"group:wyoming": 422, "group:": 400, "withdrawn": 400} {
		if got := b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": form["draft"], "who": {who}}); got.status != status {
			t.Errorf("who=%s: %d, want %d", who, got.status, status)
		}
	}
	if n := len(b.keys()); n != 0 {
		t.Fatalf("the case holds %d identifiers after refused choices", n)
	}
	form["agency"] = []string{"cheyenne-pd", "boulder-so"}
	says(t, b.post("/cases/1/check", form), "2 identifiers saved.", "Boulder County Sheriff, Cheyenne Police")
	b.saves("w@example.org", url.Values{"who": {"watch"}})
	b.saves("g@example.org", url.Values{"who": {"group:front-range"}})
	b.saves("e@example.org", nil)
	says(t, b.get("/cases/1"), "Nobody: only watched", "compared here alone", "Group front-range", "Everyone in the network")
}

func TestTheOfficerIsAskedBeforeIdentifiersAreHandledOtherwise(t *testing.T) {
	_, b := atWork(t)
	keys := b.saves("a@example.org b@example.org c@example.org", nil)
	for _, tt := range []struct {
		do, asks, says string
		done           string
	}{
		{"share", "Change who may learn of 1 identifier", "Alerts that were raised already stay", "Changed who may learn of 1 identifier."},
		{"withdraw", "Withdraw 1 identifier?", "They stop matching at every other agency as soon as its node has caught up", "Withdrew 1 identifier."},
		{"purge", "Purge 1 identifier?", "This cannot be undone.", "Purged 1 identifier from this case."},
	} {
		before := b.get("/cases/1").body
		form := url.Values{"do": {tt.do}, "id": keys[:1]}
		page := b.post("/cases/1/handling", form)
		says(t, page, tt.asks, tt.says, "a@example.org")
		lacks(t, page, "b@example.org")
		if got := b.get("/cases/1").body; got != before {
			t.Errorf("%s: something changed before the officer agreed", tt.do)
		}
		form.Set("who", "watch")
		page = b.post("/cases/1/handled", form)
		if page.path != "/cases/1" {
			t.Errorf("%s: %d %s, want the case", tt.do, page.status, page.path)
		}
		says(t, page, tt.done, "Changes of handling")
	}
	page := b.get("/cases/1")
	lacks(t, page, "a@example.org, line")
	says(t, page, "2 identifiers", "1 identifier purged", "Everyone in the network")
	if got := b.get("/cases/1/handling"); got.path != "/cases/1" {
		t.Errorf("the address of the question leads to %s, want the case", got.path)
	}
}

func TestABrokenOrEmptyChoiceChangesNothing(t *testing.T) {
	_, b := atWork(t)
	keys := b.saves("a@example.org", nil)
	for _, tt := range []struct {
		what   string
		form   url.Values
		status int
	}{
		{"nothing ticked", url.Values{"do": {"purge"}}, 422},
		{"no act", url.Values{"id": keys}, 400},
		{"no identifier", url.Values{"do": {"purge"}, "id": {"!"}}, 400},
		{"cut short", url.Values{"do": {"purge"}, "id": {keys[0][:3]}}, 400},
	} {
		for _, path := range []string{"/cases/1/handling", "/cases/1/handled"} {
			if got := b.post(path, tt.form); got.status != tt.status {
				t.Errorf("%s to %s: %d, want %d", tt.what, path, got.status, tt.status)
			}
		}
	}
	other, err := identifier.Parse(identifier.Email, "other@example.org", "US")
	if err != nil {
		t.Fatal(err)
	}
	key, err := webKey(other)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.post("/cases/1/handled", url.Values{"do": {"purge"}, "id": {key}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("an identifier that the case does not hold: %d, want 422", got.status)
	}
	if n := len(b.keys()); n != 1 {
		t.Errorf("the case holds %d identifiers, want 1", n)
	}
}

func TestAnotherOfficersIdentifiersAreNotHandled(t *testing.T) {
	w, b := atWork(t)
	keys := b.saves("a@example.org", nil)
	w.officer("j.lee", casefile.Investigator)
	stranger := w.signsIn("j.lee")
	for _, do := range []string{"share", "withdraw", "purge"} {
		for _, path := range []string{"/cases/1/handling", "/cases/1/handled"} {
			for _, form := range []url.Values{{"do": {do}, "id": keys}, {"do": {do}, "all": {"1"}}} {
				if got := stranger.post(path, form); got.status != http.StatusNotFound {
					t.Errorf("%v to %s: %d, want 404", form, path, got.status)
				}
			}
		}
	}
	for _, path := range []string{"/cases/1/certificate", "/cases/1/handling", "/cases/1?after=1"} {
		if got := stranger.get(path); got.status != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", path, got.status)
		}
	}
	w.officer("chief", casefile.Supervisor)
	says(t, w.signsIn("chief").post("/cases/1/handled", url.Values{"do": {"purge"}, "all": {"1"}}), "Purged 1 identifier")
}

func TestTheCaseSaysWhoHasNotAcknowledgedAWithdrawal(t *testing.T) {
	w, b := atWork(t)
	keys := b.saves("a@example.org b@example.org", nil)
	lacks(t, b.get("/cases/1"), "acknowledged")
	b.post("/cases/1/handled", url.Values{"do": {"withdraw"}, "id": keys[:1]})
	says(t, b.get("/cases/1"), "Withdrawn", "not yet acknowledged by: Boulder County Sheriff, Cheyenne Police", "Not yet acknowledged", "1 withdrawal, the first from")
	acknowledges := func(m directory.AgencyID) {
		t.Helper()
		err := w.store.Update(func(tx *store.Tx) error { return tx.Acknowledge(m, directory.Everyone, 1, 1) })
		if err != nil {
			t.Fatal(err)
		}
	}
	acknowledges("boulder-so")
	says(t, b.get("/cases/1"), "not yet acknowledged by: Cheyenne Police")
	acknowledges("cheyenne-pd")
	lacks(t, b.get("/cases/1"), "acknowledged")
	b.post("/cases/1/handled", url.Values{"do": {"share"}, "who": {"group:front-range"}, "id": keys[1:]})
	says(t, b.get("/cases/1"), "an earlier withdrawal is not yet acknowledged by: Boulder County Sheriff, Cheyenne Police")
	b.post("/cases/1/handled", url.Values{"do": {"share"}, "id": keys[1:]})
	lacks(t, b.get("/cases/1"), "not yet acknowledged by: Boulder County Sheriff, Cheyenne Police")
}

func TestALargeCaseIsShownInPartsAndHandledWhole(t *testing.T) {
	_, b := atWork(t)
	const n = 2*desk.ShownHoldings + 7
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "p%d@example.org\n", i)
	}
	b.saves(text.String(), nil)
	later := regexp.MustCompile(`href="(/cases/1\?after=\d+)#held">Later ones`)
	path, seen := "/cases/1", 0
	for path != "" {
		page := b.get(path)
		seen += strings.Count(page.body, `name="id"`)
		path = ""
		if m := later.FindStringSubmatch(page.body); m != nil {
			path = m[1]
		}
	}
	if seen != n {
		t.Errorf("the pages show %d identifiers, want %d", seen, n)
	}
	says(t, b.get("/cases/1?after=1000"), "1,001 to 1,007 are on this page", "/cases/1?after=500#held", "/cases/1/handling?after=1000#held")
	for _, path := range []string{"/cases/1?after=-1", "/cases/1?after=x", "/cases/1?after=99999999999999999999", "/cases/1?after=1007"} {
		says(t, b.get(path), "1 to 500 are on this page")
	}
	keys := b.keys()
	says(t, b.post("/cases/1/handling?after=1000", url.Values{"do": {"withdraw"}, "id": keys[n-1:]}), "/cases/1/handled?after=1000", `href="/cases/1?after=1000"`)
	if got := b.post("/cases/1/handled?after=1000", url.Values{"do": {"withdraw"}, "id": keys[n-1:]}); got.path != "/cases/1?after=1000" {
		t.Errorf("after the last part was handled: %s, want that part", got.path)
	}
	says(t, b.post("/cases/1/handling?after=500", url.Values{"do": {"withdraw"}}), "No identifier is ticked.", "501 to 1,000 are on this page")
	says(t, b.post("/cases/1/handling", url.Values{"do": {"share"}, "all": {"1"}}), "Change who may learn of 1,007 identifiers", "and 987 more")
	says(t, b.post("/cases/1/handled", url.Values{"do": {"share"}, "all": {"1"}, "who": {"watch"}}), "Changed who may learn of 1,007 identifiers.")
	if page := b.get("/cases/1?after=1000"); strings.Count(page.body, "Nobody: only watched<span") != 7 {
		t.Error("the last part of the case is not watched")
	}
}

func TestNoAddressAndNoLogNamesAnIdentifier(t *testing.T) {
	w, b := atWork(t)
	b.saves("secret-name@example.org", nil)
	keys := b.keys()
	w.flow.Fault = fmt.Errorf("a fault")
	for _, do := range []string{"share", "withdraw", "purge"} {
		if got := b.post("/cases/1/handled", url.Values{"do": {do}, "id": keys}); got.status != http.StatusInternalServerError {
			t.Errorf("%s with a fault: %d, want 500", do, got.status)
		}
	}
	w.flow.Fault = nil
	addresses := regexp.MustCompile(`(?:href|action|hx-post|hx-get|src)="([^"]*)"`)
	pages := []shown{b.get("/cases/1"), b.post("/cases/1/handling", url.Values{"do": {"purge"}, "id": keys}), b.post("/cases/1/handled", url.Values{"do": {"withdraw"}, "id": keys})}
	for _, page := range pages {
		says(t, page, "secret-name")
		all := page.path
		for _, m := range addresses.FindAllStringSubmatch(page.body, -1) {
			all += " " + m[1]
		}
		for _, name := range []string{"secret-name", keys[0]} {
			if strings.Contains(all, name) {
				t.Errorf("an address on %s holds %q", page.path, name)
			}
		}
	}
	if log := w.log.String(); strings.Contains(log, "secret-name") || strings.Contains(log, keys[0]) || !strings.Contains(log, "a fault") {
		t.Errorf("the log is %q, want the fault and no identifier", log)
	}
}

func TestNoMatchSaysWhoHasComparedWhatTheCaseAnnounces(t *testing.T) {
	w, b := atWork(t)
	b.saves("a@example.org", nil)
	says(t, b.get("/cases/1"), "No match so far", "This case announces nothing now")
	boulder, cheyenne := w.network.directory.Agencies[0], w.network.directory.Agencies[1]
	w.covers.coverage = desk.Coverage{Entries: 1204, Members: []desk.Covered{
		{Agency: boulder, Generation: 1, Number: 1300, At: w.clock(), Signed: true, Complete: true},
		{Agency: cheyenne},
	}}
	says(t, b.get("/cases/1"), "1 of 2 members to whom this case is announced has compared all of it so far.", "Boulder County Sheriff: up to entry 1,300, today, 11:14, signed.", "Cheyenne Police: has not said so far.")
	w.covers.coverage.Members[1] = desk.Covered{Agency: cheyenne, Number: 310, At: w.clock().Add(-24 * time.Hour)}
	says(t, b.get("/cases/1/alerts"), "Cheyenne Police: up to entry 310, 23 Nov 2026, 11:14.", "/cases/1/certificate")
	w.covers.coverage.Members[0] = desk.Covered{Agency: boulder, Number: 1300, Complete: true} // as acknowledged, without a receipt
	says(t, b.get("/cases/1"), "Boulder County Sheriff: up to entry 1,300.")
	for range 40 {
		w.covers.coverage.Members = append(w.covers.coverage.Members, desk.Covered{Agency: cheyenne})
	}
	says(t, b.get("/cases/1"), "1 of 42 members", "And 29 other members, named in the certificate.")

	got := b.get("/cases/1/certificate")
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" || got.body != `{"case":"pointer","members":[]}`+"\n" {
		t.Errorf("certificate: %d %s %q", got.status, got.header.Get("Content-Type"), got.body)
	}
	if want := `attachment; filename="coverage-case-1.json"`; got.header.Get("Content-Disposition") != want {
		t.Errorf("certificate is %q, want %q", got.header.Get("Content-Disposition"), want)
	}
}

func TestIdentifiersAreHandledInABrowser(t *testing.T) {
	w, c := atWork(t)
	c.saves(tip+" c@example.org https://example.com/"+strings.Repeat("a-long-path-without-a-break", 12), nil)
	b := browser.Open(t)
	signIn(w, b)
	b.Page(w.url + "/cases/1")
	b.Size(390, 844)
	if got := browser.Value[float64](b, `document.querySelector(".pick input").offsetWidth`); got < 24 {
		t.Errorf("on a telephone a tick is %v pixels wide, want at least 24", got)
	}
	b.Size(1280, 1800) // so that the buttons lie over no row
	sticky := `getComputedStyle(document.querySelector(".choose .bottom")).position`
	b.AwaitValue(sticky, "static")
	b.Click("tbody tr:nth-child(1) .pick input")
	b.Click("tbody tr:nth-child(3) .pick input")
	b.AwaitValue(sticky, "sticky")
	b.Click("button[value=share]")
	b.AwaitText("Change who may learn of 2 identifiers")
	listed := `getComputedStyle(document.querySelector(".listed")).display`
	b.AwaitValue(listed, "none")
	b.Click("#who-agencies")
	b.AwaitValue(listed, "grid")
	b.Click("form.panel button")
	b.AwaitText("No agency is chosen.")
	b.Click("#agency-1")
	b.Click("form.panel button")
	b.AwaitText("Changed who may learn of 2 identifiers.")
	b.AwaitText("an earlier withdrawal is not yet acknowledged by: Boulder County Sheriff, Cheyenne Police")
	b.Click("#all")
	b.Click("button[value=purge]")
	b.AwaitText("This cannot be undone.")
	for _, width := range []int{1280, 390, 320} {
		b.Size(width, 800)
		if over := browser.Value[int](b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
			t.Errorf("the question is %d pixels too wide at %d", over, width)
		}
	}
	b.Click("form.panel button")
	b.AwaitText("Purged 4 identifiers from this case.")
	b.AwaitText("This case holds no identifiers yet.")
	keepsItsPolicy(t, w, b, "422")
}

// okafor is the officer of most of these tests, as the desk knows them.
func okafor() casefile.Officer {
	return casefile.Officer{Name: "m.okafor", Role: casefile.Investigator}
}

// webKey names an identifier as the forms of the pages do.
func webKey(i identifier.Identifier) (string, error) {
	b, err := i.MarshalBinary()
	return base64.RawURLEncoding.EncodeToString(b), err
}
