package centre

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// An agency whose demand is unusual gets this many elements a second from one
// server, after a burst, until an operator has looked at it.
const (
	throttleRate  = 50
	throttleBurst = wire.MaxEvaluate
)

// A server leases as much again as it did today, at least firstLease, so that a
// busy day takes few leases; but, unless it needs it now, no more than half its
// part of what is left for all of them. Else the first to ask would take a small
// budget alone, and a token takes the others too.
const firstLease = wire.MaxEvaluate

var errThrottled = errors.New("demand is unusual; the centre has been asked to look at it")

// budgets are what this server may still evaluate today, by agency. They live in
// memory alone: what a server that dies had leased is lost.
type budgets struct {
	mu   sync.Mutex
	by   map[directory.AgencyID]*budget // owned by mu
	used map[directory.AgencyID]uint64  // owned by mu; elements since the last tick

	telling sync.Mutex // held while a day is told
	told    *wire.Tick // owned by telling; without an answer yet
}

// budget is one agency's: what the state says that this server has leased since
// it started, less what it spent. So a lease is not lost with whoever asked for it.
type budget struct {
	turn     chan struct{} // holds a token while somebody spends, or asks for a lease
	day      uint64        // owned by turn, as are the next two
	seen     uint64        // leased on that day, of the state; what was before this server started is lost
	left     uint64        // and not spent yet
	throttle *rate.Limiter
}

func newBudgets() *budgets {
	return &budgets{by: make(map[directory.AgencyID]*budget), used: make(map[directory.AgencyID]uint64)}
}

// of returns an agency's budget. One that is new knows of the leases until now
// that they were not asked for by it: now is of a state that this server's start
// came before.
func (b *budgets) of(id directory.AgencyID, now registry.Leased) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by[id] == nil {
		b.by[id] = &budget{
			turn: make(chan struct{}, 1), day: now.Day, seen: now.Amount, throttle: rate.NewLimiter(throttleRate, throttleBurst),
		}
	}
	return b.by[id]
}

// learn takes what the state says; whoever calls has the turn.
func (b *budget) learn(now registry.Leased) {
	if now.Day != b.day {
		b.day, b.seen, b.left = now.Day, 0, 0 // leases end with their day
	}
	b.seen = min(b.seen, now.Amount) // an agency that was removed has no leases
	b.left += now.Amount - b.seen
	b.seen = now.Amount
}

func (b *budgets) add(id directory.AgencyID, elements int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used[id] += uint64(elements)
}

// usage takes what was evaluated since the last time, by agency.
func (b *budgets) usage() []*wire.Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*wire.Usage
	for id, n := range b.used {
		list = append(list, &wire.Usage{Agency: string(id), Elements: n})
	}
	clear(b.used)
	slices.SortFunc(list, func(x, y *wire.Usage) int { return strings.Compare(x.Agency, y.Agency) })
	return list
}

// giveBack puts back what usage took and could not be told.
func (b *budgets) giveBack(list []*wire.Usage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range list {
		b.used[directory.AgencyID(u.Agency)] += u.Elements
	}
}

// spend takes n evaluations off what this server has leased for an agency, and
// leases more where that is too little. Refusals are the registry's, of a budget
// that is used up for one. One request of an agency after another has its turn.
// The day is for whoever gives it back.
func (s *Server) spend(ctx context.Context, id directory.AgencyID, n int) (day uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, proposeTry)
	defer cancel()
	b := s.budgets.of(id, s.leased(id))
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	need, throttled := uint64(n), false
	for ctx.Err() == nil {
		now := s.leased(id)
		b.learn(now)
		if now.Flagged && !throttled {
			if throttled = true; !b.throttle.AllowN(s.now(), n) {
				return 0, wire.Refuse(wire.CodeBusy, errThrottled)
			}
		}
		if b.left >= need {
			b.left -= need
			return b.day, nil
		}
		if err := s.leaseMore(ctx, id, now, need-b.left); err != nil {
			return 0, err
		}
	}
	return 0, ctx.Err()
}

// unspend gives back what was not evaluated after all, unless its day is over.
func (s *Server) unspend(id directory.AgencyID, day uint64, n int) {
	b := s.budgets.of(id, s.leased(id))
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	if b.day == day {
		b.left += uint64(n)
	}
}

// leased is what this server has leased for an agency today.
func (s *Server) leased(id directory.AgencyID) (now registry.Leased) {
	s.cluster.View(func(state *registry.State) { now = state.Leased(s.indexIn(state), id) })
	return now
}

// leaseMore leases at least what is needed, where the budget has so much.
func (s *Server) leaseMore(ctx context.Context, id directory.AgencyID, now registry.Leased, need uint64) error {
	servers := 0
	s.cluster.View(func(state *registry.State) { servers = len(state.Servers()) })
	amount := min(max(need, min(max(firstLease, now.Amount), now.Left/uint64(2*max(1, servers)))), registry.MaxLease)
	m, err := registry.SignStatement(s.secrets.keys.Signing, s.secrets.foundation.Hash, &wire.Lease{
		Server: uint32(s.Index()), Agency: string(id), Day: now.Day, Number: now.Number + 1, Amount: amount,
	})
	if err != nil {
		return err
	}
	index, err := s.propose(ctx, &wire.Command{Of: &wire.Command_Lease{Lease: m}})
	if errors.Is(err, registry.ErrStale) {
		// The day has changed, or a lease of before has come through.
		return s.cluster.Read(ctx, func(*registry.State) {})
	}
	if err != nil {
		return err
	}
	return s.cluster.Await(ctx, index)
}
