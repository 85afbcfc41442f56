package cluster

import (
	"context"
	"sync"

	"github.com/hashicorp/raft"

	"interlock/protocol/directory"
)

// change makes one change of raft's configuration towards servers, and reports
// whether none is left to be made.
func (c *Cluster) change(servers []directory.Server) (done bool) {
	c.changing.Lock()
	defer c.changing.Unlock()
	p := plan{
		c: c, now: c.configuration(), committed: c.raft.CommitIndex(),
		wanted: make(map[raft.ServerAddress]bool),
	}
	p.heard = sync.OnceValue(func() map[raft.ServerAddress]uint64 { return c.progress(p.now) })
	for _, s := range servers {
		p.wanted[addressOf(s.Key)] = true
	}
	for _, step := range []func() (func() raft.Future, bool){p.remove, p.promote, p.add, p.handOver} {
		do, left := step()
		p.left = p.left || left
		if do != nil {
			ctx, cancel := context.WithTimeout(c.ctx, c.timing.rpc())
			defer cancel()
			if err := wait(ctx, do()); err != nil && c.ctx.Err() == nil {
				c.log.Warn("the set of servers that replicate could not be changed", "server", c.self, "cause", err)
			}
			return false
		}
	}
	return !p.left
}

// plan is how the configuration comes to be the wanted one: who leaves goes
// first; then who has caught up gets its vote; then who is new is added without
// one; and a leader that is to leave hands over. Each step returns a change, or
// whether there will be one.
type plan struct {
	c         *Cluster
	now       raft.Configuration
	committed uint64
	wanted    map[raft.ServerAddress]bool
	heard     func() map[raft.ServerAddress]uint64 // who answers, and what it has applied
	left      bool
}

// remove does not take a vote from a server that leaves while those that stay
// could not go on without it.
func (p *plan) remove() (do func() raft.Future, left bool) {
	for _, s := range p.now.Servers {
		if p.wanted[s.Address] || s.Address == p.c.layer.self {
			continue
		}
		left = true
		if s.Suffrage != raft.Voter || p.carried(s.Address) {
			return func() raft.Future { return p.c.raft.RemoveServer(s.ID, 0, enqueueWait) }, true
		}
	}
	return nil, left
}

// carried reports whether a majority of the voters but one answers.
func (p *plan) carried(but raft.ServerAddress) bool {
	voters, answered := 0, 0
	for _, s := range p.now.Servers {
		if s.Suffrage != raft.Voter || s.Address == but {
			continue
		}
		voters++
		if _, ok := p.heard()[s.Address]; ok || s.Address == p.c.layer.self {
			answered++
		}
	}
	return voters > 0 && answered >= directory.Majority(voters)
}

func (p *plan) promote() (do func() raft.Future, left bool) {
	for _, s := range p.now.Servers {
		if !p.wanted[s.Address] || s.Suffrage == raft.Voter {
			continue
		}
		left = true
		if _, ok := p.c.targets[s.Address]; !ok {
			p.c.targets[s.Address] = p.committed
		}
		if applied, ok := p.heard()[s.Address]; ok && applied >= p.c.targets[s.Address] {
			return func() raft.Future { return p.c.raft.AddVoter(s.ID, s.Address, 0, enqueueWait) }, true
		}
	}
	return nil, left
}

func (p *plan) add() (do func() raft.Future, left bool) {
	for a := range p.wanted {
		if _, ok := member(p.now, a); !ok {
			delete(p.c.targets, a)
			return func() raft.Future { return p.c.raft.AddNonvoter(raft.ServerID(a), a, 0, enqueueWait) }, true
		}
	}
	return nil, false
}

func (p *plan) handOver() (do func() raft.Future, left bool) {
	if p.wanted[p.c.layer.self] {
		return nil, false
	}
	for _, s := range p.now.Servers {
		if s.Suffrage == raft.Voter && s.Address != p.c.layer.self {
			return func() raft.Future { return p.c.raft.LeadershipTransfer() }, true
		}
	}
	return nil, true
}

// progress asks every other server of a configuration how much it has applied.
func (c *Cluster) progress(of raft.Configuration) map[raft.ServerAddress]uint64 {
	ctx, cancel := context.WithTimeout(c.ctx, c.timing.Heartbeat)
	defer cancel()
	var mu sync.Mutex
	heard := make(map[raft.ServerAddress]uint64)
	var asked sync.WaitGroup
	for _, s := range of.Servers {
		to, known := c.roster.find(s.Address)
		if !known || s.Address == c.layer.self {
			continue
		}
		asked.Go(func() {
			stream, a, err := c.greet(ctx, to, progress)
			if err != nil || stream.Close() != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			heard[s.Address] = a.applied
		})
	}
	asked.Wait()
	return heard
}
