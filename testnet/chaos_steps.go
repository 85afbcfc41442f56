package testnet

import (
	"context"
	"slices"
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
