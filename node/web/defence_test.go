package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"interlock/node/web"
)

func TestACrossOriginPostIsRefused(t *testing.T) {
	w := open(t)
	b := w.signsIn("m.okafor")
	for name, header := range map[string]http.Header{
		"another site":         {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
		"another subdomain":    {"Sec-Fetch-Site": {"same-site"}},
		"an old browser":       {"Origin": {"https://evil.example"}},
		"another port":         {"Origin": {"http://127.0.0.1:1"}},
		"a frame without name": {"Origin": {"null"}},
	} {
		r := b.request("POST", "/cases", strings.NewReader("number=DPD-9"), "application/x-www-form-urlencoded")
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Del("Origin")
		for k, v := range header {
			r.Header[k] = v
		}
		got := b.do(r)
		if got.status != http.StatusForbidden || !strings.Contains(got.body, "came from another site") {
			t.Errorf("%s: %d, want a refusal in words", name, got.status)
		}
	}
	if got := b.get("/cases"); strings.Contains(got.body, "DPD-9") {
		t.Error("a refused form opened a case")
	}
}

func TestSignInIsRateLimitedByName(t *testing.T) {
	w := open(t)
	b := w.visits()
	try := func(name, pass string) shown {
		return b.post("/sign-in", url.Values{"name": {name}, "password": {pass}, "next": {"/cases"}})
	}
	var got shown
	tries := 0
	for ; got.status != http.StatusTooManyRequests && tries < 20; tries++ {
		got = try("m.okafor", "a wrong guess")
	}
	if tries != 11 {
		t.Errorf("%d tries until the limit, want 11", tries)
	}
	if !strings.Contains(got.body, "Try again in 20 seconds, at 11:14:21.") || got.header.Get("Retry-After") == "" {
		t.Errorf("the refusal does not say when to try again: %s", got.body)
	}
	if got := try(" M.Okafor ", password); got.status != http.StatusTooManyRequests {
		t.Errorf("the same name written differently: %d, want 429", got.status)
	}
	w.pass(21 * time.Second)
	if got := try("m.okafor", password); got.path != "/cases" {
		t.Errorf("after the wait: %d %s, want to be signed in", got.status, got.path)
	}
}

func TestTheSessionCookieIsForThisNodeAlone(t *testing.T) {
	w := open(t)
	r := httptest.NewRequest("POST", "/", nil)
	cookie := func(origin string) *http.Cookie {
		t.Helper()
		u, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		pages, err := web.New(web.Options{Desk: w.desk, Region: "US", Origin: u, Log: slog.New(slog.DiscardHandler), Clock: w.clock})
		if err != nil {
			t.Fatal(err)
		}
		r = httptest.NewRequest("POST", origin+"/sign-in", strings.NewReader(url.Values{"name": {"m.okafor"}, "password": {password}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		pages.ServeHTTP(answer, r)
		if len(answer.Result().Cookies()) != 1 {
			t.Fatalf("%s: %d cookies (status %d), want 1", origin, len(answer.Result().Cookies()), answer.Code)
		}
		if got := answer.Header().Get("Strict-Transport-Security") != ""; got != (u.Scheme == "https") {
			t.Errorf("%s: promises https for the future: %v", origin, got)
		}
		return answer.Result().Cookies()[0]
	}
	for _, row := range []struct {
		origin, name string
		secure       bool
	}{
		{"https://interlock.denver.example", "__Host-interlock", true},
		{"http://127.0.0.1:8441", "interlock-8441", false},
		{"http://[::1]:8442", "interlock-8442", false},
		{"http://localhost:8443", "interlock-8443", false},
	} {
		c := cookie(row.origin)
		if c.Name != row.name || c.Secure != row.secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s: cookie %+v", row.origin, c)
		}
	}
}

func TestAnOriginInTheClearIsRefused(t *testing.T) {
	for _, origin := range []string{
		"http://interlock.denver.example", "http://192.0.2.1:8080", "ftp://127.0.0.1", "https://", "interlock.example", "https://a.example/pages",
	} {
		u, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := web.New(web.Options{Origin: u}); err == nil {
			t.Errorf("pages at %s are served", origin)
		}
	}
	if _, err := web.New(web.Options{}); err == nil {
		t.Error("pages without an origin are served")
	}
}

func TestPagesCarryTheirPolicy(t *testing.T) {
	w := open(t)
	b := w.signsIn("m.okafor")
	for _, path := range []string{"/cases", "/nowhere", "/sign-in", "/network"} {
		h := b.get(path).header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy %q allows what is unsafe", path, policy)
		}
	}
}
