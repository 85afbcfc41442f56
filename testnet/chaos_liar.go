package testnet

import (
	"context"
	"fmt"
	"slices"

	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// corrupt lets the liar announce something honestly, in two generations, and then
// puts it in the place of its node.
func (c *chaos) corrupt(ctx context.Context) (err error) {
	c.lying, err = c.Corrupts(ctx, c.liar, 1, []string{person(0), person(1), person(2)}, person(3))
	for n := range 4 {
		h := holding{directory.AgencyID(c.liar.ID), 1, personKey(n)}
		c.ledger.always[h] = casefile.Sharing{}
		c.ledger.asks(h, casefile.Sharing{})
	}
	c.say("%s has announced %s to %s, and lies from now on", c.liar.ID, person(0), person(2))
	return err
}

// Corrupts has an agency announce identifiers from a case, and one more that it
// purges, and puts a liar in the place of its node once everybody has all of it.
func (n *Net) Corrupts(ctx context.Context, a *Agency, c casefile.CaseID, stays []string, goes string) (*Liar, error) {
	for _, text := range append(slices.Clone(stays), goes) {
		if _, err := a.Shares(ctx, chaosOfficer, c, casefile.Sharing{}, text); err != nil {
			return nil, err
		}
	}
	if err := n.Settle(ctx); err != nil {
		return nil, err
	}
	older, err := a.Records()
	if err != nil {
		return nil, err
	}
	if err := a.Purges(ctx, chaosOfficer, c, goes); err != nil {
		return nil, err
	}
	id := feed.ID{Author: directory.AgencyID(a.ID)}
	err = n.await(ctx, "a second generation of the feed of "+a.ID, func() (bool, error) {
		b, err := a.progress([]*Agency{a})
		return b.feeds[id].Generation > older.end().Generation && !b.deriving, err
	})
	if err != nil {
		return nil, err
	}
	if err := n.Settle(ctx); err != nil {
		return nil, err
	}
	return a.Turns(older)
}

// lie draws the lie of a round. The last one is to two members, and ends it.
func (c *chaos) lie() {
	if c.lying == nil {
		return
	}
	all := append(Lies(), Forks)
	lie := all[c.pick(len(all))]
	c.counts.lies++
	c.say("%s %s", c.liar.ID, lie)
	c.convicted = lie == Forks
	c.lying.Begins(lie)
}

// convict awaits that a member which showed two histories is suspended for it.
func (c *chaos) convict(ctx context.Context) error {
	if !c.convicted || c.lying == nil {
		return nil
	}
	err := c.AwaitDirectory(ctx, func(d *directory.Directory) bool {
		a, _ := d.Agency(directory.AgencyID(c.liar.ID))
		return a.Status == directory.Suspended
	})
	if err != nil {
		return fmt.Errorf("the two histories of %s are not reported: %w", c.liar.ID, err)
	}
	l := c.lying
	c.lying = nil
	return l.Close()
}
