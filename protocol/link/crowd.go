package link

import (
	"net"
	"net/netip"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// crowd counts who is here by where he comes from, so that nobody takes the
// place of everybody. An address is an IPv4 address, or the /64 that one IPv6
// subscriber has to himself; a network is the IPv4 /24 or the IPv6 /48 around
// it, for a /48 is as easily had as a /64. Loopback is counted and not limited.
// Whoever has a crowd has a mutex that owns it.
type crowd struct {
	address int // most from one address
	network int // most from one network
	all     int
	from    map[netip.Prefix]int
}

func newCrowd(address, network int) *crowd {
	return &crowd{address: address, network: network, from: make(map[netip.Prefix]int)}
}

// place is where somebody comes from, and how many may.
type place struct {
	prefix netip.Prefix
	most   int
}

// places returns what a is counted under. What has no IP is one address.
func (c *crowd) places(a netip.Addr) []place {
	if a.IsLoopback() {
		return nil
	}
	if !a.IsValid() {
		return []place{{most: c.address}}
	}
	address, network := 64, 48
	if a.Is4() {
		address, network = 32, 24
	}
	return []place{
		{netip.PrefixFrom(a, address).Masked(), c.address},
		{netip.PrefixFrom(a, network).Masked(), c.network},
	}
}

// enter counts one from a. It reports false, and counts nothing, where there
// is no room; whoever has entered leaves once.
func (c *crowd) enter(a netip.Addr) bool {
	places := c.places(a)
	for _, p := range places {
		if c.from[p.prefix] >= p.most {
			return false
		}
	}
	for _, p := range places {
		c.from[p.prefix]++
	}
	c.all++
	return true
}

func (c *crowd) leave(a netip.Addr) {
	for _, p := range c.places(a) {
		if c.from[p.prefix]--; c.from[p.prefix] == 0 {
			delete(c.from, p.prefix)
		}
	}
	c.all--
}

// halfFull reports whether half of the room that a shares with its neighbours
// is taken.
func (c *crowd) halfFull(a netip.Addr) bool {
	for _, p := range c.places(a) {
		if 2*c.from[p.prefix] >= p.most {
			return true
		}
	}
	return false
}

// addrOf returns the IP address in a, or the zero Addr where there is none.
func addrOf(a ma.Multiaddr) netip.Addr {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}
	}
	return addrFrom(ip)
}

func addrFrom(ip net.IP) netip.Addr {
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}
