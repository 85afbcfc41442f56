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
)

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

func person(n int) string    { return fmt.Sprintf("p%d@example.org", n) }
func personKey(n int) string { return identifierKey(identifier.Email, person(n)) }

var chaosOfficer = casefile.Officer{Name: "m.okafor", Role: casefile.Investigator}
