package web

import (
	"strings"
	"sync"
	"time"

	"interlock/node/casefile"
	"interlock/protocol/pages"
)

// Budgets of the sign-in. One address has few tries at one name, so that
// nobody spends them for an officer who sits elsewhere; all addresses together
// have many more.
const (
	triesByAddress = 30
	addressRefill  = 4 * time.Second // for one more
	triesByTrier   = 10
	trierRefill    = 20 * time.Second
	triesByName    = 200
	nameRefill     = 10 * time.Second
)

// gate counts the tries to sign in.
type gate struct {
	mu        sync.Mutex // owns what follows
	addresses *pages.Budgets[string]
	triers    *pages.Budgets[trier]
	known     *pages.Budgets[trier] // of the proven, whom strangers leave no less room
	names     *pages.Budgets[casefile.OfficerName]
	changes   *pages.Budgets[casefile.OfficerName] // of the password, by somebody signed in
	proven    map[trier]time.Time                  // who has signed in, and when last
}

// trier is an address that tries a name.
type trier struct {
	name    casefile.OfficerName
	address string
}

func newGate() *gate {
	return &gate{
		addresses: pages.NewBudgets[string](triesByAddress, addressRefill),
		triers:    pages.NewBudgets[trier](triesByTrier, trierRefill),
		known:     pages.NewBudgets[trier](triesByTrier, trierRefill),
		names:     pages.NewBudgets[casefile.OfficerName](triesByName, nameRefill),
		changes:   pages.NewBudgets[casefile.OfficerName](triesByTrier, trierRefill),
		proven:    map[trier]time.Time{},
	}
}

// newTrier is who tries name from address. Whatever is no sign-in name is one
// name together. The copy lets go of the form that the name came in.
func newTrier(name, address string) trier {
	valid, err := casefile.ParseOfficerName(name)
	if err != nil {
		valid = ""
	}
	return trier{casefile.OfficerName(strings.Clone(string(valid))), address}
}

// wait takes one try, or returns how long to wait for one and takes nothing.
// An address that must wait reaches no name. A trier that has signed in before
// does not share the tries that everybody has at its name.
func (g *gate) wait(by trier, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait := g.addresses.Wait(by.address, now); wait > 0 {
		return wait
	}
	if _, proven := g.proven[by]; proven {
		return g.takeBoth(by, g.known, now)
	}
	if wait := g.names.Wait(by.name, now); wait > 0 {
		return wait
	}
	wait := g.takeBoth(by, g.triers, now)
	if wait == 0 {
		g.names.Take(by.name, now)
	}
	return wait
}

// takeBoth takes one try of by, and one of its address, which has one.
func (g *gate) takeBoth(by trier, triers *pages.Budgets[trier], now time.Time) time.Duration {
	wait := triers.Wait(by, now)
	if wait == 0 {
		triers.Take(by, now)
		g.addresses.Take(by.address, now)
	}
	return wait
}

// waitToChange is wait for an officer who is signed in and says the old
// password for a new one.
func (g *gate) waitToChange(name casefile.OfficerName, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := g.changes.Wait(name, now)
	if wait == 0 {
		g.changes.Take(name, now)
	}
	return wait
}

// prove notes that a trier knew the password. The one whose last sign-in is
// the longest ago makes room.
func (g *gate) prove(by trier, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.proven[by] = now
	if len(g.proven) <= pages.Remembered {
		return
	}
	oldest := by
	for other, last := range g.proven {
		if last.Before(g.proven[oldest]) {
			oldest = other
		}
	}
	delete(g.proven, oldest)
}
