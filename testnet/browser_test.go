package testnet

import (
	"path/filepath"
	"testing"

	"interlock/node/casefile"
	"interlock/testnet/browser"
)

// signs in at an agency in a tab of its own.
func signsIn(t *testing.T, tab *browser.Browser, a *Agency, name string) {
	t.Helper()
	_, password, err := a.Officer(name, "Officer "+name, casefile.Investigator)
	if err != nil {
		t.Fatal(err)
	}
	origin, err := a.Origin()
	if err != nil {
		t.Fatal(err)
	}
	tab.Page(origin)
	tab.Fill("#name", name)
	tab.Fill("#password", password)
	tab.Click("main form button")
	tab.AwaitText("New case")
}

// entersCase opens a case in the pages and saves a text into it.
func entersCase(tab *browser.Browser, number, text string) {
	tab.Click("a[href='/cases/new']")
	tab.Fill("#number", number)
	tab.Click("main form button")
	tab.AwaitText("Add to this case")
	tab.Fill("#text", text)
	tab.Click("form[enctype='multipart/form-data'] button")
	tab.AwaitText("Save to the case")
	tab.Click("button[value='save']")
	tab.AwaitText("Identifiers")
}

// TestAnAlertArrivesInTheOtherAgencysOpenInbox: two officers at two agencies,
// each in a browser; one saves what the other holds, and the inbox that the
// other has open fills without a reload.
func TestAnAlertArrivesInTheOtherAgencysOpenInbox(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so"), Pages: true})
	denver, boulder := net.Agency("denver-pd"), net.Agency("boulder-so")
	atDenver := browser.Open(t)
	signsIn(t, atDenver, denver, "m.okafor")
	entersCase(atDenver, "DPD-2026-0412", "He wrote from J.Doe@Example.ORG on Tuesday.")
	origin, err := denver.Origin()
	if err != nil {
		t.Fatal(err)
	}
	atDenver.Page(origin + "/alerts")
	atDenver.AwaitText("Alerts")

	atBoulder := browser.Open(t)
	signsIn(t, atBoulder, boulder, "a.tafoya")
	entersCase(atBoulder, "BCSO-26-0007", "Account holder: j.doe [at] example [dot] org")

	atDenver.AwaitText("DPD-2026-0412 meets a case of boulder-so")
	atDenver.Screenshot(filepath.Join(t.TempDir(), "inbox.png"), 1280, 800)
	for name, tab := range map[string]*browser.Browser{"denver": atDenver, "boulder": atBoulder} {
		if c := tab.Complaints(); len(c) > 0 {
			t.Errorf("the pages at %s complain: %q", name, c)
		}
	}
}
