package testnet

import (
	"context"
	"fmt"

	"interlock/protocol/directory"
)

// endNode stops a node, kills it, or lets it die at one of its next writes.
func (c *chaos) endNode() error {
	a := c.running()
	if a == nil {
		return c.startNode()
	}
	c.counts.kills++
	switch c.pick(4) {
	case 0:
		if c.armed[a] {
			return c.kill(a)
		}
		c.say("%s is stopped", a.ID)
		return a.Stop()
	case 1:
		return c.kill(a)
	case 2:
		if err := c.kill(a); err != nil {
			return err
		}
		c.say("%s is started again at once", a.ID)
		return a.Start()
	}
	at := int64(c.pick(40))
	c.say("%s is to die at write %d from now", a.ID, at)
	c.armed[a] = true
	a.KillAt(at)
	return nil
}

func (c *chaos) kill(a *Agency) error {
	c.say("%s is killed", a.ID)
	delete(c.armed, a)
	return a.Kill()
}

func (c *chaos) startNode() error {
	for _, a := range c.honest() {
		if a.Node() == nil {
			c.say("%s is started", a.ID)
			return a.Start()
		}
	}
	return nil
}

// cutPath cuts a path between two agencies, or an agency and a registry server.
func (c *chaos) cutPath() error {
	all := c.honest()
	a := all[c.pick(len(all))]
	var other Party
	name := ""
	if n := c.pick(len(all) + 1); n == len(all) {
		s := c.pick(len(c.Servers()))
		other, name = c.Servers()[s], fmt.Sprintf("registry server %d", s+1)
	} else if all[n] != a {
		other, name = all[n], all[n].ID
	} else {
		c.say("every path is healed")
		c.HealAll()
		return nil
	}
	c.counts.cuts++
	if c.pick(3) == 0 {
		c.say("%s neither dials nor answers %s any more", a.ID, name)
		c.Deafen(a, other)
		return nil
	}
	c.say("the path between %s and %s is cut", a.ID, name)
	c.Partition(a, other)
	return nil
}

func (c *chaos) up() (n int) {
	for _, s := range c.Servers() {
		if s.running() != nil {
			n++
		}
	}
	return n
}

func (c *chaos) majority() bool { return 2*c.up() > len(c.Servers()) }
func (c *chaos) whole() bool    { return c.up() == len(c.Servers()) }

func (c *chaos) stopServer() error {
	n := c.pick(len(c.Servers()))
	s := c.Servers()[n]
	if s.running() == nil {
		c.say("registry server %d is started", n+1)
		return s.Start()
	}
	c.say("registry server %d is killed", n+1)
	return s.Stop()
}

// heal undoes every fault.
func (c *chaos) heal(ctx context.Context) error {
	c.HealAll()
	for _, s := range c.Servers() {
		if s.running() == nil {
			if err := s.Start(); err != nil {
				return err
			}
		}
	}
	if _, err := c.Leader(ctx); err != nil {
		return err
	}
	for a := range c.armed {
		if err := a.Kill(); err != nil {
			return err
		}
	}
	clear(c.armed)
	for _, a := range c.Agencies() {
		if a.Node() == nil && a != c.liar {
			if err := a.Start(); err != nil {
				return err
			}
		}
	}
	if c.suspended != nil {
		if err := c.Reinstate(ctx, c.suspended.ID); err != nil {
			return err
		}
		c.suspended = nil
	}
	if c.renewing {
		if err := c.AwaitDirectory(ctx, func(d *directory.Directory) bool { return len(d.Epochs) == 2 }); err != nil {
			return err
		}
	}
	if err := c.convict(ctx); err != nil {
		return err
	}
	if err := c.AwaitTaken(ctx); err != nil {
		return err
	}
	return c.AwaitLinked(ctx)
}
