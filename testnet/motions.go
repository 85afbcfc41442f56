package testnet

import (
	"bytes"
	"context"
	"slices"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// Moves has one operator put a motion and the other approve it.
func (n *Net) Moves(ctx context.Context, m *wire.Motion, reason string) error {
	hash, err := registry.MotionHash(m)
	if err != nil {
		return err
	}
	if err := n.As(operators[0], func(o *centre.Operator) error {
		_, err := o.Move(ctx, m, reason)
		return err
	}); err != nil {
		return err
	}
	return n.As(operators[1], func(o *centre.Operator) error {
		return n.await(ctx, "the motion to be shown", func() (bool, error) {
			status, err := o.Status(ctx)
			if err != nil {
				return false, err
			}
			i := slices.IndexFunc(status.Motions, func(m centre.Motion) bool { return bytes.Equal(m.Hash[:], hash[:]) })
			if i < 0 {
				return false, nil
			}
			_, err = o.DecideMotion(ctx, centre.Approve, status.Motions[i], "")
			return err == nil, err
		})
	})
}

// Reinstate has two operators admit a suspended agency again.
func (n *Net) Reinstate(ctx context.Context, agency string) error {
	change := &wire.AgencyChange{Agency: agency, Change: uint32(registry.ReinstateAgency)}
	return n.Moves(ctx, &wire.Motion{Of: &wire.Motion_Agency{Agency: change}}, "found in order")
}

// Groups has two operators decide which groups there are.
func (n *Net) Groups(ctx context.Context, groups []directory.Group) error {
	var policy directory.Policy
	err := n.As(operators[0], func(o *centre.Operator) error {
		status, err := o.Status(ctx)
		if err == nil {
			policy = status.Policy
		}
		return err
	})
	if err != nil {
		return err
	}
	policy.Groups = groups
	return n.Moves(ctx, &wire.Motion{Of: &wire.Motion_Policy{Policy: policy.Message()}}, "as the members agreed")
}

// NewTokenKey has two operators begin a new token key.
func (n *Net) NewTokenKey(ctx context.Context) error {
	return n.Moves(ctx, &wire.Motion{Of: &wire.Motion_NewEpoch{NewEpoch: &wire.NewEpoch{Threshold: uint32(n.plan.Threshold)}}}, "a new year")
}

// RetireTokenKey has two operators retire a former token key.
func (n *Net) RetireTokenKey(ctx context.Context, epoch uint32) error {
	return n.Moves(ctx, &wire.Motion{Of: &wire.Motion_RetireEpoch{RetireEpoch: &wire.RetireEpoch{Epoch: epoch}}}, "everybody has renewed")
}

// AwaitTaken returns once every running agency acts on the newest directory.
func (n *Net) AwaitTaken(ctx context.Context) error {
	var version uint64
	if err := n.As(operators[0], func(o *centre.Operator) error {
		status, err := o.Status(ctx)
		if err == nil {
			version = status.Version
		}
		return err
	}); err != nil {
		return err
	}
	return n.await(ctx, "the newest directory to be taken", func() (bool, error) {
		return !slices.ContainsFunc(n.Agencies(), func(a *Agency) bool { return a.Node() != nil && a.version() < version }), nil
	})
}

// version is of the directory that the agency's node acts on; 0 without one.
func (a *Agency) version() uint64 {
	n := a.Node()
	if n == nil || n.Directory() == nil {
		return 0
	}
	return n.Directory().Version
}
