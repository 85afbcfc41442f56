package console

import (
	"net/http"
	"strings"
	"testing"

	"interlock/protocol/directory"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

func TestTwoOperatorsAdmitAnAgency(t *testing.T) {
	w := open(t)
	a := w.hub.applies("garda-nccu", "Garda National Cyber Crime Bureau", "IE")
	first, second := w.signsIn("m-lindqvist"), w.signsIn("j-okoro")
	page := first.get(applicationPath(a))
	for _, want := range []string{a.Fingerprint(), a.Agency.Key.Hex(), "duty desk, &#43;1 555 0142", a.Agency.Addresses[0], "nobody yet", "Yours is the first approval"} {
		if !strings.Contains(page.text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if got := first.post(applicationPath(a) + "/approve"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text, "Tick that you compared the fingerprint.") {
		t.Errorf("without the tick: %d", got.status)
	}
	if got := first.post(applicationPath(a)+"/approve", "read", "yes"); !strings.Contains(got.text, "Your approval is taken.") || !strings.Contains(got.text, "You have approved") {
		t.Errorf("the first approval: %d\n%s", got.status, got.text)
	}
	if got := first.post(applicationPath(a)+"/approve", "read", "yes"); !strings.Contains(got.text, "The registry refused: "+registry.ErrSameOperator.Error()+".") {
		t.Errorf("the same operator once more: %d", got.status)
	}
	if got := second.get("/"); !strings.Contains(got.text, "Approved by m-lindqvist; one more is needed.") {
		t.Error("the second operator is not told who has approved")
	}
	if got := second.post(applicationPath(a)+"/approve", "read", "yes"); got.path != "/agencies/garda-nccu" || !strings.Contains(got.text, "The agency is admitted") {
		t.Errorf("the second approval: %d at %s", got.status, got.path)
	}
	if got := first.post(applicationPath(a)+"/refuse", "reason", "late"); got.status != http.StatusNotFound {
		t.Errorf("a decision that came late: %d", got.status)
	}
}

func TestARefusalNeedsAReasonAndKeepsWhatWasTyped(t *testing.T) {
	w := open(t)
	a := w.hub.applies("garda-nccu", "Garda", "IE")
	c := w.signsIn("k-haddad")
	long := strings.Repeat("because ", 30)
	got := c.post(applicationPath(a)+"/refuse", "reason", long)
	if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text, "The reason is too long.") || !strings.Contains(got.text, strings.TrimSpace(long)) {
		t.Errorf("%d\n%s", got.status, got.text)
	}
	if got := c.do(htmx(c.form(applicationPath(a)+"/refuse", "reason", " "))); strings.Contains(got.text, "<html") || !strings.Contains(got.text, "Write a reason.") {
		t.Errorf("by script: %s", got.text)
	}
	if got := c.post(applicationPath(a)+"/refuse", "reason", "the telephone number is not theirs"); got.path != "/applications" {
		t.Errorf("with a reason: %d at %s", got.status, got.path)
	}
}

func TestAnAgencyIsSuspendedByOneAndClearedByOne(t *testing.T) {
	w := open(t)
	w.hub.admits("phoenix-pd", "Phoenix Police", "US-AZ")
	w.hub.edit(func(s *centre.Status) { s.Activity["phoenix-pd"].Flagged = true })
	c := w.signsIn("k-haddad")
	if got := c.get("/"); !strings.Contains(got.text, "Phoenix Police asks for far more tokens than usual") {
		t.Error("unusual demand does not need a person")
	}
	if got := c.post("/agencies/phoenix-pd/clear", "reason", "an old archive is imported"); !strings.Contains(got.text, "The throttle is off") {
		t.Errorf("clear: %d", got.status)
	}
	if got := c.post("/agencies/phoenix-pd/clear", "reason", "again"); !strings.Contains(got.text, registry.ErrNoChange.Error()) {
		t.Errorf("clear once more: %d", got.status)
	}
	got := c.post("/agencies/phoenix-pd/suspend", "reason", "keys stolen")
	if !strings.Contains(got.text, "Suspended by k-haddad:") || strings.Contains(got.text, "Suspend at once") {
		t.Errorf("suspend: %d\n%s", got.status, got.text)
	}
}

func TestOnePutsAMotionAndAnotherCarriesIt(t *testing.T) {
	w := open(t)
	w.hub.admits("denver-pd", "Denver", "US-CO")
	first, second := w.signsIn("m-lindqvist"), w.signsIn("j-okoro")
	base := between(first.get("/motions/new/policy").text, `name="base" value="`, `"`)
	form := []string{"base", base, "daily", "150,000", "quotas", "denver-pd: 400 000\n", "retention", "730", "groups", "rockies: denver-pd", "refresh", "30", "reason", "the steering group decided"}
	if got := first.post("/motions/new/policy", form...); got.path != "/motions" || !strings.Contains(got.text, "The motion is put.") {
		t.Fatalf("put: %d at %s\n%s", got.status, got.path, got.text)
	}
	m := w.hub.copied().Motions[0]
	if got := first.get(motionPath(m)); strings.Contains(got.text, "Approve and carry out") || !strings.Contains(got.text, "Withdraw the motion") {
		t.Error("who put a motion is offered to approve it")
	}
	page := second.get(motionPath(m)).text
	for _, want := range []string{"200,000", "150,000", "no limit", "730 days", "Group rockies", "Own quota of denver-pd", "400,000 a day", "the steering group decided", "A forked feed suspends its author at once"} {
		if !strings.Contains(page, want) {
			t.Errorf("the motion's page does not say %q", want)
		}
	}
	if got := first.post(motionPath(m) + "/approve"); !strings.Contains(got.text, registry.ErrSameOperator.Error()) {
		t.Errorf("one operator alone: %d", got.status)
	}
	if got := second.post(motionPath(m) + "/approve"); !strings.Contains(got.text, "The motion is carried.") {
		t.Errorf("the second: %d", got.status)
	}
	want := directory.Policy{Daily: 150_000, Retention: 730, Refresh: 30, Quotas: []directory.Quota{{Agency: "denver-pd", Daily: 400_000}}, Groups: []directory.Group{{Name: "rockies", Agencies: []directory.AgencyID{"denver-pd"}}}}
	if got := w.hub.copied().Policy; len(policyDiff(got, want)) != 0 {
		t.Errorf("the policy is %+v", got)
	}
	if got := first.post("/motions/new/policy", form...); !strings.Contains(got.text, "The policy was changed since you opened this form.") || !strings.Contains(got.text, "400 000") {
		t.Errorf("a form from before: %d", got.status)
	}
	again := between(first.get("/motions/new/policy").text, `name="base" value="`, `"`)
	if again == base {
		t.Error("two policies have one mark")
	}
}

func TestWhoPutAMotionMayWithdrawIt(t *testing.T) {
	w := open(t)
	c := w.signsIn("m-lindqvist")
	c.post("/motions/new/reshare", "threshold", "4", "reason", "one more")
	m := w.hub.copied().Motions[0]
	if got := c.post(motionPath(m)+"/refuse", "reason", "a mistake"); !strings.Contains(got.text, "The motion is withdrawn.") {
		t.Errorf("%d\n%s", got.status, got.text)
	}
}

func TestRolesAreNotOfferedWhatTheyMayNot(t *testing.T) {
	w := open(t)
	w.hub.town()
	a := w.hub.copied().Pending[0]
	w.signsIn("m-lindqvist").post("/motions/new/reshare", "reason", "to be safe")
	m := w.hub.copied().Motions[0]
	audit, admission := w.signsIn("a-petit"), w.signsIn("k-haddad")
	for _, path := range []string{"/", applicationPath(a), "/agencies/phoenix-pd", "/motions", "/motions/new", motionPath(m), "/invitations", "/servers"} {
		text := audit.get(path).text
		for _, not := range []string{"<textarea", `name="reason"`, `href="/motions/new"`, "/motions/new/"} {
			if strings.Contains(text, not) {
				t.Errorf("an auditor is offered %s at %s", not, path)
			}
		}
	}
	for path, want := range map[string]bool{"/motions/new/agency-remove": true, "/motions/new/policy": false, "/motions/new/operator-add": false} {
		if got := admission.get(path); (got.status == http.StatusOK) != want {
			t.Errorf("admission at %s: %d", path, got.status)
		}
	}
	for path, form := range map[string][]string{
		"/agencies/phoenix-pd/suspend": {"reason", "x"}, applicationPath(a) + "/approve": {"read", "yes"}, "/invitations": {"label", "x", "days", "3"},
		"/motions/new/new-epoch": {"reason", "x"}, motionPath(m) + "/approve": {},
	} {
		if got := audit.post(path, form...); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text, "The registry refused: this operator&#39;s roles do not allow it") {
			t.Errorf("%s by an auditor: %d", path, got.status)
		}
	}
}

func TestAnInvitationIsShownToItsMakerForAWhile(t *testing.T) {
	w := open(t)
	c, other := w.signsIn("m-lindqvist"), w.signsIn("j-okoro")
	for _, form := range [][]string{{"label", "", "days", "3"}, {"label", "Politie", "days", "91"}, {"label", "Politie", "days", "soon"}, {"label", "Politie", "days", "0"}} {
		if got := c.post("/invitations", form...); got.status != http.StatusUnprocessableEntity || form[1] != "" && !strings.Contains(got.text, `value="Politie"`) {
			t.Errorf("%v: %d", form, got.status)
		}
	}
	got := c.post("/invitations", "label", "Politie", "days", "14")
	text := between(got.text, `readonly spellcheck="false" aria-labelledby="text">`, "<")
	if !strings.HasPrefix(text, "INTERLOCK1-") || !strings.Contains(got.text, "8 Dec 2026") {
		t.Fatalf("%d at %s: %q", got.status, got.path, text)
	}
	if picture := c.get(got.path + "/code.png"); !strings.HasPrefix(picture.text, "\x89PNG") {
		t.Error("there is no picture")
	}
	if list := other.get("/invitations").text; !strings.Contains(list, "Politie") || strings.Contains(list, text) {
		t.Error("the list tells a secret, or not that the invitation is open")
	}
	if theirs := other.get(got.path); strings.Contains(theirs.text, text) {
		t.Error("another operator can see it")
	}
	if done := c.post(got.path + "/done"); !strings.Contains(done.text, "no longer shown here") {
		t.Errorf("done: %d", done.status)
	}
	if again := c.get(got.path); again.status != http.StatusUnprocessableEntity || strings.Contains(again.text, text) {
		t.Errorf("after it was handed over: %d", again.status)
	}
	late := c.post("/invitations", "label", "Politie", "days", "14")
	w.pass(handoverTime - 1)
	c.get("/")
	w.pass(1)
	if again := c.get(late.path); again.status == http.StatusOK {
		t.Error("it is shown for longer")
	}
}
