package console

import (
	"bufio"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"interlock/protocol/wire"
	"interlock/replication/centre"
)

func TestACrossOriginFormIsRefused(t *testing.T) {
	w := open(t)
	c := w.signsIn("m-lindqvist")
	for name, header := range map[string][2]string{
		"another site": {"Sec-Fetch-Site", "cross-site"}, "another subdomain": {"Sec-Fetch-Site", "same-site"}, "an old browser": {"Origin", "https://evil.example"},
	} {
		for _, path := range []string{"/motions/new/new-epoch", "/sign-out", "/sign-in", "/enrol", "/invitations"} {
			r := c.form(path, "reason", "x", "label", "x", "days", "3")
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set(header[0], header[1])
			if got := c.do(r); got.status != http.StatusForbidden || !strings.Contains(got.text, "This form came from another site") {
				t.Errorf("%s at %s: %d", name, path, got.status)
			}
		}
	}
	if s := w.hub.copied(); len(s.Motions)+len(s.Invitations) != 0 || len(w.c.sessions.list()) != 1 {
		t.Error("something was done all the same")
	}
}

func TestNobodySeesAnythingBeforeTheSignIn(t *testing.T) {
	w := open(t)
	w.hub.town()
	asked := w.hub.asked
	for _, path := range every(w) {
		if got := w.client().get(path); !strings.HasPrefix(got.path, "/sign-in") {
			t.Errorf("%s: %d at %s", path, got.status, got.path)
		}
	}
	for _, path := range []string{"/agencies/denver-pd/suspend", "/motions/new/new-epoch", "/invitations"} {
		if got := w.client().post(path, "reason", "x"); !strings.HasPrefix(got.path, "/sign-in") {
			t.Errorf("%s: %d at %s", path, got.status, got.path)
		}
	}
	if w.hub.asked != asked {
		t.Error("the registry was asked for nobody")
	}
}

// every is the address of every page with something on it.
func every(w *world) []string {
	s := w.hub.copied()
	list := []string{"/", "/applications", "/agencies", "/agencies?q=pd&show=behind", "/agencies/slc-pd", "/agencies/phoenix-pd/history", "/motions", "/motions/new",
		"/invitations", "/network", "/servers", "/record", "/record?q=approved+denver&before=90", "/nowhere"}
	for _, a := range s.Pending {
		list = append(list, applicationPath(a))
	}
	for _, m := range s.Motions {
		list = append(list, motionPath(m))
	}
	for _, a := range s.Agencies {
		list = append(list, agencyPath(a.Agency.ID))
	}
	for _, k := range kinds() {
		list = append(list, "/motions/new/"+k.Slug)
	}
	return list
}

func TestHostileWordsAreShownAsWords(t *testing.T) {
	w := open(t)
	w.hub.town()
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	w.hub.edit(func(s *centre.Status) {
		for i := range s.Agencies {
			a := &s.Agencies[i]
			a.Agency.Name, a.Agency.Jurisdiction, a.Agency.Contact, a.Reason, a.By = evil, evil, evil, evil, evil
			a.Agency.Addresses = []string{evil}
			s.Activity[a.Agency.ID].Software = evil
		}
		for i := range s.Pending {
			s.Pending[i].Agency.Name, s.Pending[i].Agency.Contact, s.Pending[i].Approvals = evil, evil, []string{evil}
		}
		for _, n := range s.Notices {
			n.Text = evil
		}
		for _, v := range s.Invitations {
			v.Label = evil
		}
		for i := range s.Servers {
			s.Servers[i].Name, s.Servers[i].Addresses = evil, []string{evil}
		}
		s.Leader, s.Asked = evil, evil
		s.Motions = append(s.Motions, centre.Motion{Number: 9, By: evil, Reason: evil, What: &wire.Motion{Of: &wire.Motion_Operator{Operator: &wire.OperatorChange{Operator: &wire.Operator{Name: evil}}}}})
	})
	w.hub.mu.Lock()
	w.hub.writes(&wire.RecordEntry{Of: &wire.RecordEntry_Application{Application: &wire.Application{Id: evil, Name: evil, Contact: "\u202egnp"}}})
	w.hub.writes(&wire.RecordEntry{Of: &wire.RecordEntry_Decision{Decision: &wire.Decision{Verb: 99, Reason: evil}}})
	w.hub.mu.Unlock()
	c := w.signsIn("m-lindqvist")
	shown := false
	for _, path := range every(w) {
		got := c.get(path)
		if strings.Contains(got.text, "<script>alert") || strings.Contains(got.text, "<img src=x") || strings.Contains(got.text, `onerror=alert(2)>`) || strings.Contains(got.text, "\u202e") {
			t.Errorf("%s runs what an agency wrote", path)
		}
		if got.status >= http.StatusInternalServerError {
			t.Errorf("%s: %d", path, got.status)
		}
		shown = shown || strings.Contains(got.text, "&lt;script&gt;alert(1)")
	}
	if !shown {
		t.Error("the words are shown nowhere, so the test proves nothing")
	}
	if got := c.get("/agencies?q=" + "%22%3E%3Cscript%3E"); strings.Contains(got.text, `"><script>`) {
		t.Error("a search is repeated as it is")
	}
}

var outside = regexp.MustCompile(`(?i)(?:src|href|action|hx-[a-z]+|sse-connect)="(?:[a-z]+:)?//|<style|<script>|style="| on[a-z]+="`)

func TestPagesKeepToThemselves(t *testing.T) {
	w := open(t)
	w.hub.town()
	c := w.signsIn("m-lindqvist")
	for _, path := range append(every(w), "/sign-in") {
		got := c.get(path)
		if found := outside.FindString(got.text); found != "" {
			t.Errorf("%s has %q", path, found)
		}
		policy := got.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: policy %q, cache %q", path, policy, got.header.Get("Cache-Control"))
		}
	}
}

func TestNoSecretReachesAPageOrTheLog(t *testing.T) {
	w := open(t)
	w.hub.town()
	c := w.signsIn("m-lindqvist")
	keys := w.keys("m-lindqvist")
	f, err := w.c.ring.factor("m-lindqvist", keys)
	if err != nil {
		t.Fatal(err)
	}
	c.post("/sign-in", "name", "m-lindqvist", "passphrase", passphrase+"x", "code", "123456")
	made := c.post("/invitations", "label", "Politie", "days", "14")
	invitation := between(made.text, `spellcheck="false" aria-labelledby="text">`, "<")
	if !strings.HasPrefix(invitation, "INTERLOCK1-") {
		t.Fatalf("the invitation is %q", invitation)
	}
	w.hub.mu.Lock()
	w.hub.silent = true
	w.hub.mu.Unlock()
	c.post("/motions/new/new-epoch", "reason", "a reason that is nobody's business")
	w.hub.mu.Lock()
	w.hub.silent = false
	w.hub.mu.Unlock()
	log := func() string { return w.log.String() }
	for name, secret := range map[string]string{
		"the passphrase": passphrase, "the second factor": f.secret, "the age key": "AGE-SECRET-KEY", "the invitation": invitation,
	} {
		for _, path := range every(w) {
			if strings.Contains(c.get(path).text, secret) {
				t.Errorf("%s is at %s", name, path)
			}
		}
		if strings.Contains(log(), secret) {
			t.Errorf("%s is in the log", name)
		}
	}
	for _, name := range []string{"lindqvist", "nobody's business", "denver", "Politie"} {
		if strings.Contains(log(), name) {
			t.Errorf("%q is in the log: %s", name, log())
		}
	}
	if !strings.Contains(log(), "registry does not answer") {
		t.Errorf("the log does not tell what failed: %s", log())
	}
}

func TestASilentRegistryIsSaidToBeSilent(t *testing.T) {
	w := open(t)
	w.hub.town()
	c := w.signsIn("m-lindqvist")
	w.hub.mu.Lock()
	w.hub.silent = true
	w.hub.mu.Unlock()
	if got := c.get("/agencies"); got.status != http.StatusOK || !strings.Contains(got.text, "The registry does not answer.") || !strings.Contains(got.text, "Denver Police") {
		t.Errorf("what was known is not shown, or as if it were new: %d", got.status)
	}
	got := c.post("/motions/new/reshare", "threshold", "4", "reason", "what I typed")
	if got.status != http.StatusServiceUnavailable || !strings.Contains(got.text, "It may have been taken all the same") || !strings.Contains(got.text, "what I typed") {
		t.Errorf("a decision that nobody answered: %d", got.status)
	}
	fresh := w.signsInWhileSilent("j-okoro")
	if got := fresh.get("/"); got.status != http.StatusServiceUnavailable || !strings.Contains(got.text, "No registry server answered.") || !strings.Contains(got.text, "Sign out") {
		t.Errorf("where nothing is known: %d", got.status)
	}
}

// signsInWhileSilent is somebody who signs in and sees nothing yet.
func (w *world) signsInWhileSilent(name string) *client {
	w.t.Helper()
	w.enrols(name)
	c := w.client()
	c.post("/sign-in", "name", name, "passphrase", passphrase, "code", w.code(name))
	return c
}

func TestWhoIsNoOperatorOfTheNetworkIsTold(t *testing.T) {
	w := open(t)
	w.founds("stranger")
	c := w.signsIn("stranger")
	if got := c.get("/"); !strings.Contains(got.text, "no operator of this network") {
		t.Error("a stranger is not told")
	}
}

func TestAnOpenPageHearsWhatChanged(t *testing.T) {
	w := open(t)
	w.hub.town()
	c := w.signsIn("m-lindqvist")
	seen := between(c.get("/agencies").text, "/events?seen=", `"`)
	response, err := c.http.Get(w.url + "/events?seen=" + seen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}()
	lines := bufio.NewScanner(response.Body)
	next := func(want string) string {
		t.Helper()
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), want) {
				return lines.Text()
			}
			if strings.HasPrefix(lines.Text(), "event:") {
				t.Fatalf("the stream says %q, want %q", lines.Text(), want)
			}
		}
		t.Fatalf("the stream ended before %q: %v", want, lines.Err())
		return ""
	}
	next("retry:")
	w.hub.applies("polisen-se", "Polismyndigheten", "SE")
	next("event: applications")
	if got := next("data:"); !strings.Contains(got, ">3<") {
		t.Errorf("the count is %q", got)
	}
	next("event: motions")
	next("event: changed")
	w.pass(sessionIdle)
	w.c.sweep()
	next("event: over")
}

func TestWhatPagesDoNotShowChangesNothing(t *testing.T) {
	w := open(t)
	w.hub.town()
	before := digest(w.hub.copied(), false, w.clock())
	w.hub.mu.Lock()
	w.hub.status.Applied += 10
	w.hub.status.Asked = "vienna"
	w.hub.mu.Unlock()
	if digest(w.hub.copied(), false, w.clock()) != before {
		t.Error("a log that grew makes every page fetch itself again")
	}
	for name, edit := range map[string]func(*centre.Status){
		"an agency that fell silent": func(s *centre.Status) { s.Activity["denver-pd"].Seen -= 7200 },
		"a server that went away":    func(s *centre.Status) { s.Health[1].Reachable = false },
		"a throttle":                 func(s *centre.Status) { s.Activity["denver-pd"].Flagged = true },
		"a ceremony":                 func(s *centre.Status) { s.Ceremony = &wire.CeremonyStatus{Phase: "dealing"} },
		"a leader":                   func(s *centre.Status) { s.Leader = "vienna" },
	} {
		now := digest(w.hub.copied(), false, w.clock())
		w.hub.mu.Lock()
		edit(&w.hub.status)
		w.hub.mu.Unlock()
		if digest(w.hub.copied(), false, w.clock()) == now {
			t.Errorf("%s changes nothing", name)
		}
	}
}
