package testnet

import (
	"context"
	"slices"

	"interlock/protocol/directory"
	"interlock/replication/centre"
)

// suspend suspends an agency, or admits the one that is suspended again.
func (c *chaos) suspend(ctx context.Context) error {
	if a := c.suspended; a != nil {
		c.decided("%s is admitted again", a.ID)
		c.suspended = nil
		return c.Reinstate(ctx, a.ID)
	}
	all := c.honest()
	c.suspended = all[c.pick(len(all))]
	c.decided("%s is suspended", c.suspended.ID)
	return c.Decide(ctx, operators[0], centre.Suspend, c.suspended.ID, "for a while")
}

// regroup changes who is in the group.
func (c *chaos) regroup(ctx context.Context) error {
	var members []directory.AgencyID
	for _, id := range ids(c.honest()) {
		if c.pick(2) == 0 {
			members = append(members, id)
		}
	}
	if len(members) == 0 {
		members = ids(c.honest()[:1])
	}
	if slices.Equal(members, c.group) {
		return c.enter(ctx)
	}
	c.decided("the group is %v", members)
	c.ledger.composes(frontRange, members)
	c.group = members
	return c.Groups(ctx, c.groups())
}

// renewKey begins a new token key, one at a time.
func (c *chaos) renewKey(ctx context.Context) error {
	if c.renewing {
		return c.enter(ctx)
	}
	c.decided("operators begin a new token key")
	c.renewing = true
	return c.NewTokenKey(ctx)
}

// retire ends a former token key once everybody has renewed.
func (c *chaos) retire(ctx context.Context) error {
	if !c.renewing {
		return nil
	}
	c.renewing = false
	former := uint32(c.active()[0].Node().Directory().Epochs[0].Epoch)
	c.say("operators retire token key %d", former)
	return c.RetireTokenKey(ctx, former)
}

// decided counts a decision and says it.
func (c *chaos) decided(format string, args ...any) {
	c.counts.decisions++
	c.say(format, args...)
}

func (c *chaos) groups() []directory.Group {
	return []directory.Group{{Name: frontRange, Agencies: c.group}}
}
