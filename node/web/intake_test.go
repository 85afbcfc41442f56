package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/web"
)

var hiddenDraft = regexp.MustCompile(`name="draft" value="([0-9a-f]{32})"`)

// drafts are the drafts on a page.
func drafts(page shown) (ids []string) {
	for _, m := range hiddenDraft.FindAllStringSubmatch(page.body, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// says fails unless the page has each text.
func says(t *testing.T, page shown, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page.body, text) {
			main := page.body[max(0, strings.Index(page.body, "<main")):]
			t.Errorf("%s (%d) does not say %.80q:\n%.1500s", page.path, page.status, text, main)
		}
	}
}

const tip = "He writes from j.doe@example.org,\nand calls from (303) 555-0142.\nj.doe@example.org again."

func TestWhatWasFoundIsShownBeforeItIsSaved(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")

	page := b.hands("/cases/1/intake", tip, "list.csv", "name,mail\na,kid@mail.example.com\nonly one\n", "empty.txt", "nothing to see\n")
	if page.status != http.StatusOK || !strings.HasPrefix(page.path, "/cases/1/check?draft=") {
		t.Fatalf("%d %s, want the page to look through", page.status, page.path)
	}
	says(t, page, "3 identifiers found", "Pasted text", "j.doe@example.org", "2 times", "&#43;13035550142", "Telephone", "list.csv",
		"kid@mail.example.com", "Line 3:", "empty.txt", "No identifier was found here.")
	if got := b.get("/cases/1"); strings.Contains(got.body, "j.doe@example.org") {
		t.Error("the case holds an identifier before it was saved")
	}

	ids := drafts(page)
	page = b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": ids})
	if page.path != "/cases/1" {
		t.Fatalf("after the save: %d %s, want the case", page.status, page.path)
	}
	says(t, page, "3 identifiers saved.", "j.doe@example.org", "Pasted text, line 1", "and 1 other place", "list.csv, line 2", "calls from (303) 555-0142", "announced")
	if got := b.get("/cases/1"); strings.Contains(got.body, "identifiers saved") {
		t.Error("the answer is shown twice")
	}

	page = b.hands("/cases/1/intake", "j.doe@example.org and new@example.org")
	says(t, page, "2 identifiers, 1 already held by this case", "already held")
	page = b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(page)})
	says(t, page, "1 identifier saved, 1 was already held.")
}

func TestAFileThatCannotBeReadLeavesTheOthers(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	page := b.hands("/cases/1/intake", "", "good.csv", "mail\nkid@mail.example.com\n", "picture.jpg", "\xff\xd8\xff\xe0\x00\x10JFIF\x00", "more.txt", "j.doe@example.org")
	says(t, page, "kid@mail.example.com", "j.doe@example.org", "picture.jpg is a picture")
	page = b.hands("/cases/1/intake", "", "picture.jpg", "\xff\xd8\xff\xe0\x00\x10JFIF\x00")
	says(t, page, "picture.jpg is a picture")
}

func TestNoMatchSaysWhatWasCheckedAndWhatNot(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	page := b.hands("/cases/1/intake", tip)
	page = b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(page)})
	for _, page := range []shown{page, b.get("/alerts"), b.get("/cases/1")} {
		says(t, page, "It does not mean that nobody works on it.",
			"Boulder County Sheriff: all it has announced (1,204 entries).",
			"Cheyenne Police: not connected, last heard 23 Nov 2026, 17:02. Compared up to entry 310;")
	}
}

func TestAMatchIsSaidWhereItWasMade(t *testing.T) {
	w := open(t)
	c := w.opens("m.okafor", "DPD-1", "")
	w.flow.meets = &alert.Pair{Case: c.ID, Agency: "boulder-so", Theirs: token.CasePointer{1}}
	b := w.signsIn("m.okafor")
	page := b.hands("/cases/1/intake", tip)
	page = b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(page)})
	says(t, page, "2 identifiers saved.", "1 alert came of it", "DPD-1 meets a case of Boulder County Sheriff")
	if strings.Contains(page.body, "No match") {
		t.Error("the page says that there is no match beside the match")
	}
}

func TestIdentifiersThatWaitForTheRegistryAreSaid(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	w.flow.registry = false
	b := w.signsIn("m.okafor")
	page := b.hands("/cases/1/intake", tip)
	page = b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(page)})
	says(t, page, "2 wait for the registry", "Not compared yet", "waits for the registry")
	if strings.Contains(page.body, "No match") {
		t.Error("the page says that there is no match although nothing was compared")
	}
}

func TestLeftOutIdentifiersAreNotSaved(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	page := b.hands("/cases/1/intake", "", "a.txt", "one@example.org\ntwo@example.org\n", "b.txt", "three@example.org\nfour@example.org\n")
	ids := drafts(page)
	page = b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": ids, "leave": {ids[0] + ":1", ids[1] + ":0", "nonsense", ids[0] + ":99", ids[0] + ":-1"}})
	says(t, page, "2 identifiers saved.", "one@example.org", "four@example.org")
	for _, left := range []string{"two@example.org", "three@example.org"} {
		if strings.Contains(page.body, left) {
			t.Errorf("%s was left out and is in the case", left)
		}
	}
}

func TestAFormSentTwiceSavesOnce(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	page := b.hands("/cases/1/intake", tip)
	form := url.Values{"do": {"save"}, "draft": drafts(page)}
	b.post("/cases/1/check", form)
	again := b.post("/cases/1/check", form)
	says(t, again, "nothing was done twice", "2 identifiers")
	if got := strings.Count(again.body, "note 1"); got != 1 || strings.Contains(again.body, "note 2") {
		t.Error("the text became two notes")
	}
	says(t, b.get(page.path), "nothing was done twice")
}

func TestDiscardedIsNotSaved(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	page := b.hands("/cases/1/intake", tip)
	says(t, b.post("/cases/1/check", url.Values{"do": {"drop"}, "draft": drafts(page)}), "Discarded. Nothing was saved.", "This case holds no identifiers yet.")
}

func TestNothingTypedIsLost(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	long := strings.Repeat("long \"title\" <b>&amp; ", 20)
	note := strings.Repeat("a line of the note\n", 20_000)

	page := b.post("/cases", url.Values{"number": {"  DPD-2 "}, "title": {long}})
	if page.status != http.StatusUnprocessableEntity {
		t.Errorf("a title too long: %d, want 422", page.status)
	}
	says(t, page, "A title has at most 160 characters", `value="  DPD-2 "`, "long &#34;title&#34; &lt;b&gt;&amp;amp; ")

	says(t, b.post("/cases", url.Values{"number": {"dpd-1"}, "title": {"kept"}}), "already has a case with this number", `value="dpd-1"`, `value="kept"`)
	says(t, b.post("/sign-in", url.Values{"name": {"m.okafor "}, "password": {"x"}}), `value="m.okafor "`)
	says(t, b.post("/cases/1/notes", url.Values{"note": {note}}), "A note has at most 256,000 bytes", note)
	says(t, b.hands("/cases/1/intake", note), "The pasted text has more than 256,000 bytes", note)
	says(t, b.hands("/cases/1/intake", "  \r\n "), "There is nothing to look through yet")

	page = b.hands("/cases/1/intake", "one@example.org\ntwo@example.org")
	ids := drafts(page)
	w.flow.Fault = &casefile.Sentence{Text: "The disk is full.", Hint: "Call somebody."}
	page = b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": ids, "leave": {ids[0] + ":1"}})
	says(t, page, "The disk is full.", "Call somebody.", "one@example.org", "two@example.org")
	if !regexp.MustCompile(`value="` + ids[0] + `:1"[^>]* checked`).MatchString(page.body) {
		t.Error("the officer's tick is lost")
	}
	w.flow.Fault = nil
	says(t, b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": ids, "leave": {ids[0] + ":1"}}), "1 identifier saved.")
}

func TestAnErrorNeverShowsItsText(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	page := b.hands("/cases/1/intake", tip)
	w.flow.Fault = errors.New("pebble: cannot frobnicate shard 9")
	page = b.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(page)})
	if page.status != http.StatusInternalServerError {
		t.Errorf("a fault: %d, want 500", page.status)
	}
	says(t, page, "The node could not do this.", "j.doe@example.org")
	if strings.Contains(page.body, "frobnicate") {
		t.Error("the page shows the error")
	}
	if !strings.Contains(w.log.String(), "frobnicate") || !strings.Contains(w.log.String(), "POST /cases/{case}/check") {
		t.Errorf("the log does not hold the fault and its route: %s", w.log)
	}
	if strings.Contains(w.log.String(), "j.doe") {
		t.Errorf("the log holds an identifier: %s", w.log)
	}
}

func TestAFormByScriptGetsTheSentenceAlone(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	send := func(path string, form url.Values) shown {
		r := b.request("POST", path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
		r.Header.Set("HX-Request", "true")
		return b.do(r)
	}
	got := send("/cases", url.Values{"number": {""}})
	if got.status != http.StatusUnprocessableEntity || strings.Contains(got.body, "<html") || !strings.HasPrefix(got.body, `<div class="answer problem" role="alert">`) {
		t.Errorf("%d %s, want the sentence alone", got.status, got.body)
	}
	if got := send("/cases", url.Values{"number": {"DPD-2"}}); got.status != http.StatusNoContent || got.header.Get("HX-Redirect") != "/cases/2" {
		t.Errorf("%d %v, want the way to the new case", got.status, got.header)
	}
	b.http.Jar = w.visits().http.Jar
	got = send("/cases/1/notes", url.Values{"note": {"typed for an hour"}})
	if got.status != http.StatusUnauthorized || !strings.Contains(got.body, "what you typed is still here") {
		t.Errorf("signed out: %d %s, want the form to stay", got.status, got.body)
	}
}

func TestAnUploadOverTheLimitIsASentence(t *testing.T) {
	w := open(t)
	w.opens("m.okafor", "DPD-1", "")
	b := w.signsIn("m.okafor")
	page := b.hands("/cases/1/intake", "the text I typed", "large.txt", strings.Repeat("x y z\n", web.MaxUpload/6+1))
	if page.status != http.StatusRequestEntityTooLarge {
		t.Errorf("an upload over the limit: %d, want 413", page.status)
	}
	says(t, page, "more than the node takes at once", "32 MB", "the text I typed", "</html>")

	files := slices.Repeat([]string{"a.txt", "one@example.org"}, 21)
	says(t, b.hands("/cases/1/intake", "", files...), "at most 20 files")
	if page := b.post("/cases/1/intake", url.Values{"text": {"x"}}); page.status != http.StatusBadRequest {
		t.Errorf("a form that is no upload: %d, want 400", page.status)
	}
	if page := b.post("/cases", url.Values{"number": {strings.Repeat("9", 2<<20)}}); page.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form over its limit: %d, want 413", page.status)
	}
}
