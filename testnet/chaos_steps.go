package testnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
	"interlock/replication/centre"
)

// step draws one step and takes it. One that cannot be taken as things stand is
// another entry.
func (c *chaos) step(ctx context.Context) error {
	switch n := c.draws.IntN(40); {
	case n < 12:
		return c.enter(ctx)
	case n < 19:
		return c.handle(ctx)
	case n < 22:
		return c.purge(ctx)
	case n < 28:
		return c.endNode()
	case n < 30:
		return c.startNode()
	case n < 34:
		return c.cutPath()
	case n < 36:
		return c.stopServer()
	case n < 37 && c.majority():
		return c.suspend(ctx)
	case n < 38 && c.majority():
		return c.regroup(ctx)
	case n < 39 && c.whole():
		return c.renewKey(ctx)
	}
	return c.enter(ctx)
}

func (c *chaos) pick(n int) int { return c.draws.IntN(n) }

// running draws one of the agencies whose node runs.
func (c *chaos) running() *Agency {
	list := slices.DeleteFunc(c.honest(), func(a *Agency) bool { return a.Node() == nil })
	if len(list) == 0 {
		return nil
	}
	return list[c.pick(len(list))]
}

func person(n int) string { return fmt.Sprintf("p%d@example.org", n) }

func personKey(n int) string { return identifierKey(identifier.Email, person(n)) }

// sharing draws how an identifier is to be handled. With all, as it can be handled
// once it is held.
func (c *chaos) sharing(a *Agency, all bool) casefile.Sharing {
	ways := 6
	if all {
		ways = 8
	}
	switch n := c.pick(ways); {
	case n < 3:
		return casefile.Sharing{}
	case n == 3:
		return casefile.Sharing{Way: casefile.Watch}
	case n == 4 && slices.Contains(c.group, directory.AgencyID(a.ID)):
		group, err := directory.GroupAudience(frontRange)
		if err == nil {
			return casefile.Sharing{Audience: group}
		}
	case n < 6:
		others := slices.DeleteFunc(ids(c.honest()), func(id directory.AgencyID) bool { return id == directory.AgencyID(a.ID) })
		at := c.pick(len(others))
		list, err := directory.ListAudience(others[at], others[(at+c.pick(2))%len(others)])
		if err == nil {
			return casefile.Sharing{Audience: list}
		}
	}
	return casefile.Sharing{Way: casefile.Withdrawn}
}

func handlingText(s casefile.Sharing) string {
	switch {
	case s.Way == casefile.Watch:
		return "watch only"
	case s.Way == casefile.Withdrawn:
		return "withdrawn"
	case s.Audience == directory.Everyone:
		return "everyone"
	}
	return s.Audience.String()
}

func (c *chaos) enter(ctx context.Context) error {
	a := c.running()
	if a == nil {
		return c.startNode()
	}
	id, to := casefile.CaseID(1+c.pick(casesEach)), c.sharing(a, false)
	if to.Way == casefile.Withdrawn {
		to = casefile.Sharing{}
	}
	var list []int
	for range 1 + c.pick(3) {
		if n := c.pick(persons); !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	var text []string
	for _, n := range list {
		text = append(text, person(n))
		c.ledger.asks(holding{directory.AgencyID(a.ID), id, personKey(n)}, to)
	}
	c.say("%s enters %s into case %d, for %s", a.ID, strings.Join(text, " "), id, handlingText(to))
	c.counts.entered += len(list)
	_, err := a.Shares(ctx, chaosOfficer, id, to, strings.Join(text, " "))
	for _, n := range list {
		h := holding{directory.AgencyID(a.ID), id, personKey(n)}
		if _, held := c.ledger.acknowledged[h]; !held && !refused(err) {
			c.ledger.ended(h, to, false, err)
		}
	}
	return c.outcome(a, err)
}

func (c *chaos) handle(ctx context.Context) error {
	a, h, n := c.someHolding()
	if a == nil {
		return c.enter(ctx)
	}
	to := c.sharing(a, true)
	c.say("%s handles %s in case %d otherwise: %s", a.ID, person(n), h.id, handlingText(to))
	c.counts.handled++
	i, err := identifier.Parse(identifier.Email, person(n), "US")
	if err != nil {
		return err
	}
	c.ledger.asks(h, to)
	err = a.Node().Desk().Handle(ctx, chaosOfficer, h.id, []identifier.Identifier{i}, to)
	if !refused(err) {
		c.ledger.ended(h, to, false, err)
	}
	return c.outcome(a, err)
}

func (c *chaos) purge(ctx context.Context) error {
	a, h, n := c.someHolding()
	if a == nil {
		return c.enter(ctx)
	}
	c.say("%s purges %s from case %d", a.ID, person(n), h.id)
	c.counts.purged++
	i, err := identifier.Parse(identifier.Email, person(n), "US")
	if err != nil {
		return err
	}
	err = a.Node().Desk().Purge(ctx, chaosOfficer, h.id, []identifier.Identifier{i})
	c.ledger.ended(h, casefile.Sharing{}, true, err)
	return c.outcome(a, err)
}

// someHolding draws what a running agency holds; none where that one holds nothing.
func (c *chaos) someHolding() (*Agency, holding, int) {
	a := c.running()
	if a == nil {
		return nil, holding{}, 0
	}
	list := c.ledger.held(directory.AgencyID(a.ID))
	list = slices.DeleteFunc(list, func(h holding) bool { return c.ledger.unsure[h] })
	if len(list) == 0 {
		return nil, holding{}, 0
	}
	h := list[c.pick(len(list))]
	for n := range persons {
		if personKey(n) == h.identifier {
			return a, h, n
		}
	}
	return nil, holding{}, 0
}

// refused reports whether the desk declined in words, and did nothing.
func refused(err error) bool {
	var s *casefile.Sentence
	return errors.As(err, &s) && !errors.Is(err, errKilled)
}

// outcome is the error of a step at an agency, unless it is one that had to be
// expected.
func (c *chaos) outcome(a *Agency, err error) error {
	if err == nil || refused(err) || c.armed[a] {
		return nil
	}
	return err
}

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
