package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestSignInIsRateLimitedByAddress(t *testing.T) {
	g := newGate()
	tries := 0
	for g.wait(fmt.Sprint("name", tries), "192.0.2.1", noon) == 0 {
		tries++
	}
	if tries != triesByAddress {
		t.Errorf("%d names from one address, want %d", tries, triesByAddress)
	}
	if wait := g.wait("somebody", "192.0.2.2", noon); wait != 0 {
		t.Errorf("another address waits %v", wait)
	}
	if wait := g.wait("somebody", "192.0.2.1", noon.Add(addressRefill)); wait != 0 {
		t.Errorf("after the refill the address waits %v", wait)
	}
}

func TestARefusedTryCostsNothing(t *testing.T) {
	g := newGate()
	for range triesByName {
		g.wait("okafor", "192.0.2.1", noon)
	}
	for range 50 {
		if wait := g.wait("okafor", "192.0.2.1", noon); wait <= 0 || wait > nameRefill {
			t.Fatalf("the wait is %v, want up to %v however often it is tried", wait, nameRefill)
		}
	}
}

func TestTheGateForgetsWhomItSawLongestAgo(t *testing.T) {
	b := newBudgets(1, 1)
	if b.wait("first", noon) != 0 || b.wait("first", noon) == 0 {
		t.Fatal("a budget of one try does not hold one try")
	}
	for i := range rememberedTriers - 1 {
		b.wait(fmt.Sprint(i), noon)
	}
	if b.wait("first", noon) == 0 {
		t.Error("a budget is forgotten while there is room")
	}
	for i := range rememberedTriers + 5 {
		b.wait(fmt.Sprint("other", i), noon)
	}
	if got := len(b.byKey); got != rememberedTriers || b.recent.Len() != got {
		t.Errorf("the gate remembers %d (%d listed), want %d", got, b.recent.Len(), rememberedTriers)
	}
	if b.wait("first", noon) != 0 {
		t.Error("the budget not used for longest was kept")
	}
}

func TestTheAddressIsTheClientsOwn(t *testing.T) {
	proxied := &site{proxy: netip.MustParsePrefix("10.1.0.0/16")}
	plain := &site{}
	for _, row := range []struct {
		site               *site
		remote, said, want string
	}{
		{plain, "192.0.2.7:999", "", "192.0.2.7"},
		{plain, "192.0.2.7:999", "203.0.113.1", "192.0.2.7"},
		{plain, "[::ffff:192.0.2.7]:999", "", "192.0.2.7"},
		{plain, "[2001:db8:1:2:3:4:5:6]:999", "", "2001:db8:1:2::/64"},
		{plain, "[fe80::1%eth0]:999", "", "fe80::/64"},
		{proxied, "10.1.2.3:999", "203.0.113.1", "203.0.113.1"},
		{proxied, "10.1.2.3:999", "198.51.100.66, 203.0.113.1", "203.0.113.1"},
		{proxied, "10.1.2.3:999", "2001:db8:1:2:3::", "2001:db8:1:2::/64"},
		{proxied, "10.1.2.3:999", "nonsense", "10.1.2.3"},
		{proxied, "10.1.2.3:999", "", "10.1.2.3"},
		{proxied, "192.0.2.7:999", "203.0.113.1", "192.0.2.7"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/sign-in", nil)
		r.RemoteAddr = row.remote
		if row.said != "" {
			r.Header.Set("X-Forwarded-For", row.said)
		}
		if got := row.site.address(r); got != row.want {
			t.Errorf("from %s saying %q: %s, want %s", row.remote, row.said, got, row.want)
		}
	}
}
