package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

type registryMotionCmd struct {
	List            motionListCmd      `cmd:"" help:"List the motions that wait for a second operator."`
	Approve         motionApproveCmd   `cmd:"" help:"Approve another operator's motion: it takes effect."`
	Refuse          motionRefuseCmd    `cmd:"" help:"Refuse a motion, or withdraw one's own."`
	Policy          motionPolicyCmd    `cmd:"" help:"Move to change the policy."`
	AddServer       motionAddCmd       `cmd:"" help:"Move to add a server, or to replace one."`
	RemoveServer    motionRemoveCmd    `cmd:"" help:"Move to remove a server."`
	MoveServer      motionMoveCmd      `cmd:"" help:"Move to give a server other addresses."`
	SetOperator     motionOperatorCmd  `cmd:"" help:"Move to add an operator, or to change one's roles."`
	RemoveOperator  motionDismissCmd   `cmd:"" help:"Move to end an operator's roles."`
	RemoveAgency    motionExpelCmd     `cmd:"" help:"Move to remove an agency for good."`
	ReinstateAgency motionReinstateCmd `cmd:"" help:"Move to reinstate a suspended agency."`
	NewKey          motionNewKeyCmd    `cmd:"" help:"Move to make a new token key; the old one matches until it is retired."`
	RetireKey       motionRetireCmd    `cmd:"" help:"Move to retire an old token key."`
	Reshare         motionReshareCmd   `cmd:"" help:"Move to make new shares of the token key, also with another threshold."`
}

type motionListCmd struct{ asOperator }

func (c motionListCmd) Run(ctx context.Context, out io.Writer) error {
	return c.with(ctx, func(_ context.Context, _ *centre.Operator, st *centre.Status) error {
		if len(st.Motions) == 0 {
			_, err := fmt.Fprintln(out, "No motion waits.")
			return err
		}
		w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
		fmt.Fprintln(w, "NUMBER\tMOVED BY\tTO\tREASON")
		for _, m := range st.Motions {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", m.Number, m.By, registry.DescribeMotion(m.What), m.Reason)
		}
		return w.Flush()
	})
}

// onMotion is a decision upon another's motion.
type onMotion struct {
	asOperator
	Number uint64 `arg:"" help:"The motion's number."`
	Yes    bool   `help:"Do not ask for confirmation."`
}

func (c onMotion) decide(ctx context.Context, out io.Writer, verb centre.Verb, reason, question string) error {
	return c.with(ctx, func(ctx context.Context, op *centre.Operator, st *centre.Status) error {
		i := slices.IndexFunc(st.Motions, func(m centre.Motion) bool { return m.Number == c.Number })
		if i < 0 {
			return fmt.Errorf("no motion %d waits", c.Number)
		}
		m := st.Motions[i]
		fmt.Fprintf(out, "%s moved to %s\nreason   %s\n", m.By, registry.DescribeMotion(m.What), m.Reason)
		if !c.Yes && !confirmed(out, os.Stdin, question) {
			return errNotConfirmed
		}
		asking, cancel := context.WithTimeout(ctx, operatorPatience)
		defer cancel()
		_, err := op.DecideMotion(asking, verb, m, reason)
		return err
	})
}

type motionApproveCmd struct{ onMotion }

func (c motionApproveCmd) Run(ctx context.Context, out io.Writer) error {
	if err := c.decide(ctx, out, centre.Approve, "", "Approve this? It takes effect at once."); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nMotion %d is carried.\n", c.Number)
	return nil
}

type motionRefuseCmd struct {
	onMotion
	Reason string `required:"" help:"Why, in one line."`
}

func (c motionRefuseCmd) Run(ctx context.Context, out io.Writer) error {
	if err := c.decide(ctx, out, centre.Refuse, c.Reason, "Refuse this?"); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nMotion %d is refused.\n", c.Number)
	return nil
}

// moving is what all motions have in common.
type moving struct {
	asOperator
	Reason string `required:"" help:"Why, in one line; it goes into the record."`
}

// move puts the motion that make makes of the status.
func (c moving) move(ctx context.Context, out io.Writer, make func(*centre.Status) (*wire.Motion, error)) error {
	return c.with(ctx, func(ctx context.Context, op *centre.Operator, st *centre.Status) error {
		m, err := make(st)
		if err != nil {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, operatorPatience)
		defer cancel()
		after, err := op.Move(asking, m, c.Reason)
		if err != nil {
			return err
		}
		number := uint64(0)
		if n := len(after.Motions); n > 0 {
			number = after.Motions[n-1].Number
		}
		fmt.Fprintf(out, "Motion %d: to %s. A second operator has to approve it: interlock registry motion approve %d\n",
			number, registry.DescribeMotion(m), number)
		return nil
	})
}

type motionPolicyCmd struct {
	moving
	Daily        *uint64           `help:"Identifiers that a member may have evaluated in a day."`
	Retention    *uint32           `help:"Days that members keep what another announced; 0 for no limit."`
	Refresh      *uint32           `help:"Days between refreshes of the key's shares; 0 for none by itself."`
	SuspendForks *bool             `negatable:"" help:"Suspend at once whoever is proven to fork its feed."`
	Quota        map[string]uint64 `placeholder:"AGENCY=N" help:"An agency's own budget of a day; 0 forbids it all."`
	NoQuota      []string          `placeholder:"AGENCY" help:"The agency has the general budget again."`
	Group        map[string]string `placeholder:"NAME=AGENCY+AGENCY" help:"A group of agencies; nothing after the = removes it."`
	Mute         []string          `placeholder:"TAG" help:"A value that raises no alert, by the tag that an agency's node gave for it."`
	Unmute       []string          `placeholder:"TAG" help:"A muted value that raises alerts again."`
}

func (c motionPolicyCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, func(st *centre.Status) (*wire.Motion, error) {
		p, err := c.change(st.Policy)
		if err != nil {
			return nil, err
		}
		if _, err := directory.PolicyOf(p.Message()); err != nil {
			return nil, err
		}
		return &wire.Motion{Of: &wire.Motion_Policy{Policy: p.Message()}}, nil
	})
}

type motionAddCmd struct {
	moving
	Card      string `arg:"" type:"path" help:"The new server's card, server.toml."`
	Replaces  uint32 `help:"Number of the server that leaves as this one joins."`
	Threshold uint32 `help:"How many servers make a token afterwards; 0 for as many as now."`
}

func (c motionAddCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, func(*centre.Status) (*wire.Motion, error) {
		card, err := centre.ReadCard[centre.ServerCard](c.Card)
		if err != nil {
			return nil, err
		}
		s, err := card.Message()
		return serverMotion(&wire.ServerChange{Server: s, Replaces: c.Replaces, Threshold: c.Threshold}), err
	})
}

type motionRemoveCmd struct {
	moving
	Number    uint32 `arg:"" help:"The server's number."`
	Threshold uint32 `help:"How many servers make a token afterwards; 0 for as many as now."`
}

func (c motionRemoveCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, func(*centre.Status) (*wire.Motion, error) {
		return serverMotion(&wire.ServerChange{Server: &wire.Server{Index: c.Number}, Remove: true, Threshold: c.Threshold}), nil
	})
}

type motionMoveCmd struct {
	moving
	Number  uint16   `arg:"" help:"The server's number."`
	Name    string   `help:"Another name."`
	Address []string `required:"" help:"Multiaddrs where others reach it from now on."`
}

func (c motionMoveCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, func(st *centre.Status) (*wire.Motion, error) {
		for _, s := range st.Servers {
			if uint16(s.Index) != c.Number {
				continue
			}
			if c.Name != "" {
				s.Name = c.Name
			}
			s.Addresses = c.Address
			return serverMotion(&wire.ServerChange{Server: s.Message()}), nil
		}
		return nil, fmt.Errorf("no server has the number %d", c.Number)
	})
}

func serverMotion(m *wire.ServerChange) *wire.Motion {
	return &wire.Motion{Of: &wire.Motion_Server{Server: m}}
}

type motionOperatorCmd struct {
	moving
	Card string `arg:"" type:"path" help:"The operator's card, with the roles to have."`
}

func (c motionOperatorCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, func(*centre.Status) (*wire.Motion, error) {
		card, err := centre.ReadCard[centre.OperatorCard](c.Card)
		if err != nil {
			return nil, err
		}
		o, err := card.Message()
		return &wire.Motion{Of: &wire.Motion_Operator{Operator: &wire.OperatorChange{Operator: o}}}, err
	})
}

type motionDismissCmd struct {
	moving
	Name string `arg:"" help:"The operator's name."`
}

func (c motionDismissCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, func(st *centre.Status) (*wire.Motion, error) {
		for _, o := range st.Operators {
			if o.Name == c.Name {
				change := &wire.OperatorChange{Operator: &wire.Operator{Name: o.Name, Key: o.Key[:]}, Remove: true}
				return &wire.Motion{Of: &wire.Motion_Operator{Operator: change}}, nil
			}
		}
		return nil, fmt.Errorf("no operator is called %s", c.Name)
	})
}

type motionExpelCmd struct {
	moving
	Agency string `arg:"" help:"The agency's id."`
}

func (c motionExpelCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, agencyMotion(c.Agency, registry.RemoveAgency))
}

type motionReinstateCmd struct {
	moving
	Agency string `arg:"" help:"The agency's id."`
}

func (c motionReinstateCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, agencyMotion(c.Agency, registry.ReinstateAgency))
}

func agencyMotion(id string, change uint32) func(*centre.Status) (*wire.Motion, error) {
	return func(*centre.Status) (*wire.Motion, error) {
		return &wire.Motion{Of: &wire.Motion_Agency{Agency: &wire.AgencyChange{Agency: id, Change: change}}}, nil
	}
}

type motionNewKeyCmd struct {
	moving
	Threshold uint32 `help:"How many servers make a token with it; 0 for as many as now."`
}

func (c motionNewKeyCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, func(*centre.Status) (*wire.Motion, error) {
		return &wire.Motion{Of: &wire.Motion_NewEpoch{NewEpoch: &wire.NewEpoch{Threshold: c.Threshold}}}, nil
	})
}

type motionRetireCmd struct {
	moving
	Epoch uint32 `arg:"" help:"The key epoch's number."`
}

func (c motionRetireCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, func(*centre.Status) (*wire.Motion, error) {
		return &wire.Motion{Of: &wire.Motion_RetireEpoch{RetireEpoch: &wire.RetireEpoch{Epoch: c.Epoch}}}, nil
	})
}

type motionReshareCmd struct {
	moving
	Threshold uint32 `help:"How many servers make a token afterwards; 0 for as many as now."`
}

func (c motionReshareCmd) Run(ctx context.Context, out io.Writer) error {
	return c.move(ctx, out, func(*centre.Status) (*wire.Motion, error) {
		return &wire.Motion{Of: &wire.Motion_Reshare{Reshare: &wire.Reshare{Threshold: c.Threshold}}}, nil
	})
}

type registryClearCmd struct {
	asOperator
	Agency directory.AgencyID `arg:"" help:"The agency's id."`
	Reason string             `help:"What it imports, for example."`
}

func (c registryClearCmd) Run(ctx context.Context, out io.Writer) error {
	return c.with(ctx, func(ctx context.Context, op *centre.Operator, st *centre.Status) error {
		if !st.Activity[c.Agency].GetFlagged() {
			return errors.New("the agency is not throttled")
		}
		asking, cancel := context.WithTimeout(ctx, operatorPatience)
		defer cancel()
		if _, err := op.Clear(asking, c.Agency, c.Reason); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out, "%s is throttled no longer.\n", c.Agency)
		return err
	})
}
