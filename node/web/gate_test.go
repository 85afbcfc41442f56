package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// tries lets the address try the name until it must wait, and returns how
// often it could and how long it must.
func (g *gate) tries(name, address string) (n int, wait time.Duration) {
	for by := newTrier(name, address); wait == 0; n++ {
		wait = g.wait(by, noon)
	}
	return n - 1, wait
}

func TestSignInIsRateLimitedByAddress(t *testing.T) {
	g := newGate()
	tries := 0
	for g.wait(newTrier(fmt.Sprint("name", tries), "192.0.2.1"), noon) == 0 {
		tries++
	}
	if tries != triesByAddress {
		t.Errorf("%d names from one address, want %d", tries, triesByAddress)
	}
	if wait := g.wait(newTrier("somebody", "192.0.2.2"), noon); wait != 0 {
		t.Errorf("another address waits %v", wait)
	}
	if wait := g.wait(newTrier("somebody", "192.0.2.1"), noon.Add(addressRefill)); wait != 0 {
		t.Errorf("after the refill the address waits %v", wait)
	}
}

func TestARefusedTryCostsNothing(t *testing.T) {
	g := newGate()
	if got, wait := g.tries("okafor", "192.0.2.1"); got != triesByTrier || wait != trierRefill {
		t.Errorf("%d tries and then a wait of %v, want %d and %v", got, wait, triesByTrier, trierRefill)
	}
	for range 50 {
		if wait := g.wait(newTrier("okafor", "192.0.2.1"), noon); wait != trierRefill {
			t.Fatalf("the wait is %v, want %v however often it is tried", wait, trierRefill)
		}
	}
	if wait := g.wait(newTrier("lee", "192.0.2.1"), noon); wait != 0 {
		t.Errorf("another officer at the address waits %v", wait)
	}
	if wait := g.wait(newTrier("okafor", "192.0.2.1"), noon.Add(trierRefill)); wait != 0 {
		t.Errorf("after the refill the wait is %v", wait)
	}
}

func TestAnAddressThatMustWaitSpendsNoName(t *testing.T) {
	g := newGate()
	for i := range triesByAddress {
		g.wait(newTrier(fmt.Sprint("name", i), "192.0.2.1"), noon)
	}
	known := len(g.names.full)
	for range 2 * triesByName {
		if wait := g.wait(newTrier("okafor", "192.0.2.1"), noon); wait != addressRefill {
			t.Fatalf("the address waits %v, want %v", wait, addressRefill)
		}
	}
	if got := len(g.names.full); got != known || len(g.triers.full) != known {
		t.Errorf("an address that must wait left %d names and %d triers, want %d", got, len(g.triers.full), known)
	}
}

func TestTriesFromElsewhereDoNotLockAnOfficerOut(t *testing.T) {
	g := newGate()
	g.tries("okafor", "192.0.2.1")
	if wait := g.wait(newTrier("okafor", "198.51.100.1"), noon); wait != 0 {
		t.Errorf("after the tries of one other address the officer waits %v", wait)
	}
	g.prove(newTrier("okafor", "198.51.100.1"), noon)
	for i := range triesByName {
		g.tries("okafor", fmt.Sprint("203.0.113.", i))
	}
	if got, wait := g.tries("okafor", "192.0.2.99"); got != 0 || wait > nameRefill {
		t.Errorf("all addresses together had more than %d tries: %d (wait %v)", triesByName, got, wait)
	}
	if wait := g.wait(newTrier("okafor", "198.51.100.1"), noon); wait != 0 {
		t.Errorf("where the officer signed in before the wait is %v", wait)
	}
	if got, _ := g.tries("okafor", "198.51.100.1"); got != triesByTrier-1 {
		t.Errorf("where the officer signed in before there are %d tries more, want %d", got, triesByTrier-1)
	}
}

func TestManyTriersLeaveRoomForWhoSignedInBefore(t *testing.T) {
	g := newGate()
	g.prove(newTrier("okafor", "198.51.100.1"), noon)
	for i := range remembered {
		g.wait(newTrier(fmt.Sprint("name", i), fmt.Sprint("stranger", i/triesByAddress)), noon)
	}
	if wait := g.wait(newTrier("lee", "192.0.2.1"), noon); wait == 0 {
		t.Error("there is room without an end")
	}
	if wait := g.wait(newTrier("okafor", "198.51.100.1"), noon); wait != 0 {
		t.Errorf("where the officer signed in before the wait is %v", wait)
	}
}

func TestTriesAtTheSignInDoNotKeepAnOfficerFromANewPassword(t *testing.T) {
	g := newGate()
	for i := range triesByName {
		g.tries("okafor", fmt.Sprint("203.0.113.", i))
	}
	for range triesByTrier {
		if wait := g.waitToChange("okafor", noon); wait != 0 {
			t.Fatalf("the wait is %v", wait)
		}
	}
	if wait := g.waitToChange("okafor", noon); wait != trierRefill {
		t.Errorf("after %d guesses at the old password the wait is %v, want %v", triesByTrier, wait, trierRefill)
	}
}

func TestNamesThatNobodyCanHaveAreOneName(t *testing.T) {
	g := newGate()
	for i := range triesByTrier {
		g.wait(newTrier(strings.Repeat("x", 100+i), "192.0.2.1"), noon)
	}
	if len(g.names.full) != 1 || len(g.triers.full) != 1 {
		t.Errorf("%d names and %d triers are kept, want 1", len(g.names.full), len(g.triers.full))
	}
	if wait := g.wait(newTrier("no name!", "192.0.2.1"), noon); wait != trierRefill {
		t.Errorf("one more waits %v, want %v", wait, trierRefill)
	}
}

func TestTheGateDoesNotKeepTheFormsItSaw(t *testing.T) {
	g := newGate()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 200 {
		form := fmt.Sprintf("name%d&", i) + strings.Repeat("x", 1<<20)
		name, _, _ := strings.Cut(form, "&")
		g.wait(newTrier(name, fmt.Sprint("192.0.2.", i)), noon)
		g.wait(newTrier(form, fmt.Sprint("192.0.2.", i)), noon)
	}
	if after := heap(); after > before+20<<20 {
		t.Errorf("200 forms of 1 MiB left %d MiB", (after-before)>>20)
	}
	runtime.KeepAlive(g)
}

func TestASpentBudgetIsNotPushedOut(t *testing.T) {
	b := newBudgets[string](2, time.Second)
	b.take("victim", noon)
	b.take("victim", noon)
	for i := range remembered - 1 {
		if wait := b.wait(fmt.Sprint(i), noon); wait != 0 {
			t.Fatalf("there is room, but key %d waits %v", i, wait)
		}
		b.take(fmt.Sprint(i), noon)
	}
	if wait := b.wait("new", noon); wait != time.Second {
		t.Errorf("beyond the room a new key waits %v, want until the first budget is full: %v", wait, time.Second)
	}
	if b.wait("0", noon) != 0 {
		t.Error("a key that is known waits for room")
	}
	soon := noon.Add(time.Second)
	if wait := b.wait("new", soon); wait != 0 {
		t.Errorf("a new key waits %v when others are full again", wait)
	}
	if got := len(b.full); got != 1 {
		t.Errorf("%d budgets are kept, want the one that is not full", got)
	}
	b.take("victim", soon)
	if b.wait("victim", soon) != time.Second {
		t.Error("the spent budget was forgotten before it was full")
	}
}

func TestWhoSignedInLongestAgoMakesRoom(t *testing.T) {
	g := newGate()
	for i := range remembered + 5 {
		g.prove(newTrier("okafor", fmt.Sprint(i)), noon.Add(time.Duration(i)))
	}
	_, first := g.proven[newTrier("okafor", "4")]
	_, later := g.proven[newTrier("okafor", "5")]
	if len(g.proven) != remembered || first || !later {
		t.Errorf("%d are proven (the oldest: %v, a later one: %v), want the %d last", len(g.proven), first, later, remembered)
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
