package web

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Budgets of the sign-in. A name's budget also slows whoever knows that name
// and wants to keep its officer out: they cost the officer seconds, not hours.
const (
	triesByName      = 10
	nameRefill       = 20 * time.Second // for one more
	triesByAddress   = 30
	addressRefill    = 4 * time.Second
	rememberedTriers = 10_000 // names, and as many addresses
)

// gate counts the tries to sign in, by name and by address.
type gate struct {
	names, addresses *budgets
}

func newGate() *gate {
	return &gate{
		names:     newBudgets(rate.Every(nameRefill), triesByName),
		addresses: newBudgets(rate.Every(addressRefill), triesByAddress),
	}
}

// wait takes one try from both budgets, or returns how long to wait for one.
func (g *gate) wait(name, address string, now time.Time) time.Duration {
	return max(g.addresses.wait(address, now), g.names.wait(name, now))
}

// budgets are the budgets of many keys; the one not used for longest is
// forgotten when there are too many.
type budgets struct {
	limit rate.Limit
	burst int

	mu     sync.Mutex // owns the two below
	recent *list.List // of *budget, the one used last in front
	byKey  map[string]*list.Element
}

type budget struct {
	key   string
	tries *rate.Limiter
}

func newBudgets(limit rate.Limit, burst int) *budgets {
	return &budgets{limit: limit, burst: burst, recent: list.New(), byKey: map[string]*list.Element{}}
}

// wait takes one try of key, or returns how long it must wait for one.
func (b *budgets) wait(key string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, known := b.byKey[key]
	if !known {
		if b.recent.Len() == rememberedTriers {
			last := b.recent.Back()
			delete(b.byKey, b.recent.Remove(last).(*budget).key)
		}
		e = b.recent.PushFront(&budget{key, rate.NewLimiter(b.limit, b.burst)})
		b.byKey[key] = e
	}
	b.recent.MoveToFront(e)
	try := e.Value.(*budget).tries.ReserveN(now, 1)
	delay := try.DelayFrom(now)
	if delay > 0 {
		try.CancelAt(now)
	}
	return delay
}

// address returns where r comes from, for counting: the client's, or what a
// trusted proxy says it is; of IPv6 the network of one subscriber.
func (s *site) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if s.proxy.IsValid() && s.proxy.Contains(address.Unmap()) {
		list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if said, err := netip.ParseAddr(strings.TrimSpace(list[len(list)-1])); err == nil {
			address = said
		}
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		network, err := address.Prefix(64)
		if err == nil {
			return network.String()
		}
	}
	return address.String()
}
