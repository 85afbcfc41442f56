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

// firstLease is how much a server leases beyond what it needs at first; each
// further lease of the day is twice as large.
const firstLease = wire.MaxEvaluate

var errThrottled = errors.New("demand is unusual; the centre has been asked to look at it")

// budgets are what this server may still evaluate today, by agency. They live in
// memory alone: what a server that dies had leased is lost.
type budgets struct {
	mu   sync.Mutex
	by   map[directory.AgencyID]*budget // owned by mu
	used map[directory.AgencyID]uint64  // owned by mu; elements since the last tick
}

// budget is one agency's.
type budget struct {
	mu       sync.Mutex // held while a lease is asked for
	day      uint64
	left     uint64
	throttle *rate.Limiter
}

func newBudgets() *budgets {
	return &budgets{by: make(map[directory.AgencyID]*budget), used: make(map[directory.AgencyID]uint64)}
}

func (b *budgets) of(id directory.AgencyID) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by[id] == nil {
		b.by[id] = &budget{throttle: rate.NewLimiter(throttleRate, throttleBurst)}
	}
	return b.by[id]
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
// that is used up for one.
func (s *Server) spend(ctx context.Context, id directory.AgencyID, n int) error {
	b := s.budgets.of(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	need := uint64(n)
	for {
		var now registry.Leased
		s.cluster.View(func(state *registry.State) { now = state.Leased(s.indexIn(state), id) })
		if now.Day != b.day {
			b.day, b.left = now.Day, 0 // leases end with their day
		}
		if now.Flagged && !b.throttle.AllowN(s.now(), n) {
			return wire.Refuse(wire.CodeBusy, errThrottled)
		}
		if b.left >= need {
			b.left -= need
			return nil
		}
		if err := s.leaseMore(ctx, b, id, now, need-b.left); err != nil {
			return err
		}
	}
}

// leaseMore leases at least what is needed, where the budget has so much.
func (s *Server) leaseMore(ctx context.Context, b *budget, id directory.AgencyID, now registry.Leased, need uint64) error {
	amount := min(max(need, max(firstLease, now.Amount)), registry.MaxLease)
	m, err := registry.SignStatement(s.secrets.keys.Signing, &wire.Lease{
		Server: uint32(s.Index()), Agency: string(id), Day: now.Day, Number: now.Number + 1, Amount: amount,
	})
	if err != nil {
		return err
	}
	index, err := s.propose(ctx, &wire.Command{Of: &wire.Command_Lease{Lease: m}})
	if err == nil {
		err = s.cluster.Await(ctx, index)
	}
	if errors.Is(err, registry.ErrStale) {
		// The day has changed, or a lease of before a restart has come through.
		return s.cluster.Read(ctx, func(*registry.State) {})
	}
	if err != nil {
		return err
	}
	var after registry.Leased
	s.cluster.View(func(state *registry.State) { after = state.Leased(s.indexIn(state), id) })
	if after.Day == now.Day && after.Number == now.Number+1 {
		b.left += after.Last
	}
	return nil
}
