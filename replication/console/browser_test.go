package console

import (
	"strings"
	"testing"

	"interlock/testnet/browser"
)

// at signs somebody in, in a real browser.
func (w *world) at(b *browser.Browser, name string) {
	w.t.Helper()
	w.enrols(name)
	b.Page(w.url + "/")
	b.Fill("#name", name)
	b.Fill("#passphrase", passphrase)
	b.Fill("#code", w.code(name))
	b.Click("main button")
	b.AwaitText("Sign out")
}

// keepsItsPolicy fails where a page asked for anything outside its console, or
// the browser blocked or missed something.
func keepsItsPolicy(t *testing.T, w *world, b *browser.Browser, expected string) {
	t.Helper()
	for _, address := range b.Requests() {
		if !strings.HasPrefix(address, w.url+"/") {
			t.Errorf("a page asked for %s", address)
		}
	}
	for _, c := range b.Complaints() {
		if expected == "" || !strings.Contains(c, expected) {
			t.Errorf("the browser complains: %s", c)
		}
	}
}

func TestTwoOperatorsInTwoBrowsers(t *testing.T) {
	w := open(t)
	w.hub.town()
	first, second := browser.Open(t), browser.Open(t)
	first.Page(w.url + "/")
	first.Fill("#name", "m-lindqvist")
	first.Fill("#passphrase", passphrase)
	first.Click("main button")
	first.AwaitText("Set up your second factor")
	secret := browser.Value[string](first, `document.querySelector(".steps .value").textContent`)
	first.Fill("#code", w.codeOf(factor{secret: strings.ReplaceAll(secret, " ", "")}))
	first.Click("main button")
	first.AwaitText("Needs a person now")
	w.at(second, "j-okoro")

	second.Page(w.url + "/motions")
	second.AwaitText("No motion waits")
	second.AwaitValue("document.body.dataset.live", "1")

	first.Click("a[href='/applications']")
	first.AwaitText("Winnipeg Police Service")
	first.Click("td a")
	first.AwaitText("Yours is the second approval")
	first.Click("form[action$=approve] button")
	first.AwaitText("Tick that you compared the fingerprint.")
	first.Click("#read")
	first.Click("form[action$=approve] button")
	first.AwaitText("The agency is admitted")

	first.Page(w.url + "/motions/new/agency-remove?agency=slc-pd")
	first.Fill("#f-confirm", "slc")
	first.Fill("#f-reason", "left the federation")
	first.Click("form.narrow button")
	first.AwaitText("To confirm, type slc-pd exactly")
	if got := browser.Value[string](first, `document.querySelector("#f-reason").value`); got != "left the federation" {
		t.Errorf("after a mistake the reason is %q", got)
	}
	first.Fill("#f-confirm", "slc-pd")
	first.Click("form.narrow button")
	first.AwaitText("The motion is put.")

	second.AwaitText("Remove agency slc-pd") // by itself
	second.Click("td a")
	second.AwaitText("This cannot be undone")
	second.Click("form[action$=approve] button")
	second.AwaitText("The motion is carried.")
	first.AwaitText("No motion waits") // by itself
	keepsItsPolicy(t, w, first, "422")
	keepsItsPolicy(t, w, second, "")
}

func TestNoPageScrollsSideways(t *testing.T) {
	w := open(t)
	w.hub.town()
	long := strings.Repeat("a-very-long-word-without-a-break", 8)
	w.hub.admits("long-words", long, long)
	b := browser.Open(t)
	w.at(b, "m-lindqvist")
	paths := []string{"/", "/applications", "/agencies", "/agencies/long-words", "/motions", "/motions/new", "/motions/new/policy", "/motions/new/server-replace",
		"/invitations", "/network", "/servers", "/record", "/nowhere", applicationPath(w.hub.copied().Pending[0])}
	for _, size := range [][2]int{{1280, 800}, {390, 844}} {
		b.Size(size[0], size[1])
		for _, path := range paths {
			b.Page(w.url + path)
			if over := browser.Value[int](b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
				t.Errorf("%s is %d pixels too wide at %d", path, over, size[0])
			}
		}
	}
	keepsItsPolicy(t, w, b, "404")
}
