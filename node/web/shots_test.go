package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"interlock/crypto/token"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/testnet/browser"
)

func TestShots(t *testing.T) {
	w := open(t)
	c := w.opens("m.okafor", "DPD-2026-0412", "Tip from a school")
	w.network.groups()
	client := w.signsIn("m.okafor")
	text := tip + "\nhttps://chat.example.com/rooms/a-rather-long-address/with/parts/that-go-on-and-on?user=dark_horse_1987\n198.51.100.23\ndark@mail.example.net\n44d88612fea8a8f36de82e1278abb02f\n"
	draft := client.hands("/cases/1/intake", text)
	b := browser.Open(t)
	signIn(w, b)
	shot := func(name string, path string) {
		for _, size := range [][2]int{{1280, 800}, {390, 844}} {
			if path != "" {
				b.Page(w.url + path)
			}
			h := browser.Value[int](b, "(document.body.scrollHeight)")
			_ = h
			b.Size(size[0], size[1])
			h = browser.Value[int](b, "(document.body.scrollHeight)")
			b.Screenshot(fmt.Sprintf("/tmp/wtshots/%s-%d.png", name, size[0]), size[0], min(h+10, 3000))
		}
	}
	b.Page(w.url + draft.path)
	b.Click("#who-agencies")
	shot("check", "")
	client.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(draft), "who": {"everyone"}})
	o, _ := w.desk.Cases(okafor())
	ids, _ := w.desk.Identifiers(okafor(), o[0].ID)
	key := func(i identifier.Identifier) string { k, _ := webKey(i); return k }
	client.post("/cases/1/handled", url.Values{"do": {"withdraw"}, "id": {key(ids[0])}})
	w.pass(5 * time.Minute)
	client.post("/cases/1/handled", url.Values{"do": {"share"}, "who": {"group:front-range"}, "id": {key(ids[1]), key(ids[2])}})
	client.post("/cases/1/handled", url.Values{"do": {"share"}, "who": {"watch"}, "id": {key(ids[3])}})
	client.post("/cases/1/handled", url.Values{"do": {"share"}, "who": {"agencies"}, "agency": {"boulder-so", "cheyenne-pd"}, "id": {key(ids[4])}})
	if err := w.store.Update(func(tx *store.Tx) error { return tx.Acknowledge("boulder-so", directory.Everyone, 1, 9) }); err != nil {
		t.Fatal(err)
	}
	w.covers.coverage = desk.Coverage{Entries: 388, Members: []desk.Covered{
		{Agency: w.network.directory.Agencies[0], Generation: 1, Number: 1204, At: w.clock(), Signed: true, Complete: true},
		{Agency: w.network.directory.Agencies[1], Generation: 1, Number: 310, At: w.clock().Add(-20 * time.Hour)},
	}}
	shot("case", "/cases/1")
	b.Page(w.url + "/cases/1")
	b.Click("tbody tr:nth-child(2) td.pick input")
	b.Click("tbody tr:nth-child(3) td.pick input")
	for _, size := range [][2]int{{1280, 800}, {390, 844}} {
		b.Size(size[0], size[1])
		browser.Value[any](b, `(document.querySelector("tbody tr:nth-child(3)").scrollIntoView(), 0)`)
		b.Screenshot(fmt.Sprintf("/tmp/wtshots/chosen-%d.png", size[0]), size[0], size[1])
	}
	b.Click("button[value=purge]")
	b.AwaitText("cannot be undone")
	shot("purge", "")
	b.Page(w.url + "/cases/1")
	b.Click("#all")
	b.Click("button[value=share]")
	b.AwaitText("Who may learn")
	b.Click("#who-agencies")
	shot("share", "")
	b.Page(w.url + "/cases/1")
	b.Click("#all")
	b.Click("button[value=withdraw]")
	b.AwaitText("not compared here")
	shot("withdraw", "")
	var big strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&big, "p%d@example.org\n", i)
	}
	draft = client.hands("/cases/1/intake", big.String())
	client.post("/cases/1/check", url.Values{"do": {"save"}, "draft": drafts(draft)})
	start := time.Now()
	client.get("/cases/1")
	t.Log("case page of 5000", time.Since(start))
	start = time.Now()
	client.post("/cases/1/handled", url.Values{"do": {"share"}, "who": {"watch"}, "all": {"1"}})
	t.Log("watch 5000", time.Since(start))
	start = time.Now()
	client.get("/cases/1?after=4500")
	t.Log("last page after 5000 changes", time.Since(start))
	b.Page(w.url + "/cases/1?after=500")
	b.Screenshot("/tmp/wtshots/big-1280.png", 1280, 1400)
	w.raises(c, "boulder-so", 1, identifier.Email, "j.doe@example.org", token.H1)
	shot("alerted", "/cases/1")
}
