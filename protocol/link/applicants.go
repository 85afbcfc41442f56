package link

import (
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// Where strangers may apply, any key gets a connection. These keep them from
// taking the place of members.
const (
	maxApplicants     = 64 // connections of applicants
	addressApplicants = 4  // of them from one address, off loopback
	networkApplicants = 8  // and from one network
	applicantLife     = time.Minute
)

// applicants counts the connections of peers that are applicants and nothing
// else, and ends each of them after applicantLife.
type applicants struct {
	life time.Duration

	mu    sync.Mutex
	conns map[network.Conn]applicant
	crowd *crowd
}

type applicant struct {
	from  netip.Addr
	timer *time.Timer
}

func newApplicants() *applicants {
	return &applicants{
		life:  applicantLife,
		conns: make(map[network.Conn]applicant),
		crowd: newCrowd(addressApplicants, networkApplicants),
	}
}

// add counts c and calls expire when its time is over. It reports false, and
// counts nothing, where there is no room.
func (a *applicants) add(c network.Conn, expire func()) bool {
	from := addrOf(c.RemoteMultiaddr())
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.conns) >= maxApplicants || !a.crowd.enter(from) {
		return false
	}
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
	a.crowd.leave(one.from)
}

func (a *applicants) has(c network.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.conns[c]
	return ok
}
