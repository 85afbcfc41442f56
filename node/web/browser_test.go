package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/identifier"
	"interlock/testnet/browser"
)

// signs in as the officer, in a real browser.
func signIn(w *world, b *browser.Browser) {
	b.Page(w.url + "/")
	b.Fill("#name", "m.okafor")
	b.Fill("#password", password)
	b.Click("main button")
	b.AwaitText("Cases")
	b.AwaitText("Sign out")
}

// keepsItsPolicy fails where a page asked for anything outside its node, or
// the browser blocked or missed something.
func keepsItsPolicy(t *testing.T, w *world, b *browser.Browser, expected ...string) {
	t.Helper()
	for _, address := range b.Requests() {
		if !strings.HasPrefix(address, w.url+"/") {
			t.Errorf("a page asked for %s", address)
		}
	}
next:
	for _, c := range b.Complaints() {
		for _, e := range expected {
			if strings.Contains(c, e) {
				continue next
			}
		}
		t.Errorf("the browser complains: %s", c)
	}
}

func TestAnOfficersWayInABrowser(t *testing.T) {
	w := open(t)
	b := browser.Open(t)
	signIn(w, b)
	b.Click("main .button")
	b.AwaitText("Open the case")
	b.Fill("#number", strings.Repeat("9", 40))
	b.Fill("#title", "Tip from a school")
	browser.Value[any](b, `document.querySelector("#number").removeAttribute("maxlength")`)
	b.Fill("#number", strings.Repeat("9", 41))
	b.Click("form.panel button")
	b.AwaitText("A case number has at most 40 characters")
	if got := browser.Value[string](b, `document.querySelector("#title").value`); got != "Tip from a school" {
		t.Errorf("after a mistake the title is %q", got)
	}
	b.Fill("#number", "DPD-2026-0412")
	b.Click("form.panel button")
	b.AwaitText("Add to this case")

	file := filepath.Join(t.TempDir(), "friends.csv")
	if err := os.WriteFile(file, []byte("name,mail\na,kid@mail.example.com\nb,other@mail.example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Fill("#text", tip)
	b.Choose("#file", file)
	b.Click("form[action$=intake] button")
	b.AwaitText("4 identifiers found")
	b.Click("tr:last-child input[name=leave]")
	b.Click("button[value=save]")
	b.AwaitText("3 identifiers saved.")
	b.Fill("#note", "Called the school back.")
	b.Click("form[action$=notes] button")
	b.AwaitText("The note is saved.")
	keepsItsPolicy(t, w, b, "422")
}

func TestAlertsArriveInEveryOpenTab(t *testing.T) {
	w := open(t)
	c := w.opens("m.okafor", "DPD-2026-0412", "Tip from a school")
	inbox := browser.Open(t)
	signIn(w, inbox)
	network, file := inbox.Tab(), inbox.Tab()
	inbox.Page(w.url + "/alerts")
	network.Page(w.url + "/network")
	file.Page(w.url + "/cases/1")
	tabs := map[*browser.Browser]string{inbox: "Alerts", network: "Network", file: "DPD-2026-0412"}
	for tab, title := range tabs {
		tab.AwaitTitle(title + " · Denver Police Department")
		tab.AwaitValue(`document.querySelector("#count").dataset.live`, "1")
	}
	w.raises(c, "boulder-so", 1, identifier.Email, "j.doe@example.org", token.H1)
	for tab, title := range tabs {
		tab.AwaitTitle("(1) " + title + " · Denver Police Department")
		tab.AwaitText("DPD-2026-0412 meets a case of Boulder County Sheriff")
	}
	w.raises(c, "boulder-so", 1, identifier.Phone, "+13035550142", token.H1)
	inbox.AwaitText("+13035550142")
	if got := browser.Value[int](inbox, `document.querySelectorAll(".alert-card").length`); got != 1 {
		t.Errorf("an alert that grew is on %d cards, want 1", got)
	}
	inbox.Click(".alert-card h2 a")
	inbox.AwaitText("do not contact the subject")
	inbox.Click("form[action$=seen] button")
	inbox.AwaitText("Seen by m.okafor")
	for tab, title := range map[*browser.Browser]string{network: "Network", file: "DPD-2026-0412"} {
		tab.AwaitTitle(title + " · Denver Police Department")
	}
	for tab := range tabs {
		keepsItsPolicy(t, w, tab)
	}
}

func TestNoPageScrollsSideways(t *testing.T) {
	w := open(t)
	long := "https://example.com/" + strings.Repeat("a-very-long-path-without-a-break", 12)
	c := w.opens("m.okafor", strings.Repeat("W", casefile.MaxNumber), strings.Repeat("W", casefile.MaxTitle))
	id := w.raises(c, "boulder-so", 1, identifier.URL, long, token.H3)
	for n := range 22 {
		w.raises(c, "boulder-so", byte(n), identifier.URL, long+"/common", token.H3)
	}
	summary := "/alerts/" + w.summaryOf(c).String()
	b := browser.Open(t)
	signIn(w, b)
	client := w.signsIn("m.okafor")
	draft := client.hands("/cases/1/intake", long, strings.Repeat("n", 200)+".txt", long+"\nkid@mail.example.com\n")
	client.post("/cases/1/check", map[string][]string{"do": {"save"}, "draft": drafts(draft)})
	draft = client.hands("/cases/1/intake", long, strings.Repeat("n", 200)+".txt", long)
	for _, size := range [][2]int{{1280, 800}, {390, 844}, {320, 700}} {
		b.Size(size[0], size[1])
		for _, path := range []string{"/cases", "/cases/new", "/cases/1", draft.path, "/alerts", "/alerts/" + id.String(), "/network", "/common", "/values/1", summary, "/password", "/nowhere"} {
			b.Page(w.url + path)
			if over := browser.Value[int](b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
				t.Errorf("%s is %d pixels too wide at %d", path, over, size[0])
			}
			if shown := browser.Value[string](b, "document.body.innerText"); !strings.Contains(shown, "Sign out") {
				t.Errorf("%s at %d shows %q", path, size[0], shown)
			}
		}
	}
	keepsItsPolicy(t, w, b, "404")
}

func TestTheKeyboardAloneIsEnough(t *testing.T) {
	w := open(t)
	b := browser.Open(t)
	b.Page(w.url + "/")
	b.AwaitValue("document.activeElement.id", "name") // before that, keys go nowhere
	b.Press("m.okafor\t" + password + "\r")
	b.AwaitText("No cases yet")
	b.AwaitValue("document.readyState", "complete")
	b.Press("\t")
	if got := browser.Value[string](b, "document.activeElement.textContent"); got != "Skip to the content" {
		t.Errorf("the first stop is %q, want the way past the bar", got)
	}
	b.Press("\r\t\r") // to the content, to its first link, and through it
	b.AwaitText("Open the case")
	b.AwaitValue("document.activeElement.id", "number")
	b.Press("DPD-1\tA title\r")
	b.AwaitText("Add to this case")
	if got := browser.Value[float64](b, `(document.querySelector("#text").focus(), parseFloat(getComputedStyle(document.activeElement).outlineWidth))`); got < 2 {
		t.Errorf("the focus is marked with %v pixels", got)
	}
}

func TestPagesFollowTheOfficersColours(t *testing.T) {
	w := open(t)
	b := browser.Open(t)
	b.Page(w.url + "/")
	ground := func(dark bool) string {
		b.Dark(dark)
		return browser.Value[string](b, "getComputedStyle(document.documentElement).backgroundColor")
	}
	if light, dark := ground(false), ground(true); light == dark || light == "" {
		t.Errorf("the ground is %q by day and %q by night", light, dark)
	}
}
