package console

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"interlock/protocol/directory"
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
	addresses *budgets[string]
	triers    *budgets[trier]
	names     *budgets[string]
	enrolling map[ticket]*enrolment
}

// trier is an address that tries a name.
type trier struct{ name, address string }

func newGate() *gate {
	return &gate{
		addresses: newBudgets[string](triesByAddress, addressRefill),
		triers:    newBudgets[trier](triesByTrier, trierRefill),
		names:     newBudgets[string](triesByName, nameRefill),
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
	if wait := g.addresses.wait(by.address, now); wait > 0 {
		return wait
	}
	if wait := max(g.triers.wait(by, now), g.names.wait(by.name, now)); wait > 0 {
		return wait
	}
	g.addresses.take(by.address, now)
	g.triers.take(by, now)
	g.names.take(by.name, now)
	return 0
}

// address returns where r comes from, for counting: the client's, or what a
// trusted proxy says it is; of IPv6 the network of one subscriber.
func (c *Console) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if c.proxy.IsValid() && c.proxy.Contains(address.Unmap()) {
		list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if said, err := netip.ParseAddr(strings.TrimSpace(list[len(list)-1])); err == nil {
			address = said
		}
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}
