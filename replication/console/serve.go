package console

import (
	"context"
	"errors"
	"net"
	"time"

	"interlock/protocol/pages"
)

// Limits of the server.
const (
	exportTimeout = time.Hour
	closeTimeout  = 5 * time.Second
	maxForm       = 256 << 10 // a policy of the greatest size, as text
	sweepEvery    = 5 * time.Second
)

// Serve answers on l until ctx ends, and then signs everybody out, which
// erases their keys. It closes l.
func (c *Console) Serve(ctx context.Context, l net.Listener) error {
	base, cancel := context.WithCancel(ctx) // a stream of events ends with it
	defer cancel()
	server := pages.Server(c)
	server.BaseContext = func(net.Listener) context.Context { return base }
	served := make(chan error, 1)
	go func() { served <- server.Serve(pages.Limit(l)) }()
	err := c.sweepUntil(ctx, served)
	cancel()
	err = errors.Join(err, c.Close())
	closing, done := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer done()
	shut := server.Shutdown(closing)
	if errors.Is(shut, context.DeadlineExceeded) {
		shut = server.Close() // somebody reads slowly
	}
	return errors.Join(err, shut)
}

// sweepUntil ends sessions whose time is over until ctx or the server ends.
func (c *Console) sweepUntil(ctx context.Context, served <-chan error) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return err
		case <-tick.C:
			c.sweep()
		}
	}
}

// Close signs everybody out.
func (c *Console) Close() error {
	c.gate.close()
	return c.sessions.endAll()
}
