package web_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// hostile is what somebody writes who wants a page to run their script.
var hostile = []string{
	`<script>xss()</script>`,
	`"><img src=x onerror=xss()>`,
	`' onfocus=xss() autofocus x='`,
	`javascript:xss()`,
	`</textarea><xss>`,
	`</title><xss>`,
	`{{.}}${xss()}<xss>`,
	"<!--<xss>-->",
	`<svg/onload=xss()>`,
	`//elsewhere.example/x`,
	"a\u202egpj.exe",
}

// everyPage returns each page of a world full of text, as an officer and as
// a stranger see it, and the parts that streams and forms send.
func everyPage(t *testing.T, text string) map[string]shown {
	t.Helper()
	w := open(t)
	w.network.directory = &directory.Directory{Agencies: []directory.Agency{{ID: "boulder-so", Name: text, Contact: text, Jurisdiction: text, Status: directory.Active}}}
	w.network.directory.Policy.Groups = []directory.Group{{Name: text, Agencies: []directory.AgencyID{"boulder-so", "denver-pd"}}}
	w.covers.coverage = desk.Coverage{Entries: 2, Members: []desk.Covered{
		{Agency: w.network.directory.Agencies[0], Complete: true}, {Agency: w.network.directory.Agencies[0]},
	}}
	w.network.status = desk.NetworkStatus{Members: []desk.MemberLine{{Agency: w.network.directory.Agencies[0], Trouble: text}}, Waiting: 2,
		Renewal: desk.Renewal{Epoch: 2, Done: 3, Of: 1204}, Troubles: []string{text}}
	title := strings.ReplaceAll(text, "\u202e", "") // which no case takes in its name
	number := title
	if len(number) > casefile.MaxNumber {
		number = number[:casefile.MaxNumber]
	}
	c := w.opens("m.okafor", number, title)
	if _, err := w.desk.AddNote(casefile.Officer{Name: "m.okafor", Role: casefile.Investigator}, c.ID, text); err != nil {
		t.Fatal(err)
	}
	b := w.signsIn("m.okafor")
	stream, inbox := b.listens("/events"), b.listens("/events?inbox=1")
	inbox.next("list")
	stream.next("count")
	id := w.raises(c, "boulder-so", 1, identifier.URL, "https://evil.example/?q="+url.QueryEscape(text), token.H2)

	all := map[string]shown{}
	for _, e := range []event{stream.next("notice"), stream.next("announce"), inbox.next("alert")} {
		all["event "+e.name] = shown{body: e.data, status: http.StatusOK}
	}
	for _, path := range []string{
		"/cases", "/cases/new", "/cases/1", "/cases/1/alerts", "/alerts", "/alerts/" + id.String(), "/network", "/password",
		"/cases/" + url.PathEscape(text), "/alerts/" + url.PathEscape(text), "/" + url.PathEscape(text),
	} {
		all[path] = b.get(path)
	}
	all["check"] = b.hands("/cases/1/intake", text+" one@example.org", text+".txt", text+"\nhttps://evil.example/?"+text+"\n", text+".csv", "mail,\"x\n"+text)
	all["saved"] = b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(all["check"])})
	all["handling"] = b.post("/cases/1/handling", url.Values{"do": {"share"}, "all": {"1"}})
	all["handling again"] = b.post("/cases/1/handled", url.Values{"do": {"share"}, "all": {"1"}, "who": {"agencies"}, "agency": {text}})
	all["handled"] = b.post("/cases/1/handled", url.Values{"do": {"withdraw"}, "all": {"1"}})
	w.officer("s.lindqvist", casefile.Supervisor)
	supervisor := w.signsIn("s.lindqvist")
	all["muted"] = supervisor.post("/values/1/mute", url.Values{"reason": {title}})
	all["mute again"] = supervisor.post("/values/1/mute", url.Values{"reason": {text + strings.Repeat("x", 300)}})
	for n := range 25 {
		w.raises(c, "boulder-so", byte(n), identifier.URL, "https://evil.example/?common="+url.QueryEscape(text), token.H2)
	}
	all["summary"] = supervisor.get("/alerts/" + w.summaryOf(c).String())
	for _, path := range []string{"/common", "/values/1", "/values/" + url.PathEscape(text)} {
		all[path] = b.get(path)
	}
	all["case again"] = b.post("/cases", url.Values{"number": {text + strings.Repeat("x", 41)}, "title": {text}})
	all["note again"] = b.post("/cases/1/notes", url.Values{"note": {text + strings.Repeat(" x", casefile.MaxNote/2)}})
	all["text again"] = b.hands("/cases/1/intake", text+strings.Repeat(" x", casefile.MaxNote/2))
	stranger := w.visits()
	all["sign-in"] = stranger.get("/sign-in?next=" + url.QueryEscape(text))
	all["sign-in with next"] = stranger.get("/sign-in?next=/" + url.QueryEscape(text))
	all["sign-in again"] = stranger.post("/sign-in", url.Values{"name": {text}, "password": {text}, "next": {text}})
	return all
}

func TestTheNetworkPageSaysHowFarANewTokenKeyIs(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	for _, tt := range []struct {
		renewal desk.Renewal
		want    bool
	}{{desk.Renewal{Epoch: 1}, false}, {desk.Renewal{Epoch: 2, Done: 12, Of: 1204}, true}, {desk.Renewal{Epoch: 2, Done: 1204, Of: 1204}, false}} {
		w.network.status.Renewal = tt.renewal
		if got := strings.Contains(b.get("/network").body, "12 of 1,204 identifiers have a new token"); got != tt.want {
			t.Errorf("%+v: said on the network page %t, want %t", tt.renewal, got, tt.want)
		}
		if got := strings.Contains(b.get("/alerts").body, "12 of 1,204 identifiers of this agency are compared"); got != tt.want {
			t.Errorf("%+v: said where nothing matched %t, want %t", tt.renewal, got, tt.want)
		}
	}
}

var ownScript = regexp.MustCompile(`^/static/(htmx\.min|sse\.min|page)\.js\?v=[0-9a-f]{12}$`)

// faults walks a page and reports what no page may hold.
func faults(n *html.Node, report func(string, ...any)) {
	if n.Type == html.ElementNode {
		element(n, report)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		faults(c, report)
	}
}

func element(n *html.Node, report func(string, ...any)) {
	switch n.Data {
	case "xss", "iframe", "object", "embed", "base", "style", "img":
		report("a <%s>", n.Data)
	case "script":
		if len(n.Attr) != 2 || n.Attr[1].Key != "src" || !ownScript.MatchString(n.Attr[1].Val) || n.FirstChild != nil {
			report("a script of its own: %v", n.Attr)
		}
	}
	for _, a := range n.Attr {
		switch {
		case strings.HasPrefix(a.Key, "on"), strings.HasPrefix(a.Key, "hx-on"), a.Key == "style", a.Key == "srcset":
			report("<%s %s=%q>", n.Data, a.Key, a.Val)
		case a.Key == "src", a.Key == "href", a.Key == "action", a.Key == "formaction", a.Key == "hx-get", a.Key == "hx-post", a.Key == "sse-connect":
			local := strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "//") && !strings.HasPrefix(a.Val, `/\`)
			if !local && !strings.HasPrefix(a.Val, "#") {
				report("<%s %s=%q> leads outside", n.Data, a.Key, a.Val)
			}
		}
	}
}

func TestHostileTextStaysText(t *testing.T) {
	for _, text := range hostile {
		for name, page := range everyPage(t, text) {
			if page.status >= http.StatusInternalServerError {
				t.Errorf("%q makes %q fail: %d", text, name, page.status)
			}
			root, err := html.Parse(strings.NewReader(page.body))
			if err != nil {
				t.Fatal(err)
			}
			faults(root, func(format string, args ...any) {
				t.Errorf("%q on %q: "+format, append([]any{text, name}, args...)...)
			})
		}
	}
}

func TestNoPageNamesAnExternalAddress(t *testing.T) {
	pages := everyPage(t, "Nothing special")
	if len(pages) < 20 {
		t.Fatalf("only %d pages were looked at", len(pages))
	}
	for name, page := range pages {
		if name != "event announce" && !strings.Contains(page.body, "<") {
			t.Errorf("%s is no page: %d %q", name, page.status, page.body)
		}
		root, err := html.Parse(strings.NewReader(page.body))
		if err != nil {
			t.Fatal(err)
		}
		faults(root, func(format string, args ...any) { t.Errorf(name+": "+format, args...) })
	}
	files, err := filepath.Glob("static/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("static files: %v (%v)", files, err)
	}
	outside := regexp.MustCompile(`https?:|\burl\(|@import|sourceMappingURL`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), "http://www.w3.org/2000/svg", "")
		if found := outside.FindString(text); found != "" && !strings.HasSuffix(file, ".LICENSE") {
			t.Errorf("%s holds %q", file, found)
		}
	}
}

func TestStaticFilesMayBeKeptUnderTheirVersionAlone(t *testing.T) {
	b := open(t).visits()
	address := regexp.MustCompile(`/static/base\.css\?v=[0-9a-f]{12}`).FindString(b.get("/sign-in").body)
	if got := b.get(address); got.status != http.StatusOK || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %d, %s", address, got.status, got.header.Get("Cache-Control"))
	}
	got := b.get("/static/base.css?v=another")
	if got.status != http.StatusOK || got.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("another version: %d, %s, want no-cache", got.status, got.header.Get("Cache-Control"))
	}
	r := b.request("GET", address, nil, "")
	r.Header.Set("If-None-Match", got.header.Get("ETag"))
	if got := b.do(r); got.status != http.StatusNotModified || got.body != "" {
		t.Errorf("a file that the browser has: %d with %d bytes, want 304", got.status, len(got.body))
	}
	for _, path := range []string{"/static/", "/static/web.go", "/static/../web.go", "/static/%2e%2e/web.go"} {
		if got := b.get(path); got.status == http.StatusOK && strings.Contains(got.body, "package web") {
			t.Errorf("%s is served", path)
		}
	}
}
