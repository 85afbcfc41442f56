package centre

import (
	"context"
	"errors"
	"fmt"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// ErrUnconfirmed says that a server took a decision, and that no directory
// signed by a majority shows it.
var ErrUnconfirmed = errors.New("no directory signed by a majority of the servers shows it yet")

// confirmWithin is how long Confirm waits for the servers to sign.
const confirmWithin = 15 * time.Second

// Confirm returns once a directory that a majority of the servers signed has
// the agency in this standing. What one server answers to a decision is its
// own word; this is what every node acts on.
func (o *Operator) Confirm(ctx context.Context, id directory.AgencyID, want directory.Status) error {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	shown := make(chan error, len(o.network.Servers))
	for _, s := range o.network.Servers {
		go func() {
			err := o.awaitShown(ctx, s.Key, id, want)
			if err != nil {
				err = fmt.Errorf("registry server %s: %w", s.Name, err)
			}
			shown <- err
		}()
	}
	var errs []error
	for range o.network.Servers {
		err := <-shown
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("%w: %w", ErrUnconfirmed, errors.Join(errs...))
}

// awaitShown follows one server's directory until it shows the standing.
func (o *Operator) awaitShown(ctx context.Context, server wire.Peer, id directory.AgencyID, want directory.Status) error {
	st, err := o.host.Open(ctx, server, wire.ProtocolDirectory)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { st.Reset(wire.CodeTimeout) })
	defer stop()
	defer st.Reset(wire.CodeNone)
	if err := st.Send(&wire.FollowDirectory{}); err != nil {
		return err
	}
	for {
		var u wire.DirectoryUpdate
		if err := st.Receive(&u); err != nil {
			return err
		}
		if u.Signed == nil {
			continue // a heartbeat
		}
		d, err := o.network.Trust().Verify(u.Signed)
		if err != nil {
			return err
		}
		if a, ok := d.Agency(id); ok && a.Status == want {
			return nil
		}
	}
}
