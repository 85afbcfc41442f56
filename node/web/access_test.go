package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

func TestAnotherOfficersCaseIsNotFound(t *testing.T) {
	w := open(t)
	w.officer("j.lee", casefile.Investigator)
	c := w.opens("j.lee", "BPD-7", "A title that is not for everybody")
	id := w.raises(c, "boulder-so", 1, identifier.Email, "someone@example.org", token.H1)
	b := w.signsIn("m.okafor")

	missing := b.get("/cases/999")
	if missing.status != http.StatusNotFound {
		t.Fatalf("a case that does not exist: %d, want 404", missing.status)
	}
	for _, path := range []string{"/cases/1", "/cases/1/check?draft=" + strings.Repeat("0", 32), "/cases/1/alerts", "/alerts/" + id.String(), "/cases/x", "/alerts/x", "/nowhere"} {
		got := b.get(path)
		if got.status != http.StatusNotFound || got.body != missing.body {
			t.Errorf("GET %s: %d, want the page for what does not exist", path, got.status)
		}
	}
	for _, path := range []string{"/cases/1/notes", "/cases/1/check", "/alerts/" + id.String() + "/seen"} {
		if got := b.post(path, url.Values{"note": {"x"}, "do": {"save"}, "draft": {strings.Repeat("0", 32)}}); got.status != http.StatusNotFound {
			t.Errorf("POST %s: %d, want 404", path, got.status)
		}
	}
	if got := b.hands("/cases/1/intake", "someone@example.org"); got.status != http.StatusNotFound {
		t.Errorf("intake into another's case: %d, want 404", got.status)
	}
	for _, path := range []string{"/cases", "/alerts"} {
		if got := b.get(path); strings.Contains(got.body, "BPD-7") {
			t.Errorf("%s shows another officer's case", path)
		}
	}
}

func TestAdministratorsSeeNoCases(t *testing.T) {
	w := open(t)
	w.officer("admin", casefile.Administrator)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("admin")

	if got := b.get("/"); got.path != "/network" {
		t.Errorf("an administrator starts at %s, want /network", got.path)
	}
	for _, path := range []string{"/cases", "/cases/new", "/cases/1", "/alerts"} {
		if got := b.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, got.status)
		}
	}
}

func TestWithoutASessionEveryPageLeadsToTheSignIn(t *testing.T) {
	b := open(t).visits()
	for _, path := range []string{"/", "/cases", "/cases/1", "/alerts", "/network", "/password", "/nowhere"} {
		if got := b.get(path); !strings.HasPrefix(got.path, "/sign-in") {
			t.Errorf("%s led to %s, want the sign-in", path, got.path)
		}
	}
	for _, path := range []string{"/cases", "/cases/1/notes", "/sign-out"} {
		if got := b.post(path, nil); !strings.HasPrefix(got.path, "/sign-in") {
			t.Errorf("POST %s led to %s, want the sign-in", path, got.path)
		}
	}
}

func TestAfterAnHourWithoutUseTheSignInLeadsBackToThePage(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	w.pass(61 * time.Minute)

	got := b.get("/cases/1")
	if got.path != "/sign-in?next=%2Fcases%2F1" {
		t.Fatalf("led to %s, want the sign-in with the way back", got.path)
	}
	got = b.post("/sign-in", url.Values{"name": {"m.okafor"}, "password": {password}, "next": {"/cases/1"}})
	if got.path != "/cases/1" || got.status != http.StatusOK {
		t.Errorf("after the sign-in: %d %s, want /cases/1", got.status, got.path)
	}
}

func TestTheSignInLeadsToNoOtherSite(t *testing.T) {
	got := open(t).visits().post("/sign-in", url.Values{"name": {"m.okafor"}, "password": {password}, "next": {"//elsewhere.example/"}})
	if got.path != "/cases" || got.status != http.StatusOK {
		t.Errorf("the sign-in led to %d %s, want the first page", got.status, got.path)
	}
}

func TestSigningOutEndsTheSession(t *testing.T) {
	w := open(t)
	b := w.signsIn("m.okafor")
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	stolen := b.http.Jar.Cookies(u)
	b.post("/sign-out", nil)

	thief := w.visits()
	thief.http.Jar.SetCookies(u, stolen)
	if got := thief.get("/cases"); !strings.HasPrefix(got.path, "/sign-in") {
		t.Errorf("the old cookie still opens %s", got.path)
	}
}

func TestANewSignInEndsTheSessionBefore(t *testing.T) {
	w := open(t)
	b := w.signsIn("m.okafor")
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	before := w.visits()
	before.http.Jar.SetCookies(u, b.http.Jar.Cookies(u))
	if got := before.get("/cases"); got.path != "/cases" {
		t.Fatalf("the session does not open /cases but %s", got.path)
	}
	if got := b.post("/sign-in", url.Values{"name": {"m.okafor"}, "password": {password}}); got.path != "/cases" {
		t.Fatalf("the second sign-in: %d %s", got.status, got.path)
	}
	if got := before.get("/cases"); !strings.HasPrefix(got.path, "/sign-in") {
		t.Errorf("the session before still opens %s", got.path)
	}
}

func TestAPasswordChangeSignsOutEverywhere(t *testing.T) {
	w := open(t)
	b, elsewhere := w.signsIn("m.okafor"), w.signsIn("m.okafor")
	const better = "tractor lemon orbit quiet"

	for problem, form := range map[string]url.Values{
		"differ":      {"old": {password}, "new": {better}, "repeat": {"another"}},
		"not right":   {"old": {"wrong"}, "new": {better}, "repeat": {better}},
		"at least 12": {"old": {password}, "new": {"short"}, "repeat": {"short"}},
	} {
		got := b.post("/password", form)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, problem) {
			t.Errorf("%v: %d, want a sentence with %q", form, got.status, problem)
		}
	}
	if got := b.post("/password", url.Values{"old": {password}, "new": {better}, "repeat": {better}}); got.path != "/sign-in" {
		t.Errorf("after the change: %s, want the sign-in", got.path)
	}
	if got := elsewhere.get("/cases"); !strings.HasPrefix(got.path, "/sign-in") {
		t.Errorf("another browser of the officer is still signed in: %s", got.path)
	}
	got := b.post("/sign-in", url.Values{"name": {"m.okafor"}, "password": {better}})
	if got.path != "/cases" {
		t.Errorf("sign in with the new password: %d %s", got.status, got.path)
	}
}
