package web_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

// event is one event of a stream, as a browser takes it apart.
type event struct{ name, data string }

// stream is a page's stream of events.
type stream struct {
	t      testing.TB
	events chan event // closed when the stream ends
	close  context.CancelFunc
}

// listens opens the stream of events at path.
func (c *client) listens(path string) *stream {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	c.t.Cleanup(cancel)
	r := c.request("GET", path, nil, "").WithContext(ctx)
	patient := &http.Client{Jar: c.http.Jar}
	res, err := patient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		c.t.Fatalf("%s: %d %s, want a stream of events", path, res.StatusCode, got)
	}
	s := &stream{c.t, make(chan event, 1000), cancel}
	go func() {
		defer close(s.events)
		defer res.Body.Close()
		var e event
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				e.name = value
			case "data":
				e.data += value + "\n"
			case "":
				if e.name != "" {
					s.events <- e
				}
				e = event{}
			}
		}
	}()
	return s
}

// next returns the stream's next event with this name.
func (s *stream) next(name string) event {
	s.t.Helper()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	for {
		select {
		case e, more := <-s.events:
			if !more {
				s.t.Fatalf("the stream ended before an event %q", name)
			}
			if e.name == name {
				return e
			}
		case <-late.C:
			s.t.Fatalf("no event %q came", name)
		}
	}
}

// ends waits for the end of the stream.
func (s *stream) ends() {
	s.t.Helper()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	for {
		select {
		case _, more := <-s.events:
			if !more {
				return
			}
		case <-late.C:
			s.t.Fatal("the stream does not end")
		}
	}
}

func TestTheInboxFillsWithoutReload(t *testing.T) {
	w := open(t)
	c := w.opens("m.okafor", "DPD-1", "A title")
	b := w.signsIn("m.okafor")
	inbox, elsewhere := b.listens("/events?inbox=1"), b.listens("/events")
	if e := inbox.next("count"); !strings.Contains(e.data, `data-unseen="0"`) {
		t.Errorf("the count begins as %s", e.data)
	}
	inbox.next("list")
	elsewhere.next("count")

	id := w.raises(c, "boulder-so", 1, identifier.Email, "j.doe@example.org", token.H1)
	card := inbox.next("alert")
	for _, want := range []string{`id="alert-` + id.String() + `"`, "DPD-1 meets a case of Boulder County Sheriff", "j.doe@example.org", "arriving", "Not seen"} {
		if !strings.Contains(card.data, want) {
			t.Errorf("the card has no %q: %s", want, card.data)
		}
	}
	if e := inbox.next("count"); !strings.Contains(e.data, `data-unseen="1"`) {
		t.Errorf("the count went to %s", e.data)
	}
	if e := elsewhere.next("notice"); !strings.Contains(e.data, "/alerts/"+id.String()) {
		t.Errorf("another page is told %s", e.data)
	}
	if e := elsewhere.next("announce"); !strings.Contains(e.data, "New alert: DPD-1") {
		t.Errorf("a screen reader is told %s", e.data)
	}

	// The same alert grows: its card takes the place of the one before.
	w.raises(c, "boulder-so", 1, identifier.Phone, "+13035550142", token.H1)
	card = inbox.next("alert")
	if !strings.Contains(card.data, `id="alert-`+id.String()+`" hx-swap-oob="delete"`) || !strings.Contains(card.data, "13035550142") {
		t.Errorf("the grown card does not take the old one's place: %s", card.data)
	}

	b.post("/alerts/"+id.String()+"/seen", nil)
	for _, s := range []*stream{inbox, elsewhere} {
		for e := s.next("count"); !strings.Contains(e.data, `data-unseen="0"`); e = s.next("count") {
		}
	}
}

func TestAStreamThatReconnectsHasLostNothing(t *testing.T) {
	w := open(t)
	c := w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	first := b.listens("/events?inbox=1")
	first.next("list")
	first.close()
	first.ends()
	id := w.raises(c, "boulder-so", 1, identifier.Email, "j.doe@example.org", token.H1)

	again := b.listens("/events?inbox=1")
	if e := again.next("count"); !strings.Contains(e.data, `data-unseen="1"`) {
		t.Errorf("the count after the break is %s", e.data)
	}
	if e := again.next("list"); !strings.Contains(e.data, id.String()) {
		t.Errorf("the list after the break lacks the alert: %s", e.data)
	}
}

func TestMoreAlertsThanAStreamCanHoldAreInTheListThatFollows(t *testing.T) {
	w := open(t)
	c := w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	inbox := b.listens("/events?inbox=1")
	inbox.next("list")
	const n = 150
	for i := range n {
		w.raises(c, "boulder-so", byte(i), identifier.Email, fmt.Sprintf("j.doe-%d@example.org", i), token.H1)
	}
	list := inbox.next("list")
	if got := strings.Count(list.data, `<li class="alert-card`); got != n {
		t.Errorf("the list holds %d alerts, want %d", got, n)
	}
}

func TestAnotherOfficersAlertIsNotStreamed(t *testing.T) {
	w := open(t)
	w.officer("j.lee", casefile.Investigator)
	theirs, own := w.opens("j.lee", "BPD-7", ""), w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	inbox := b.listens("/events?inbox=1")
	inbox.next("list")
	w.raises(theirs, "boulder-so", 1, identifier.Email, "secret@example.org", token.H1)
	w.raises(own, "boulder-so", 2, identifier.Email, "own@example.org", token.H1)
	if e := inbox.next("alert"); strings.Contains(e.data, "BPD-7") || !strings.Contains(e.data, "DPD-1") {
		t.Errorf("the first alert of the stream is %s", e.data)
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	w := open(t)
	b, other := w.signsIn("m.okafor"), w.signsIn("m.okafor")
	s, kept := b.listens("/events"), other.listens("/events")
	s.next("count")
	kept.next("count")
	b.post("/sign-out", nil)
	if e := s.next("over"); !strings.Contains(e.data, "You are signed out.") {
		t.Errorf("the page is told %s", e.data)
	}
	s.ends()
	select {
	case e, more := <-kept.events:
		t.Errorf("another session's stream got %v (open: %v)", e, more)
	default:
	}
}

func TestAStreamEndsWhenTheAdministratorSetsAnotherPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, "http://127.0.0.1:8441")
		page := w.asks()
		answer, done := page.opens("/events")
		if err := w.desk.SetPassword("m.okafor", "another four good words"); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		<-done
		if !strings.Contains(answer.text(), "event: over") {
			t.Errorf("the stream of a session that was ended: %s", answer.text())
		}
	})
}

func TestNoAlertReachesAStreamWhoseSessionANewPasswordEnded(t *testing.T) {
	w := open(t)
	c := w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	s := b.listens("/events")
	s.next("count")
	if err := w.desk.SetPassword("m.okafor", "another four good words"); err != nil {
		t.Fatal(err)
	}
	w.raises(c, "boulder-so", 1, identifier.Email, "j.doe@example.org", token.H1)
	if e := <-s.events; e.name != "over" {
		t.Errorf("the stream of a session that was ended got %q", e.name)
	}
	s.ends()
}

func TestWithoutASessionTheStreamSaysSo(t *testing.T) {
	w := open(t)
	s := w.visits().listens("/events")
	if e := s.next("over"); !strings.Contains(e.data, "Sign in again") {
		t.Errorf("the page is told %s", e.data)
	}
	s.ends()

	b := w.signsIn("m.okafor")
	w.pass(61 * time.Minute)
	b.listens("/events").next("over")
}

func TestTheOldestStreamOfManyMakesRoom(t *testing.T) {
	w := open(t)
	b := w.signsIn("m.okafor")
	first := b.listens("/events")
	first.next("count")
	var others []*stream
	for range 4 {
		s := b.listens("/events")
		s.next("count")
		others = append(others, s)
	}
	first.ends()
	id := w.raises(w.opens("m.okafor", "DPD-1", ""), "boulder-so", 1, identifier.Email, "j.doe@example.org", token.H1)
	for _, s := range others {
		if e := s.next("notice"); !strings.Contains(e.data, id.String()) {
			t.Errorf("a younger stream got %s", e.data)
		}
	}
}

// tape is an answer that is written while the test reads it.
type tape struct {
	*httptest.ResponseRecorder
	mu sync.Mutex // owns the recorder's body
}

func (t *tape) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ResponseRecorder.Write(b)
}

func (t *tape) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Body.String()
}

// asker is an officer's browser that calls the pages directly: inside a bubble
// of synctest there is no network.
type asker struct {
	*world
	cookies []*http.Cookie
}

// asks is an asker that is signed in.
func (w *world) asks() *asker {
	w.t.Helper()
	a := &asker{world: w}
	answer := httptest.NewRecorder()
	a.ask("POST", "/sign-in", url.Values{"name": {"m.okafor"}, "password": {password}}, answer)
	if a.cookies = answer.Result().Cookies(); len(a.cookies) == 0 {
		w.t.Fatalf("sign in: %d", answer.Code)
	}
	return a
}

func (a *asker) ask(method, path string, form url.Values, answer http.ResponseWriter) {
	r := httptest.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, cookie := range a.cookies {
		r.AddCookie(cookie)
	}
	a.pages.ServeHTTP(answer, r)
}

// opens is a stream of events, and a channel that closes when it ends.
func (a *asker) opens(path string) (*tape, chan struct{}) {
	answer, done := &tape{ResponseRecorder: httptest.NewRecorder()}, make(chan struct{})
	go func() {
		defer close(done)
		a.ask("GET", path, nil, answer)
	}()
	synctest.Wait()
	return answer, done
}

func TestAnOpenPageKeepsNobodySignedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, "http://127.0.0.1:8441")
		page := w.asks()
		answer, done := page.opens("/events")
		for range 3 { // as long as the officer asks for pages, the stream goes on
			<-time.After(time.Minute)
			w.pass(30 * time.Minute)
			page.ask("GET", "/cases", nil, httptest.NewRecorder())
		}
		for range 2 { // but what the page asks by itself is no use of it
			<-time.After(time.Minute)
			w.pass(25 * time.Minute)
			page.ask("GET", "/cases/1/alerts", nil, httptest.NewRecorder())
		}
		if strings.Contains(answer.text(), "event: over") || !strings.Contains(answer.text(), ": still here") {
			t.Errorf("the stream of a session in use: %s", answer.text())
		}
		w.pass(15 * time.Minute)
		<-done
		if !strings.Contains(answer.text(), "event: over") {
			t.Errorf("the stream of an idle session: %s", answer.text())
		}
		again := httptest.NewRecorder()
		page.ask("GET", "/cases", nil, again)
		if again.Code != http.StatusSeeOther {
			t.Errorf("the idle session still opens a page: %d", again.Code)
		}
	})
}
