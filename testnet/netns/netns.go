// Package netns lets real processes meet over a network that loses, delays,
// doubles, reorders and cuts.
//
// Each Place is a Linux network namespace of its own: its only way out is a
// tunnel whose other end this process holds. A Network carries the packets
// between the places and does to them what its Weather says. It needs neither
// the kernel's traffic control nor any tool: a tunnel device (/dev/net/tun) and
// CAP_SYS_ADMIN and CAP_NET_ADMIN are enough. Where they are missing, Join says
// ErrUnavailable.
//
// Namespaces and tunnels have no names outside of this process and processes
// started in a place die with it, so that nothing is left behind, however it
// ends.
//
// What a packet suffers is drawn from a generator of the link it takes, which
// the seed starts: the same sequence of packets suffers the same. The schedule
// of processes is not seeded, so a run is similar to another and not the same.
//
// Its tests are its callers: they run the real binary as a federation.
package netns

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// ErrUnavailable says that this machine or account cannot make namespaces with
// a tunnel.
var ErrUnavailable = errors.New("network namespaces with a tunnel are not to be had here")

// Weather is what packets suffer on every link that is not cut.
type Weather struct {
	Delay  time.Duration // of every packet, one way
	Jitter time.Duration // up to so much more; packets overtake one another by it
	Loss   float64       // share of the packets that vanish
	Double float64       // share of the packets that arrive twice
}

// Counts is what happened to packets.
type Counts struct {
	TCP, UDP  int // delivered
	Lost      int // by Weather.Loss
	Cut       int // sent into a link that was cut
	Doubled   int
	Overtaken int // arrived after one that was sent later
}

// Network carries packets between places.
type Network struct {
	seed    uint64
	weather Weather

	mu     sync.Mutex
	places map[netip.Addr]tunnel // owned by mu, as all below
	links  map[[2]netip.Addr]*link
	counts Counts
	failed error // the first that was not a tunnel being closed
	closed bool
	ends   sync.WaitGroup // of the readers
}

// tunnel is a place's end of the network: a read takes one packet that the
// place sends, a write hands it one.
type tunnel io.ReadWriteCloser

// link is one direction between two places.
type link struct {
	draws   *rand.Rand
	cut     bool
	sent    uint64
	arrived uint64 // the latest sent of those that arrived
}

// New is a network without places.
func New(seed uint64, w Weather) *Network {
	return &Network{seed: seed, weather: w, places: map[netip.Addr]tunnel{}, links: map[[2]netip.Addr]*link{}}
}

// Cut makes all that one place sends another vanish, until Heal. The other
// direction is another cut.
func (n *Network) Cut(from, to netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link(from, to).cut = true
}

// Heal ends every cut.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.cut = false
	}
}

// Counts is what happened until now, over all links.
func (n *Network) Counts() Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts
}

// Close takes every place off the network, and returns what kept it from
// carrying packets.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	var errs []error
	for _, place := range n.places {
		errs = append(errs, place.Close())
	}
	n.mu.Unlock()
	n.ends.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return errors.Join(append(errs, n.failed)...)
}

// link is called with mu held.
func (n *Network) link(from, to netip.Addr) *link {
	key := [2]netip.Addr{from, to}
	l := n.links[key]
	if l == nil {
		a, b := from.As4(), to.As4()
		mark := uint64(a[2])<<24 | uint64(a[3])<<16 | uint64(b[2])<<8 | uint64(b[3])
		l = &link{draws: rand.New(rand.NewPCG(n.seed, mark))}
		n.links[key] = l
	}
	return l
}
