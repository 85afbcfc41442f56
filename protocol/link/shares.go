package link

import (
	"context"
	"sync"
	"time"

	"interlock/protocol/wire"
)

// shareWait is how long a stream over its peer's share waits for one of the
// peer's others to end. A peer that closes one stream and opens the next can
// overtake itself here.
const shareWait = 250 * time.Millisecond

type shareKey struct {
	peer     wire.Peer
	protocol string
}

// shares limits how many streams of one protocol a peer has served at a time.
// The zero value is ready.
type shares struct {
	mu sync.Mutex
	m  map[shareKey]*share
}

type share struct {
	slots chan struct{}
	users int // who holds or waits for a slot; owned by shares.mu
}

// take waits for a slot and reports whether it got one; who got one gives it
// back.
func (s *shares) take(ctx context.Context, k shareKey, limit int) bool {
	s.mu.Lock()
	if s.m == nil {
		s.m = make(map[shareKey]*share)
	}
	one := s.m[k]
	if one == nil {
		one = &share{slots: make(chan struct{}, limit)}
		s.m[k] = one
	}
	one.users++
	s.mu.Unlock()
	if one.enter(ctx) {
		return true
	}
	s.leave(k, one)
	return false
}

func (one *share) enter(ctx context.Context) bool {
	select {
	case one.slots <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(shareWait)
	defer timer.Stop()
	select {
	case one.slots <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (s *shares) give(k shareKey) {
	s.mu.Lock()
	one := s.m[k]
	s.mu.Unlock()
	<-one.slots
	s.leave(k, one)
}

func (s *shares) leave(k shareKey, one *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(s.m, k)
	}
}
