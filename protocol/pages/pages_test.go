package pages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestASpentBudgetIsNotPushedOut(t *testing.T) {
	b := NewBudgets[string](2, time.Second)
	b.Take("victim", noon)
	b.Take("victim", noon)
	for i := range Remembered - 1 {
		if wait := b.Wait(fmt.Sprint(i), noon); wait != 0 {
			t.Fatalf("there is room, but key %d waits %v", i, wait)
		}
		b.Take(fmt.Sprint(i), noon)
	}
	if wait := b.Wait("new", noon); wait != time.Second {
		t.Errorf("beyond the room a new key waits %v, want until the first budget is full: %v", wait, time.Second)
	}
	if b.Wait("0", noon) != 0 {
		t.Error("a key that is known waits for room")
	}
	soon := noon.Add(time.Second)
	if wait := b.Wait("new", soon); wait != 0 {
		t.Errorf("a new key waits %v when others are full again", wait)
	}
	if got := len(b.full); got != 1 {
		t.Errorf("%d budgets are kept, want the one that is not full", got)
	}
	b.Take("victim", soon)
	if b.Wait("victim", soon) != time.Second {
		t.Error("the spent budget was forgotten before it was full")
	}
}

func TestTheAddressIsTheClientsOwn(t *testing.T) {
	proxied, plain := netip.MustParsePrefix("10.1.0.0/16"), netip.Prefix{}
	for _, row := range []struct {
		proxy              netip.Prefix
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
		if got := Client(r, row.proxy); got != row.want {
			t.Errorf("from %s saying %q: %s, want %s", row.remote, row.said, got, row.want)
		}
	}
}
