package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"interlock/protocol/wire"
	"interlock/replication/centre"
)

func TestTheOverviewSaysWhatNeedsAPerson(t *testing.T) {
	w := open(t)
	c := w.signsIn("m-lindqvist")
	if got := c.get("/"); !strings.Contains(got.text, "Nothing. All is well.") {
		t.Errorf("a calm registry needs somebody: %s", between(got.text, `id="needs"`, "</section>"))
	}
	w.hub.town()
	w.hub.edit(func(s *centre.Status) {
		s.Notices = append(s.Notices, &wire.Notice{Kind: 3, Time: uint64(w.clock().Unix()), Text: "a key ceremony failed and begins again"})
		s.Health[5].Generation = 3
	})
	w.signsIn("j-okoro").post("/motions/new/new-epoch", "reason", "yearly")
	text := c.get("/").text
	for _, want := range []string{
		"Phoenix Police Department asks for far more tokens than usual", "Server dublin does not answer milan", "Winnipeg Police Service applies",
		"Make a new token key", "Put by j-okoro: yearly", "Server lyon holds no share of the key in force", "A key ceremony failed and begins again", "4 of 5 answer", "29 active", "1 suspended", "28 of 29",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the overview does not say %q", want)
		}
	}
	w.hub.edit(func(s *centre.Status) { s.Leader = "" })
	if text := c.get("/").text; !strings.Contains(text, "The registry servers have no leader") {
		t.Error("a registry without a leader is well")
	}
}

func TestAgenciesAreFound(t *testing.T) {
	w := open(t)
	w.hub.town()
	c := w.signsIn("a-petit")
	rows := func(path string) int { return strings.Count(c.get(path).text, `data-label="Agency"`) }
	for path, want := range map[string]int{
		"/agencies": 30, "/agencies?q=police": 12, "/agencies?q=US-CO+sheriff": 1, "/agencies?q=1.3.2": 1, "/agencies?q=nowhere": 0,
		"/agencies?show=suspended": 1, "/agencies?show=throttled": 1, "/agencies?show=silent": 1, "/agencies?show=behind": 2, "/agencies?show=active": 29, "/agencies?show=active&q=denver": 1,
	} {
		if got := rows(path); got != want {
			t.Errorf("%s: %d rows, want %d", path, got, want)
		}
	}
	if got := c.get("/agencies?show=behind&q=alert"); !strings.Contains(got.text, "behind") || !strings.Contains(got.text, `value="alert"`) {
		t.Error("the search does not stay in its field")
	}
}

func TestTheRecordIsReadNewestFirst(t *testing.T) {
	w := open(t)
	w.hub.town()
	c := w.signsIn("a-petit")
	first := c.get("/record")
	if strings.Count(first.text, "<li class=\"mark-") != recordPage || !strings.Contains(first.text, "j-okoro suspended slc-pd") {
		t.Fatalf("the first page: %d\n%s", first.status, first.text)
	}
	if !strings.Contains(first.text, "approved: Share the token key anew. It was carried") {
		t.Error("an approval does not say of which motion")
	}
	seen, next := map[string]bool{}, "/record"
	for next != "" {
		text := c.get(next).text
		for _, part := range strings.Split(text, `<span class="number">#`)[1:] {
			n, _, _ := strings.Cut(part, "<")
			if seen[n] {
				t.Fatalf("entry %s stands on two pages", n)
			}
			seen[n] = true
		}
		next = ""
		if i := strings.LastIndex(text, `">Further back</a>`); i >= 0 {
			next = strings.ReplaceAll(text[strings.LastIndex(text[:i], `href="`)+len(`href="`):i], "&amp;", "&")
		}
	}
	if want := int(w.hub.copied().RecordSize); len(seen) != want {
		t.Errorf("%d entries on all pages, want %d", len(seen), want)
	}
	found := c.get("/record?q=Toronto+Service").text
	if got := strings.Count(found, `<li class="mark-`); got != 2 {
		t.Errorf("a search finds %d, want the invitation and the application", got)
	}
	history := c.get("/agencies/toronto-ps/history").text
	if got := strings.Count(history, `<li class="mark-`); got != 3 || strings.Contains(history, "<html") {
		t.Errorf("an agency's history has %d entries:\n%s", got, history)
	}
}

func TestASearchStopsSomewhere(t *testing.T) {
	w := open(t)
	w.hub.mu.Lock()
	for n := range searchDepth + 2*recordChunk {
		w.hub.writes(&wire.RecordEntry{Of: &wire.RecordEntry_Notice{Notice: &wire.Notice{Text: fmt.Sprint("notice ", n)}}})
	}
	w.hub.mu.Unlock()
	c := w.signsIn("a-petit")
	got := c.get("/record?q=nothing-like-it").text
	if !strings.Contains(got, "Nothing in the 10,000 entries looked through.") || !strings.Contains(got, "before=1000") {
		t.Errorf("%s", between(got, `aria-label="Entries"`, "</main>"))
	}
	if got := c.get("/record?q=nothing-like-it&before=1000").text; !strings.Contains(got, "Nothing here.") {
		t.Error("the beginning is not reached")
	}
}

func TestTheRecordIsExported(t *testing.T) {
	w := open(t)
	w.hub.town()
	c := w.signsIn("a-petit")
	got := c.get("/record/export")
	if want := int(w.hub.copied().RecordSize); strings.Count(got.text, "\n") != want || !strings.Contains(got.header.Get("Content-Disposition"), `filename="record-2026-11-24.jsonl"`) {
		t.Errorf("%d lines (%s)", strings.Count(got.text, "\n"), got.header.Get("Content-Disposition"))
	}
	w.hub.mu.Lock()
	w.hub.failExport = true
	w.hub.mu.Unlock()
	if response, err := c.http.Get(w.url + "/record/export"); err == nil {
		buffer := make([]byte, 1<<20)
		for err == nil {
			_, err = response.Body.Read(buffer)
		}
		if err.Error() == "EOF" {
			t.Error("an export that broke off looks whole")
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	w.hub.mu.Lock()
	w.hub.silent = true
	w.hub.mu.Unlock()
	if got := c.get("/record/export"); got.status != http.StatusServiceUnavailable || got.header.Get("Content-Disposition") != "" {
		t.Errorf("an export that could not begin: %d", got.status)
	}
}

func TestAJurisdictionIsACountryAndAPartOfIt(t *testing.T) {
	for text, want := range map[string][2]string{
		"US-CO": {"US", "CO"}, "us-co": {"US", "CO"}, "NO": {"NO", ""}, "GB-LND": {"GB", "LND"}, "Europol": {"", "Europol"}, "": {"", ""}, "ZZ-1": {"", "ZZ-1"}, "US-Colorado": {"", "US-Colorado"},
	} {
		country, part := jurisdictionOf(text)
		if country != want[0] || part != want[1] {
			t.Errorf("%q is %q and %q, want %q", text, country, part, want)
		}
	}
	if got := countryName("DE"); got != "Germany" {
		t.Errorf("DE is %q", got)
	}
}

func TestACeremonySaysWhomItWaitsFor(t *testing.T) {
	w := open(t)
	w.hub.edit(func(s *centre.Status) {
		s.Ceremony = &wire.CeremonyStatus{Number: 9, Kind: 1, Phase: "judging", Expected: []uint32{2, 4}}
	})
	text := w.signsIn("a-petit").get("/servers").text
	for _, want := range []string{"A new key", "Step 3 of 7", "Waits for milan and dublin."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
