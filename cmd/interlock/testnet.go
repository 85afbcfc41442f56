package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"interlock/testnet"
)

type testnetCmd struct {
	Chaos chaosCmd `cmd:"" help:"Run a whole network in this process, do to it what a seed says, and check after each round that nothing was lost, missed or shown to the wrong agency."`
	Bench benchCmd `cmd:"" help:"Run a whole network in this process and print what one identifier costs it."`
}

type chaosCmd struct {
	Seed    uint64 `default:"1" help:"Decides every step."`
	Minutes int    `help:"No round begins after so many minutes; 0 for no limit." default:"0"`
	Rounds  int    `help:"So many rounds; 0 for no limit." default:"0"`
	Nodes   int    `help:"How many agencies; 2 to 30." default:"5"`
	Liar    bool   `help:"One agency more, which lies to the others." default:"true" negatable:""`
}

func (c chaosCmd) Run(ctx context.Context, out io.Writer) error {
	return inFolder(c.Nodes, func(p testnet.Plan) error {
		return testnet.Chaos(ctx, p, testnet.Turmoil{Seed: c.Seed, Rounds: c.Rounds, For: time.Duration(c.Minutes) * time.Minute, Liar: c.Liar}, out)
	})
}

type benchCmd struct {
	Nodes       int `help:"How many agencies; 2 to 30." default:"5"`
	Identifiers int `help:"How many identifiers each of them enters; 100 to 20000." default:"1000"`
}

func (c benchCmd) Run(ctx context.Context, out io.Writer) error {
	if c.Identifiers < 100 || c.Identifiers > 20_000 {
		return errors.New("--identifiers: want 100 to 20000")
	}
	return inFolder(c.Nodes, func(p testnet.Plan) error {
		m, err := testnet.Measure(ctx, p, c.Identifiers)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(out, m)
		return err
	})
}

// inFolder calls do with a plan of so many agencies, in a folder that is gone
// afterwards.
func inFolder(agencies int, do func(testnet.Plan) error) (err error) {
	if agencies < 2 || agencies > 30 {
		return errors.New("--nodes: want 2 to 30")
	}
	dir, err := os.MkdirTemp("", "interlock-testnet-")
	if err != nil {
		return fmt.Errorf("make a folder for the network: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ids := make([]string, agencies)
	for n := range ids {
		ids[n] = fmt.Sprintf("agency-%02d", n+1)
	}
	return do(testnet.Plan{Dir: dir, Agencies: testnet.Members(ids...), Crowd: agencies > 10})
}
