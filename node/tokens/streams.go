package tokens

import (
	"context"
	"slices"
	"sync"
	"time"

	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// Opener opens streams to registry servers; a link.Host is one.
type Opener interface {
	Open(context.Context, wire.Peer, wire.Protocol) (*link.Stream, error)
}

// keepFor is how long a stream waits for its next request; the server would end it
// after twice that.
func keepFor() time.Duration { return wire.ProtocolEvaluate.Idle / 2 }

// streams keeps streams to servers open between two requests, which spares the
// second the round trip of opening one.
type streams struct {
	open Opener
	keep time.Duration // how long a stream may wait for its next request

	mu     sync.Mutex
	closed bool                 // owned by mu
	idle   map[wire.Peer][]kept // owned by mu; the last used at the end
}

// kept is a stream with nothing under way.
type kept struct {
	stream *link.Stream
	expiry *time.Timer
}

func newStreams(open Opener, keep time.Duration) *streams {
	return &streams{open: open, keep: keep, idle: map[wire.Peer][]kept{}}
}

// fresh opens a stream.
func (s *streams) fresh(ctx context.Context, to wire.Peer) (*link.Stream, error) {
	return s.open.Open(ctx, to, wire.ProtocolEvaluate)
}

// used returns a stream that was used before, if one is kept. The other side may
// have ended it since.
func (s *streams) used(to wire.Peer) (*link.Stream, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.idle[to]
	if len(list) == 0 {
		return nil, false
	}
	last := list[len(list)-1]
	last.expiry.Stop() // where it is too late, expire finds nothing
	s.set(to, list[:len(list)-1])
	return last.stream, true
}

// put keeps a stream for the next request, unless there are enough.
func (s *streams) put(to wire.Peer, stream *link.Stream) {
	s.mu.Lock()
	full := s.closed || len(s.idle[to]) >= inFlight
	if !full {
		expiry := time.AfterFunc(s.keep, func() { s.expire(to, stream) })
		s.idle[to] = append(s.idle[to], kept{stream, expiry})
	}
	s.mu.Unlock()
	if full {
		stream.Reset(wire.CodeNone)
	}
}

// expire ends a stream that was not used again.
func (s *streams) expire(to wire.Peer, stream *link.Stream) {
	s.mu.Lock()
	before := len(s.idle[to])
	s.set(to, slices.DeleteFunc(s.idle[to], func(k kept) bool { return k.stream == stream }))
	found := len(s.idle[to]) < before
	s.mu.Unlock()
	if found {
		stream.Reset(wire.CodeNone)
	}
}

// drop ends what is kept to one server, as when one of its streams was dead.
func (s *streams) drop(to wire.Peer) {
	s.mu.Lock()
	list := s.idle[to]
	s.set(to, nil)
	s.mu.Unlock()
	for _, k := range list {
		k.expiry.Stop()
		k.stream.Reset(wire.CodeNone)
	}
}

// set replaces what is kept to one server. s.mu is held.
func (s *streams) set(to wire.Peer, list []kept) {
	s.idle[to] = list
	if len(list) == 0 {
		delete(s.idle, to)
	}
}

// close ends what is kept. Nothing is kept any more.
func (s *streams) close() {
	s.mu.Lock()
	s.closed = true
	var servers []wire.Peer
	for to := range s.idle {
		servers = append(servers, to)
	}
	s.mu.Unlock()
	for _, to := range servers {
		s.drop(to)
	}
}
