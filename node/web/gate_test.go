package web

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"interlock/protocol/pages"
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
	known := g.names.Len()
	for range 2 * triesByName {
		if wait := g.wait(newTrier("okafor", "192.0.2.1"), noon); wait != addressRefill {
			t.Fatalf("the address waits %v, want %v", wait, addressRefill)
		}
	}
	if got := g.names.Len(); got != known || g.triers.Len() != known {
		t.Errorf("an address that must wait left %d names and %d triers, want %d", got, g.triers.Len(), known)
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
	for i := range pages.Remembered {
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
	if g.names.Len() != 1 || g.triers.Len() != 1 {
		t.Errorf("%d names and %d triers are kept, want 1", g.names.Len(), g.triers.Len())
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

func TestWhoSignedInLongestAgoMakesRoom(t *testing.T) {
	g := newGate()
	for i := range pages.Remembered + 5 {
		g.prove(newTrier("okafor", fmt.Sprint(i)), noon.Add(time.Duration(i)))
	}
	_, first := g.proven[newTrier("okafor", "4")]
	_, later := g.proven[newTrier("okafor", "5")]
	if len(g.proven) != pages.Remembered || first || !later {
		t.Errorf("%d are proven (the oldest: %v, a later one: %v), want the %d last", len(g.proven), first, later, pages.Remembered)
	}
}
