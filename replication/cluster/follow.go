package cluster

import (
	"github.com/hashicorp/raft"

	"interlock/protocol/directory"
	"interlock/replication/registry"
)

// follow keeps the links, and as the leader raft's configuration, to what the
// state says about the servers.
func (c *Cluster) follow() {
	var seen []directory.Server
	for c.ctx.Err() == nil {
		changed := c.Changed()
		servers := c.servers()
		if len(seen) == 0 || &seen[0] != &servers[0] {
			c.learn(servers)
			seen = servers
		}
		c.settle()
		pause := c.timing.rpc()
		if c.raft.State() == raft.Leader && !c.change(servers) {
			pause = c.timing.Heartbeat
		}
		if s := c.standing(); s == Removed || s == Outdated {
			c.progress(c.configuration()) // it may be taken back
		}
		c.pause(changed, pause)
	}
}

// servers are those that the state names.
func (c *Cluster) servers() (list []directory.Server) {
	c.View(func(s *registry.State) { list = s.Servers() })
	return list
}

// learn follows servers that are new or have moved.
func (c *Cluster) learn(list []directory.Server) {
	c.roster.learn(list)
	for _, s := range list {
		if s.Key == c.host.Peer() {
			continue
		}
		if err := c.host.SetAddresses(s.Key, s.Addresses); err != nil {
			c.log.Error("a server's addresses cannot be used", "server", c.self, "other", s.Index, "cause", err)
		}
	}
}

// settle notes in the folder that this server has a vote: a log that is lost
// from then on is missed.
func (c *Cluster) settle() {
	p := c.part.now()
	if p.stage != joining || p.waiting || c.standing() != Voting {
		return
	}
	p.stage, p.floor = settled, 0
	if err := c.part.set(p.mark, false); err != nil {
		c.log.Error("the folder could not be marked", "server", c.self, "cause", err)
	}
}

// yield ends this server's part where another is of a later incarnation.
func (c *Cluster) yield(other server, theirs incarnation) {
	mine := c.part.now().incarnation
	if theirs.number <= mine.number || mine.number == 0 || !c.part.outdate() {
		return
	}
	c.log.Error("the network was recovered without this server, which takes no part any more: empty its folder and let it rejoin",
		"server", c.self, "other", other.index, "incarnation", mine.number, "theirs", theirs.number)
	c.changed.notify()
}
