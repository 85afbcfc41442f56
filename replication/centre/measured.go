package centre

import (
	"context"
	"errors"
	"sync"
	"time"

	"interlock/crypto/dkg"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// Observer is told of what nobody could read off a server afterwards. It is
// called from many goroutines, and must be quick.
type Observer interface {
	// Evaluated is called for every request of an evaluation: how long the
	// server had it, and how many elements it answered, or why it did not.
	Evaluated(took time.Duration, elements int, refused wire.Code)
}

// measured is what a server keeps for whoever measures it.
type measured struct {
	observer Observer // nil for none

	mu          sync.Mutex
	streams     map[string]int // owned by mu; open ones, by protocol
	published   uint64         // owned by mu; the newest version that was
	unpublished time.Time      // owned by mu; since when a later version waits without progress; zero for none
	ceremony    uint64         // owned by mu; number of the one under way, 0 for none
	phase       dkg.Phase      // owned by mu
	phaseBegan  time.Time      // owned by mu; as seen here

	probe sync.Mutex // held while the folder is written to
}

func newMeasured(o Observer) *measured {
	return &measured{observer: o, streams: make(map[string]int)}
}

// handle serves a protocol, and counts its streams while they are open.
func (s *Server) handle(p wire.Protocol, serve func(context.Context, *link.Stream) error) {
	s.measured.add(p, 0)
	s.host.Handle(p, func(ctx context.Context, st *link.Stream) error {
		s.measured.add(p, 1)
		defer s.measured.add(p, -1)
		return serve(ctx, st)
	})
}

func (m *measured) add(p wire.Protocol, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams[p.ID] += n
}

// evaluated tells the observer how a request ended.
func (m *measured) evaluated(took time.Duration, elements int, err error) {
	if m.observer == nil {
		return
	}
	code := wire.CodeNone
	if err != nil {
		code = wire.CodeUnavailable // which is how the stream ends
		if refusal := (*wire.Refusal)(nil); errors.As(err, &refusal) {
			code = refusal.Code
		}
	}
	m.observer.Evaluated(took, elements, code)
}

// moment is what of the state has a since.
type moment struct {
	version, published, ceremony uint64
	phase                        dkg.Phase
}

// note notes what has begun by now.
func (m *measured) note(seen moment, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case seen.version <= seen.published:
		m.unpublished = time.Time{}
	case m.unpublished.IsZero(), seen.published != m.published:
		m.unpublished = now
	}
	m.published = seen.published
	if seen.ceremony != m.ceremony || seen.phase != m.phase {
		m.ceremony, m.phase, m.phaseBegan = seen.ceremony, seen.phase, now
	}
}

// keepTime notes since when things have been as they are: the state has no
// times of its own.
func (s *Server) keepTime() {
	for s.ctx.Err() == nil {
		changed := s.cluster.Changed()
		_, d, published := s.published.get()
		seen := moment{}
		if d != nil {
			seen.published = d.Version
		}
		s.cluster.View(func(state *registry.State) {
			seen.version = state.Version()
			if c, under := state.Ceremony(); under {
				seen.ceremony, seen.phase = c.Number, c.Transcript.Phase()
			}
		})
		s.measured.note(seen, time.Now())
		select {
		case <-changed:
		case <-published:
		case <-s.ctx.Done():
		}
	}
}
