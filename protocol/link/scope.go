package link

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	ma "github.com/multiformats/go-multiaddr"
)

var (
	errShaking = errors.New("too many handshakes with one neighbourhood")
	errNoLimit = errors.New("limits of the peer are not ours")
)

// limits is libp2p's resource manager, which both transports ask before the
// handshake of a connection. It also knows where connections come from until
// they stand, and what an applicant may hold.
type limits struct {
	network.ResourceManager
	applicant func(peer.ID) bool // is an applicant and nothing else

	// grading keeps an older answer of applicant from overwriting a newer one.
	grading sync.Mutex

	mu      sync.Mutex
	shaking *crowd // owned by mu
}

// OpenConnection counts an incoming connection until settle or Done is called
// on its scope. libp2p calls Done whenever a connection ends, and where it
// never came to stand, after the handshake's time at the latest.
func (l *limits) OpenConnection(dir network.Direction, usefd bool, endpoint ma.Multiaddr) (network.ConnManagementScope, error) {
	settle := func() {}
	if dir == network.DirInbound {
		from := addrOf(endpoint)
		if !l.enter(from) {
			return nil, errShaking
		}
		settle = sync.OnceFunc(func() { l.leave(from) })
	}
	scope, err := l.ResourceManager.OpenConnection(dir, usefd, endpoint)
	if err != nil {
		settle()
		return nil, err
	}
	return &connScope{scope, l, settle}, nil
}

// VerifySourceAddress has QUIC make the other side prove its address once half
// the room is taken, so that nobody fills it in another's name.
func (l *limits) VerifySourceAddress(addr net.Addr) bool {
	if l.ResourceManager.VerifySourceAddress(addr) {
		return true
	}
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return 2*l.shaking.all >= maxShaking || l.shaking.halfFull(addrFrom(udp.IP))
}

func (l *limits) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shaking.enter(from)
}

func (l *limits) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shaking.leave(from)
}

// handshakes returns how many incoming connections do not stand yet.
func (l *limits) handshakes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shaking.all
}

// grade gives the peer the limits of what it is now.
func (l *limits) grade(id peer.ID) error {
	l.grading.Lock()
	defer l.grading.Unlock()
	applicant := l.applicant(id)
	return l.ViewPeer(id, func(s network.PeerScope) error {
		scope, ok := s.(rcmgr.ResourceScopeLimiter)
		if !ok {
			return errNoLimit
		}
		limit, ok := scope.Limit().(*peerLimit)
		if !ok {
			return errNoLimit
		}
		limit.applicant.Store(applicant)
		return nil
	})
}

// connScope is what one connection holds.
type connScope struct {
	network.ConnManagementScope
	limits *limits
	settle func() // the handshake is over; further calls do nothing
}

// SetPeer comes when the peer is known, and before there can be a stream.
func (c *connScope) SetPeer(id peer.ID) error {
	if err := c.ConnManagementScope.SetPeer(id); err != nil {
		return err
	}
	return c.limits.grade(id)
}

func (c *connScope) Done() {
	c.settle()
	c.ConnManagementScope.Done()
}

// settled says that c stands: its handshake and the choice of its multiplexer,
// which a peer can hold up as well, are over.
func settled(c network.Conn) {
	if scope, ok := c.Scope().(*connScope); ok {
		scope.settle()
	}
}

// peerLimiter gives each peer limits that can change. libp2p's own way to
// change them keeps what it knows of a peer for ever.
type peerLimiter struct{ rcmgr.Limiter }

func (l peerLimiter) GetPeerLimits(id peer.ID) rcmgr.Limit {
	return &peerLimit{member: l.Limiter.GetPeerLimits(id)}
}

type peerLimit struct {
	applicant atomic.Bool
	member    rcmgr.Limit
}

func (l *peerLimit) now() rcmgr.Limit {
	if l.applicant.Load() {
		return applicantLimit()
	}
	return l.member
}

func (l *peerLimit) GetMemoryLimit() int64                  { return l.now().GetMemoryLimit() }
func (l *peerLimit) GetStreamLimit(d network.Direction) int { return l.now().GetStreamLimit(d) }
func (l *peerLimit) GetStreamTotalLimit() int               { return l.now().GetStreamTotalLimit() }
func (l *peerLimit) GetConnLimit(d network.Direction) int   { return l.now().GetConnLimit(d) }
func (l *peerLimit) GetConnTotalLimit() int                 { return l.now().GetConnTotalLimit() }
func (l *peerLimit) GetFDLimit() int                        { return l.now().GetFDLimit() }
