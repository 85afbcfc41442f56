package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

const fiction = "This number is kept for films, books and training"

func TestCommonValuesAreWarnedOfBeforeTheyAreSaved(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	check := b.hands("/cases/1/intake", "", "tip.csv", "mail,phone,ip\nj.doe@school.example,+13035550142,8.8.8.8\n")
	says(t, check, "2 common values among them", fiction, "List: Numbers kept for drama.", "the address of a public DNS resolver",
		"Save without the 2 common values")
	if regexp.MustCompile(`name="leave"[^>]* checked`).MatchString(check.body) || strings.Count(check.body, "<strong>Common.</strong>") != 2 {
		t.Error("want a warning at two lines, and nothing ticked")
	}
	if got := b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(check)}); !strings.Contains(got.body, "3 identifiers saved.") {
		t.Error("what is warned of is not saved where the officer keeps it")
	}
}

func TestCommonValuesAreLeftOutByOneButton(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	check := b.hands("/cases/1/intake", "", "tip.csv", "mail,phone,ip\nj.doe@school.example,+13035550142,8.8.8.8\nkid@school.example,,\n")
	left := regexp.MustCompile(`name="leave" value="([0-9a-f]+:0)"`).FindStringSubmatch(check.body)
	if left == nil {
		t.Fatal("the first line cannot be left out")
	}
	got := b.post("/cases/1/check", url.Values{"do": {"save-rare"}, "draft": drafts(check), "leave": {left[1]}})
	if !strings.Contains(got.body, "1 identifier saved.") || !strings.Contains(got.body, "kid@school.example") || strings.Contains(got.body, "8.8.8.8") {
		t.Errorf("saved is not the one line that is neither common nor ticked")
	}
}

func TestAPageWithoutCommonValuesSaysNothingOfThem(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	page := w.signsIn("m.okafor").hands("/cases/1/intake", "j.doe@school.example")
	says(t, page, "j.doe@school.example")
	lacks(t, page, "ommon value", "save-rare")
}

// muted is a world with a case that holds a value, a supervisor, and an alert
// on it.
func muted(t *testing.T) (w *world, officer, supervisor *client) {
	w = open(t)
	w.officer("s.lindqvist", casefile.Supervisor)
	c := w.opens("m.okafor", "DPD-1", "Tip from a school")
	officer, supervisor = w.signsIn("m.okafor"), w.signsIn("s.lindqvist")
	check := officer.hands("/cases/1/intake", "everybody@school.example")
	officer.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(check)})
	w.raises(c, "boulder-so", 1, identifier.Email, "everybody@school.example", token.H1)
	return w, officer, supervisor
}

func TestASupervisorMutesAValueAndLiftsThat(t *testing.T) {
	_, officer, supervisor := muted(t)
	const waits = `data-unseen="1"`
	if got := officer.get("/cases/1").body; !strings.Contains(got, waits) || !strings.Contains(got, `href="/values/1"`) {
		t.Error("before, the case's page lacks the count or the way to the value")
	}
	if got := officer.post("/values/1/mute", url.Values{"reason": {"No."}}); got.status != http.StatusUnprocessableEntity ||
		!strings.Contains(got.body, "Only a supervisor decides what is muted.") {
		t.Errorf("an officer mutes: %d", got.status)
	}
	if got := supervisor.post("/values/1/mute", url.Values{"reason": {" "}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("muted without a reason: %d", got.status)
	}
	got := supervisor.post("/values/1/mute", url.Values{"reason": {"The school’s own mailbox."}})
	says(t, got, "Muted in this agency", "It raises no alert from now on", "The school’s own mailbox.", "s.lindqvist", strings.Repeat("0f", 16))
	alert := regexp.MustCompile(`href="(/alerts/[0-9a-f]+)"`).FindStringSubmatch(officer.get("/alerts").body)
	if alert == nil {
		t.Fatal("the alert is in no list")
	}
	for path, want := range map[string]string{
		"/cases/1": "<strong>Muted:</strong> The school’s own mailbox.", "/common": "The school’s own mailbox.",
		"/alerts": "Muted, so it counts no more", "/values/1": "A supervisor decides what is muted.",
		alert[1]: `class="alert-head seen"`,
	} {
		page := officer.get(path)
		says(t, page, want)
		lacks(t, page, waits)
	}
	lacks(t, officer.get("/values/1"), strings.Repeat("0f", 16)) // the tag
	says(t, supervisor.post("/values/1/unmute", url.Values{"reason": {"It was hers alone."}}), "Not muted", "It was hers alone.")
	if got := officer.get("/cases/1").body; !strings.Contains(got, waits) || strings.Contains(got, "<strong>Muted:</strong>") {
		t.Error("after the mute was lifted the alert does not count again")
	}
}

func TestNoMatchSaysWhatIsMuted(t *testing.T) {
	w := open(t)
	w.officer("s.lindqvist", casefile.Supervisor)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	check := b.hands("/cases/1/intake", "everybody@school.example and kid@school.example")
	b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(check)})
	const said = "1 identifier of this case is muted and would raise no alert."
	lacks(t, b.get("/cases/1"), said)
	w.signsIn("s.lindqvist").post("/values/1/mute", url.Values{"reason": {"The school’s own mailbox."}})
	says(t, b.get("/cases/1"), "No match so far", said)
}

func TestAValueIsForThoseWhoWorkACaseThatHoldsIt(t *testing.T) {
	w, _, supervisor := muted(t)
	supervisor.post("/values/1/mute", url.Values{"reason": {"The school’s own mailbox."}})
	w.officer("j.lee", casefile.Investigator)
	w.officer("a.admin", casefile.Administrator)
	for _, name := range []casefile.OfficerName{"j.lee", "a.admin"} {
		b := w.signsIn(name)
		for _, path := range []string{"/values/1", "/values/99", "/values/x"} {
			if got := b.get(path); got.status != http.StatusNotFound || strings.Contains(got.body, "everybody@") {
				t.Errorf("%s reads %s: %d", name, path, got.status)
			}
		}
		if got := b.post("/values/1/unmute", url.Values{"reason": {"No."}}); got.status != http.StatusNotFound {
			t.Errorf("%s lifts a mute: %d", name, got.status)
		}
		got := b.get("/common")
		if got.status != http.StatusOK || strings.Contains(got.body, "everybody@") || !strings.Contains(got.body, "Providers of throw-away mail") {
			t.Errorf("%s reads the common values: %d", name, got.status)
		}
	}
}

func TestACommonValueIsOneCardAndOnePage(t *testing.T) {
	w := open(t)
	w.officer("s.lindqvist", casefile.Supervisor)
	c := w.opens("m.okafor", "DPD-1", "Tip from a school")
	b := w.signsIn("m.okafor")
	check := b.hands("/cases/1/intake", "everybody@school.example")
	b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(check)})
	w.network.directory.Agencies = nil
	for n := range 40 {
		a := directory.Agency{ID: directory.AgencyID(fmt.Sprintf("agency-%02d", n/2)), Name: fmt.Sprintf("Agency %02d", n/2), Contact: fmt.Sprintf("Desk %02d", n/2)}
		w.network.directory.Agencies = append(w.network.directory.Agencies, a)
		w.raises(c, a.ID, byte(n), identifier.Email, "everybody@school.example", token.H1)
	}
	inbox := b.get("/alerts").body
	if got := strings.Count(inbox, `<li class="alert-card`); got != 21 {
		t.Errorf("the inbox has %d cards, want 20 alerts and a summary", got)
	}
	title := "DPD-1 holds a value that is in 40 cases of 20 other agencies"
	if !strings.Contains(inbox, title) || !strings.Contains(b.get("/cases/1").body, title) {
		t.Error("the summary says nothing of what it is in the inbox or at the case")
	}
	path := "/alerts/" + w.summaryOf(c).String()
	page := b.get(path).body
	for n := range 20 {
		if !strings.Contains(page, fmt.Sprintf("<strong>Agency %02d</strong>", n)) || !strings.Contains(page, fmt.Sprintf("Call Desk %02d", n)) {
			t.Errorf("the summary does not say how to call agency %d", n)
		}
	}
	if strings.Contains(page, "/values/1/mute") || !strings.Contains(page, "ask a supervisor to mute it") {
		t.Error("the page offers an officer to mute")
	}
	supervisor := w.signsIn("s.lindqvist")
	if got := supervisor.get(path).body; !strings.Contains(got, `action="/values/1/mute"`) {
		t.Error("the page does not offer a supervisor to mute")
	}
	supervisor.post("/values/1/mute", url.Values{"reason": {"A newsletter."}})
	says(t, b.get(path), "The value is muted, so this counts no more.", `data-unseen="0"`)
	says(t, b.post(path+"/seen", nil), "Seen by m.okafor")
}

func TestASummaryIsPushedWhenItIsNewAndNotForEachCase(t *testing.T) {
	w := open(t)
	c := w.opens("m.okafor", "DPD-1", "")
	for n := range 20 {
		w.raises(c, "boulder-so", byte(n), identifier.Email, "everybody@school.example", token.H1)
	}
	stream := w.signsIn("m.okafor").listens("/events")
	stream.next("count")
	for n := range 11 {
		w.raises(c, "boulder-so", byte(20+n), identifier.Email, "everybody@school.example", token.H1)
	}
	w.raises(c, "boulder-so", 1, identifier.Email, "another@school.example", token.H1)
	for _, want := range []string{"in 21 cases of 1 other agency", "meets a case of Boulder County Sheriff"} {
		if e := stream.next("notice"); !strings.Contains(e.data, want) {
			t.Errorf("the next notice is %s, want %q", e.data, want)
		}
	}
}
