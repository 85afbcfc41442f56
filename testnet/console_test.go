package testnet

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/replication/centre"
	"interlock/replication/console"
	"interlock/testnet/browser"
)

const operatorPassphrase = "four words without sense"

// opensConsole serves a console for the federation's operators, and returns its
// address.
func (n *Net) opensConsole(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range operators {
		from := filepath.Join(filepath.Dir(n.network), "operators", name)
		lock, err := vault.KeyFile(from + ".key")
		if err != nil {
			t.Fatal(err)
		}
		keys, err := vault.LoadKeys(from+".age", lock)
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Save(filepath.Join(dir, name+".age"), vault.Passphrase([]byte(operatorPassphrase))); err != nil {
			t.Fatal(err)
		}
		keys.Destroy()
	}
	b, err := os.ReadFile(n.network)
	if err != nil {
		t.Fatal(err)
	}
	network, err := directory.ParseNetwork(b)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := &url.URL{Scheme: "http", Host: l.Addr().String()}
	c, err := console.New(console.Options{
		Network: network.Name, Operators: dir, Origin: origin, Log: slog.New(slog.DiscardHandler), Clock: time.Now,
		Open: func(keys *vault.Keys) (console.Registry, error) { return centre.OpenOperator(network, keys, nil) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve the console: %v", err)
		}
	})
	return origin.String()
}

// enrolsAtConsole signs an operator in for the first time.
func enrolsAtConsole(t *testing.T, tab *browser.Browser, address, name string) {
	t.Helper()
	tab.Page(address)
	tab.Fill("#name", name)
	tab.Fill("#passphrase", operatorPassphrase)
	tab.Click("main form button")
	tab.AwaitText("Set up your second factor")
	secret := strings.ReplaceAll(browser.Value[string](tab, `document.querySelector(".steps .value").textContent`), " ", "")
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tab.Fill("#code", code)
	tab.Click("main form button")
	tab.AwaitText("Needs a person now")
}

// TestTwoOperatorsDecideAtTheConsole: two operators, each in a browser, on a real
// registry. What they decide is in the directory that the servers sign.
func TestTwoOperatorsDecideAtTheConsole(t *testing.T) {
	fed := Start(t, Plan{Agencies: Members("denver-pd")})
	address := fed.opensConsole(t)
	first, second := browser.Open(t), browser.Open(t)
	enrolsAtConsole(t, first, address, operators[0])
	enrolsAtConsole(t, second, address, operators[1])

	second.Page(address + "/motions")
	second.AwaitText("No motion waits")
	first.Page(address + "/motions/new/policy?quota=denver-pd")
	first.Fill("#f-retention", "730")
	first.Fill("#f-quotas", "denver-pd: 12,345")
	first.Fill("#f-reason", "as the members agreed")
	first.Click("form.narrow button")
	first.AwaitText("The motion is put.")
	second.AwaitText("Change the policy") // by itself
	second.Click("td a")
	second.AwaitText("730 days")
	second.Click("form[action$=approve] button")
	second.AwaitText("The motion is carried.")
	if err := fed.AwaitDirectory(t.Context(), func(d *directory.Directory) bool {
		return d.Policy.Retention == 730 && d.Policy.DailyOf("denver-pd") == 12_345
	}); err != nil {
		t.Fatalf("the policy: %v", err)
	}

	first.Page(address + "/invitations")
	first.Fill("#label", "Boulder County Sheriff")
	first.Click("form.narrow button")
	first.AwaitText("As a QR code")
	if got := browser.Value[string](first, `document.querySelector("#invitation").value`); !strings.HasPrefix(got, "INTERLOCK1-") {
		t.Errorf("the invitation is %q", got)
	}

	first.Page(address + "/agencies/denver-pd")
	first.AwaitText("12,345")
	first.Fill("#suspend-reason", "a disk was lost")
	first.Click("form[action$=suspend] button")
	first.AwaitText("Suspended by first-operator: a disk was lost")
	if err := fed.AwaitDirectory(t.Context(), func(d *directory.Directory) bool {
		a, ok := d.Agency("denver-pd")
		return ok && a.Status == directory.Suspended
	}); err != nil {
		t.Fatalf("the suspension: %v", err)
	}
	first.Page(address + "/record")
	first.AwaitText("first-operator suspended denver-pd")
	first.AwaitText("second-operator approved: Change the policy. It was carried")
	browser.Value[string](first, `(fetch("/record/export").then(r => r.text()).then(t => document.body.dataset.export = t.length), "")`)
	first.AwaitValue("document.body.dataset.export > 1000", "true")
	for name, tab := range map[string]*browser.Browser{"first": first, "second": second} {
		if c := tab.Complaints(); len(c) > 0 {
			t.Errorf("the pages of the %s operator complain: %q", name, c)
		}
	}
}
