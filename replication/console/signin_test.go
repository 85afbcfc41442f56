package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

func TestWhatIsWrongAtTheSignInIsNotSaid(t *testing.T) {
	w := open(t)
	w.enrols("m-lindqvist")
	good := w.code("m-lindqvist")
	bad := "000000"
	if good == bad {
		bad = "111111"
	}
	var first string
	for name, form := range map[string][]string{
		"a name that nobody has": {"name", "nobody", "passphrase", passphrase, "code", good},
		"another passphrase":     {"name", "m-lindqvist", "passphrase", "guess", "code", good},
		"no passphrase":          {"name", "m-lindqvist", "passphrase", "", "code", good},
		"another code":           {"name", "m-lindqvist", "passphrase", passphrase, "code", bad},
		"no code":                {"name", "m-lindqvist", "passphrase", passphrase},
		"a path for a name":      {"name", "../m-lindqvist", "passphrase", passphrase, "code", good},
	} {
		got := w.client().post("/sign-in", form...)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text, "The name, the passphrase or the code is not right.") {
			t.Errorf("%s: %d\n%s", name, got.status, got.text)
		}
		problem := between(got.text, `role="alert"`, "</div>")
		if first == "" {
			first = problem
		}
		if problem != first {
			t.Errorf("%s is told from the others: %q", name, problem)
		}
	}
	if list := w.c.sessions.list(); len(list) != 0 {
		t.Errorf("%d sessions came of it", len(list))
	}
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

func TestACodeIsAcceptedOnce(t *testing.T) {
	w := open(t)
	w.enrols("m-lindqvist")
	form := []string{"name", "m-lindqvist", "passphrase", passphrase, "code", w.code("m-lindqvist")}
	if got := w.client().post("/sign-in", form...); got.path != "/" {
		t.Fatalf("the first time: %s", got.path)
	}
	if got := w.client().post("/sign-in", form...); got.status != http.StatusUnprocessableEntity {
		t.Errorf("the second time: %d", got.status)
	}
	w.pass(factorStep * time.Second)
	if got := w.client().post("/sign-in", "name", "m-lindqvist", "passphrase", passphrase, "code", w.code("m-lindqvist")); got.path != "/" {
		t.Errorf("with the next code: %d at %s", got.status, got.path)
	}
}

func TestATelephonesClockMayBeOneStepOff(t *testing.T) {
	f, err := newFactor()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 12, 0, 15, 0, time.UTC)
	for steps, want := range map[int]bool{-2: false, -1: true, 0: true, 1: true, 2: false} {
		code, err := totp.GenerateCode(f.secret, now.Add(time.Duration(steps)*factorStep*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if _, got := f.accept(code, now); got != want {
			t.Errorf("a code of %d steps from now: %v, want %v", steps, got, want)
		}
	}
	code, err := totp.GenerateCode(f.secret, now.Add(-factorStep*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	f.used = uint64(now.Unix()) / factorStep
	if _, ok := f.accept(code, now); ok {
		t.Error("a code from before the last one is accepted")
	}
}

func TestTheFirstSignInSetsUpTheSecondFactor(t *testing.T) {
	w := open(t)
	c := w.client()
	got := c.post("/sign-in", "name", "J-Okoro ", "passphrase", passphrase)
	if got.path != "/enrol" || !strings.Contains(got.text, "/enrol/code.png") {
		t.Fatalf("%d at %s", got.status, got.path)
	}
	if picture := c.get("/enrol/code.png"); picture.header.Get("Content-Type") != "image/png" || !strings.HasPrefix(picture.text, "\x89PNG") {
		t.Errorf("the picture is %s", picture.header.Get("Content-Type"))
	}
	f := factor{secret: strings.ReplaceAll(between(got.text, `<span class="value">`, "</span>"), " ", "")}
	if got := c.get("/"); got.path != "/sign-in" {
		t.Errorf("before the first code the overview is at %s", got.path)
	}
	if got := c.post("/enrol", "code", "12"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code: %d", got.status)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "j-okoro.totp")); err == nil {
		t.Error("a second factor is kept before it was proven")
	}
	if got := c.post("/enrol", "code", w.codeOf(f)); got.path != "/" {
		t.Errorf("with the code: %d at %s", got.status, got.path)
	}
	if got := w.client().post("/sign-in", "name", "j-okoro", "passphrase", passphrase, "code", w.codeOf(f)); got.status != http.StatusUnprocessableEntity {
		t.Errorf("the code of the enrolment is accepted again: %d", got.status)
	}
	sealed, err := os.ReadFile(filepath.Join(w.dir, "j-okoro.totp"))
	if err != nil || strings.Contains(string(sealed), f.secret) {
		t.Errorf("the second factor lies open (%v)", err)
	}
}

func TestAnEnrolmentEnds(t *testing.T) {
	w := open(t)
	late, wrong := w.client(), w.client()
	for _, c := range []*client{late, wrong} {
		if got := c.post("/sign-in", "name", "j-okoro", "passphrase", passphrase); got.path != "/enrol" {
			t.Fatalf("%d at %s", got.status, got.path)
		}
	}
	for range enrolTries {
		wrong.post("/enrol", "code", "1")
	}
	if got := wrong.get("/enrol"); got.path != "/sign-in" {
		t.Errorf("after %d wrong codes: %s", enrolTries, got.path)
	}
	w.pass(enrolTime)
	if got := late.get("/enrol"); got.path != "/sign-in" {
		t.Errorf("after %v: %s", enrolTime, got.path)
	}
}

func TestSignInIsRateLimited(t *testing.T) {
	w := open(t)
	for n := range triesByTrier {
		if got := w.client().post("/sign-in", "name", "nobody", "passphrase", "guess"); got.status != http.StatusUnprocessableEntity {
			t.Fatalf("try %d: %d", n, got.status)
		}
	}
	got := w.client().post("/sign-in", "name", "nobody", "passphrase", passphrase)
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.text, "Try again in") {
		t.Errorf("one more: %d", got.status)
	}
	g, noon := newGate(), w.clock()
	tries := 0
	for ; g.wait(newTrier("m-lindqvist", "192.0.2.1"), noon) == 0; tries++ {
	}
	if wait := g.wait(newTrier("m-lindqvist", "192.0.2.2"), noon); tries != triesByTrier || wait != 0 {
		t.Errorf("%d tries from one address, and then another waits %v", tries, wait)
	}
	if wait := g.wait(newTrier("m-lindqvist", "192.0.2.1"), noon.Add(trierRefill)); wait != 0 {
		t.Errorf("after the refill: %v", wait)
	}
}

func TestFewPassphrasesAreTriedAtOnce(t *testing.T) {
	w := open(t)
	for range openAtOnce {
		w.c.ring.slow <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, mostInLine+5)
	for range cap(left) {
		go func() {
			_, err := w.c.ring.open(ctx, "m-lindqvist", []byte("guess"))
			left <- err
		}()
	}
	for range 5 {
		if err := <-left; !errors.Is(err, errCrowd) {
			t.Errorf("beyond the line: %v", err)
		}
	}
	cancel()
	for range mostInLine {
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who stood in line and left: %v", err)
		}
	}
	if n := w.c.ring.line.Load(); n != 0 {
		t.Errorf("%d still stand in line", n)
	}
}

func TestAnIdleSessionEndsAndItsKeysAreErased(t *testing.T) {
	w := open(t)
	c := w.signsIn("m-lindqvist")
	keys := w.session("m-lindqvist").registry.(*way).keys
	w.pass(sessionIdle - time.Minute)
	c.get("/agencies")
	w.pass(sessionIdle - time.Minute)
	byItself := c.form("/agencies")
	byItself.Method, byItself.Body, byItself.ContentLength = http.MethodGet, nil, 0
	byItself.Header.Set("HX-Request", "true")
	byItself.Header.Set("HX-Target", "live")
	if got := c.do(byItself); got.status != http.StatusOK {
		t.Fatalf("a page in use: %d", got.status)
	}
	w.pass(time.Minute)
	w.c.sweep()
	if got := c.get("/agencies"); got.path != "/sign-in?next=%2Fagencies" {
		t.Errorf("a page that was only open kept its operator signed in: %s", got.path)
	}
	if w.hub.closed != 1 || strings.Trim(string(keys.Signing), "\x00") != "" {
		t.Error("the keys outlived the session")
	}
}

func TestNoSessionOutlivesTheDay(t *testing.T) {
	w := open(t)
	c := w.signsIn("m-lindqvist")
	for range sessionLife / (10 * time.Minute) {
		if got := c.get("/"); got.path != "/" {
			t.Fatalf("a session in use ended: %s", got.path)
		}
		w.pass(10 * time.Minute)
	}
	if got := c.get("/"); got.path != "/sign-in" {
		t.Errorf("after %v: %s", sessionLife, got.path)
	}
}

func TestSigningOutErasesTheKeys(t *testing.T) {
	w := open(t)
	c := w.signsIn("m-lindqvist")
	if got := c.post("/sign-out"); got.path != "/sign-in" {
		t.Fatalf("at %s", got.path)
	}
	if w.hub.closed != 1 || len(w.c.sessions.list()) != 0 {
		t.Error("the session lives on")
	}
	got := c.do(htmx(c.form("/applications/00/approve")))
	if got.status != http.StatusUnauthorized || !strings.Contains(got.text, "what you typed is still here") {
		t.Errorf("a form that was open: %d %s", got.status, got.text)
	}
}

// htmx makes a request one that a script sent.
func htmx(r *http.Request) *http.Request {
	r.Header.Set("HX-Request", "true")
	return r
}

func TestTheCookieStaysWhereItBelongs(t *testing.T) {
	for origin, want := range map[string]string{
		"https://centre.example.org": "__Host-interlock-console",
		"http://127.0.0.1:8443":      "interlock-console-8443",
		"http://centre.example.org":  "",
		"ftp://127.0.0.1":            "",
		"https://x.example.org/path": "",
	} {
		u, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		c, err := cookiesFor(u)
		if c.session != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", origin, c.session, err)
		}
		cookie := c.Cookie("x", "y")
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure != (u.Scheme == "https" && want != "") {
			t.Errorf("%s: %v", origin, cookie)
		}
	}
}

func FuzzAFactorHasOneForm(f *testing.F) {
	f.Add([]byte("interlock second factor v1\nJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n0\n"))
	f.Add([]byte("interlock second factor v1\nJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n059\n"))
	f.Add([]byte("interlock second factor v1\njbswy3dpehpk3pxpjbswy3dpehpk3pxp\n59\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseFactor(b)
		if err != nil {
			return
		}
		if string(got.encode()) != string(b) {
			t.Errorf("%q is read as %q", b, got.encode())
		}
	})
}
