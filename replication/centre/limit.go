package centre

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"interlock/protocol/wire"
)

// How often strangers may ask. A question costs a search, an application a
// round of the cluster, and the answer to a member the whole directory.
const (
	askRate, askBurst     = 2, 20   // of one peer, a second
	applyRate, applyBurst = 0.2, 5  // applications of one peer
	allRate, allBurst     = 20, 200 // applications of all peers together
	remembered            = 4096    // peers
)

// limits meters the admission protocol.
type limits struct {
	now func() time.Time
	all *rate.Limiter

	mu    sync.Mutex
	peers map[wire.Peer]*peerLimits // owned by mu
}

type peerLimits struct{ ask, apply *rate.Limiter }

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, all: rate.NewLimiter(allRate, allBurst), peers: make(map[wire.Peer]*peerLimits)}
}

// allow reports whether p may ask now, and, where it applies, apply.
func (l *limits) allow(p wire.Peer, applies bool) bool {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.peers[p]
	if one == nil {
		if len(l.peers) >= remembered && !l.forget(now) {
			return false
		}
		one = &peerLimits{ask: rate.NewLimiter(askRate, askBurst), apply: rate.NewLimiter(applyRate, applyBurst)}
		l.peers[p] = one
	}
	if !one.ask.AllowN(now, 1) {
		return false
	}
	return !applies || one.apply.AllowN(now, 1) && l.all.AllowN(now, 1)
}

// forget drops the peers that have been quiet long enough to start afresh, and
// reports whether there were any.
func (l *limits) forget(now time.Time) bool {
	before := len(l.peers)
	for p, one := range l.peers {
		if one.ask.TokensAt(now) >= askBurst && one.apply.TokensAt(now) >= applyBurst {
			delete(l.peers, p)
		}
	}
	return len(l.peers) < before
}
