package cluster

import (
	"slices"

	"github.com/hashicorp/raft"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// Status returns where this server stands now.
func (c *Cluster) Status() Status {
	leader, ok := c.leader()
	s := Status{
		Leading: c.raft.State() == raft.Leader, Applied: c.machine.lastApplied(), Standing: c.standing(),
		Incarnation: c.part.now().incarnation.number, RefusedBy: c.roster.refusing(),
	}
	if ok {
		s.Leader = leader.index
	}
	return s
}

// standing reads raft's configuration, which has the last word. A server that
// was removed while it was down is not told by raft: the others turn it away, and
// no leader speaks with it.
func (c *Cluster) standing() Standing {
	p := c.part.now()
	if p.outdated {
		return Outdated
	}
	configuration := c.configuration()
	if p.waiting || len(configuration.Servers) == 0 {
		return Waiting
	}
	leader, _ := c.raft.LeaderWithID()
	turnedAway := leader == "" && c.roster.turning() >= directory.Majority(len(configuration.Servers))
	switch me, ok := member(configuration, c.layer.self); {
	case !ok || turnedAway:
		return Removed
	case me.Suffrage != raft.Voter || p.stage == joining && c.raft.AppliedIndex() < p.floor:
		return Following // what it receives first are configurations of long ago
	}
	return Voting
}

// configuration is raft's latest, committed or not.
func (c *Cluster) configuration() raft.Configuration {
	return c.raft.GetConfiguration().Configuration()
}

func member(configuration raft.Configuration, a raft.ServerAddress) (raft.Server, bool) {
	for _, s := range configuration.Servers {
		if s.Address == a {
			return s, true
		}
	}
	return raft.Server{}, false
}

// Speaks reports whether p may have streams of this package's protocols: a
// server that the state names, or whose vote still counts in raft. So a server
// that leaves, and whose vote may be needed for that, is cut off once raft has
// let go of it.
func (c *Cluster) Speaks(p wire.Peer) (speaks bool) {
	c.View(func(s *registry.State) { speaks = s.IsServer(p) })
	if speaks {
		return true
	}
	if _, known := c.roster.find(addressOf(p)); known && c.standing() == Waiting {
		return true // nothing is known here but whom the caller named
	}
	_, speaks = member(c.configuration(), addressOf(p))
	return speaks
}

// Leaving reports whether raft still has a server that the state names no more.
func (c *Cluster) Leaving() (leaving bool) {
	servers := c.configuration().Servers
	c.View(func(s *registry.State) {
		leaving = slices.ContainsFunc(servers, func(m raft.Server) bool {
			return !slices.ContainsFunc(s.Servers(), func(d directory.Server) bool { return addressOf(d.Key) == m.Address })
		})
	})
	return leaving
}

// leader returns the server that leads, as far as is known here.
func (c *Cluster) leader() (server, bool) {
	address, _ := c.raft.LeaderWithID()
	return c.roster.find(address)
}
