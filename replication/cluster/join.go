package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// join asks for admission until the leader has granted it. Until then every
// other stream of raft's is refused, so that this server neither votes nor
// acknowledges anything in a part that it may have forgotten.
func (c *Cluster) join() {
	for c.ctx.Err() == nil {
		changed := c.Changed()
		for _, s := range c.roster.all() {
			if s.index == c.self {
				continue
			}
			a, err := c.askIn(s)
			if err != nil {
				if c.ctx.Err() == nil {
					c.log.Debug("this server was not taken in", "server", c.self, "by", s.index, "cause", err)
				}
				continue
			}
			now := c.part.now()
			now.incarnation, now.floor = a.incarnation, a.applied
			if err := c.part.set(now.mark, false); err != nil {
				c.log.Error("admission could not be written down", "server", c.self, "cause", err)
				break
			}
			c.log.Info("this server was taken in and receives the log", "server", c.self, "by", s.index)
			c.changed.notify()
			return
		}
		c.pause(changed, c.timing.Heartbeat)
	}
}

func (c *Cluster) askIn(s server) (answer, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.timing.rpc())
	defer cancel()
	stream, a, err := c.greet(ctx, s, admission)
	if err != nil {
		return answer{}, err
	}
	return a, stream.Close()
}

// pause waits for a change or for d, whichever is first.
func (c *Cluster) pause(changed <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

// admit takes in a server that says that it has no log. When it returns
// welcome, a majority without that server has committed that it has no vote:
// whatever it acknowledged or voted for before it lost its log counts no more.
func (c *Cluster) admit(ctx context.Context, from wire.Peer) verdict {
	known := false
	c.View(func(s *registry.State) { known = s.IsServer(from) })
	switch {
	case c.raft.State() != raft.Leader:
		return notLeading
	case !known:
		return notServer
	}
	c.changing.Lock()
	defer c.changing.Unlock()
	if err := c.disenfranchise(ctx, addressOf(from)); err != nil {
		c.log.Warn("a server could not be taken in", "server", c.self, "cause", err)
		return notNow
	}
	return welcome
}

var errStillVoting = errors.New("it has a vote")

func (c *Cluster) disenfranchise(ctx context.Context, a raft.ServerAddress) error {
	delete(c.targets, a)
	me, ok := member(c.configuration(), a)
	switch {
	case !ok:
		if err := wait(ctx, c.raft.AddNonvoter(raft.ServerID(a), a, 0, enqueueWait)); err != nil {
			return err
		}
	case me.Suffrage == raft.Voter:
		if err := wait(ctx, c.raft.DemoteVoter(raft.ServerID(a), 0, enqueueWait)); err != nil {
			return err
		}
	}
	// Only a leader that is one still, after the server asked, can commit this.
	if err := wait(ctx, c.raft.Barrier(enqueueWait)); err != nil {
		return err
	}
	if me, ok := member(c.configuration(), a); !ok || me.Suffrage == raft.Voter {
		return errStillVoting
	}
	return nil
}
