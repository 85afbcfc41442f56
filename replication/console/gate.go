package console

import (
	"strings"
	"sync"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/pages"
)

// Budgets of the sign-in. One address has few tries at one name, so that nobody
// spends them for an operator who sits elsewhere; all addresses together have
// more.
const (
	triesByAddress = 20
	addressRefill  = 6 * time.Second // for one more
	triesByTrier   = 6
	trierRefill    = 20 * time.Second
	triesByName    = 60
	nameRefill     = 20 * time.Second
)

// gate counts the tries to sign in, and keeps those who are half through: they
// know the passphrase and have no second factor yet.
type gate struct {
	mu        sync.Mutex // owns what follows
	addresses *pages.Budgets[string]
	triers    *pages.Budgets[trier]
	names     *pages.Budgets[string]
	enrolling map[ticket]*enrolment
}

// trier is an address that tries a name.
type trier struct{ name, address string }

func newGate() *gate {
	return &gate{
		addresses: pages.NewBudgets[string](triesByAddress, addressRefill),
		triers:    pages.NewBudgets[trier](triesByTrier, trierRefill),
		names:     pages.NewBudgets[string](triesByName, nameRefill),
		enrolling: map[ticket]*enrolment{},
	}
}

// newTrier is who tries name from address. Whatever is no operator's name is
// one name together. The copy lets go of the form that the name came in.
func newTrier(name, address string) trier {
	if _, err := directory.ParseAgencyID(name); err != nil {
		name = ""
	}
	return trier{strings.Clone(name), address}
}

// wait takes one try, or returns how long to wait for one and takes nothing.
// An address that must wait reaches no name.
func (g *gate) wait(by trier, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait := g.addresses.Wait(by.address, now); wait > 0 {
		return wait
	}
	if wait := max(g.triers.Wait(by, now), g.names.Wait(by.name, now)); wait > 0 {
		return wait
	}
	g.addresses.Take(by.address, now)
	g.triers.Take(by, now)
	g.names.Take(by.name, now)
	return 0
}
