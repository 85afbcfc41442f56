package link

import (
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Where strangers may apply, any key gets a connection. These keep them from
// taking the place of members.
const (
	maxApplicants     = 64 // connections of applicants
	addressApplicants = 4  // of them from one address, off loopback
	applicantLife     = time.Minute
)

// applicants counts the connections of peers that are applicants and nothing
// else, and ends each of them after applicantLife.
type applicants struct {
	life time.Duration

	mu    sync.Mutex
	conns map[network.Conn]applicant
	from  map[netip.Prefix]int
}

type applicant struct {
	from  netip.Prefix
	timer *time.Timer
}

func newApplicants() *applicants {
	return &applicants{
		life:  applicantLife,
		conns: make(map[network.Conn]applicant),
		from:  make(map[netip.Prefix]int),
	}
}

// add counts c and calls expire when its time is over. It reports false, and
// counts nothing, where there is no room.
func (a *applicants) add(c network.Conn, expire func()) bool {
	from := neighbourhood(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.conns) >= maxApplicants || (!from.Addr().IsLoopback() && a.from[from] >= addressApplicants) {
		return false
	}
	a.from[from]++
	a.conns[c] = applicant{from: from, timer: time.AfterFunc(a.life, expire)}
	return true
}

func (a *applicants) remove(c network.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, ok := a.conns[c]
	if !ok {
		return
	}
	one.timer.Stop()
	delete(a.conns, c)
	if a.from[one.from]--; a.from[one.from] == 0 {
		delete(a.from, one.from)
	}
}

func (a *applicants) has(c network.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.conns[c]
	return ok
}

// neighbourhood is what counts as one address: an IPv4 address, or the /64 that
// one IPv6 subscriber has to himself. What has no IP is one neighbourhood.
func neighbourhood(c network.Conn) netip.Prefix {
	ip, err := manet.ToIP(c.RemoteMultiaddr())
	if err != nil {
		return netip.Prefix{}
	}
	addr, _ := netip.AddrFromSlice(ip)
	addr = addr.Unmap()
	bits := 64
	if addr.Is4() || addr.IsLoopback() {
		bits = addr.BitLen()
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
