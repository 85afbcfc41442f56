package main

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Demo     demoCmd     `cmd:"" help:"Run a whole network on this machine, with sample cases: three registry servers and three agencies."`
	Extract  extractCmd  `cmd:"" help:"Print the identifiers in text, mail (.eml) and CSV files."`
	Node     nodeCmd     `cmd:"" help:"Run an agency's node."`
	Registry registryCmd `cmd:"" help:"Run a registry server, and decide as its operator."`
	Audit    auditCmd    `cmd:"" help:"Verify the registry's record, and the certificates of cases, offline."`
	Testnet  testnetCmd  `cmd:"" help:"Try a whole network on this machine: under faults, and for speed."`
	Help     helpCmd     `cmd:"" help:"Show help for a command, for example: interlock help node run."`
}

const description = `Interlock lets investigators in different agencies find out that they work on the same offender, without opening their files to each other.`

// parse returns the command that args name, or nil where help was printed.
func parse(ctx context.Context, args []string, out, errs io.Writer) (*kong.Context, error) {
	var c cli
	exited := false
	parser, err := kong.New(&c,
		kong.Name("interlock"), kong.Description(description), kong.UsageOnError(),
		kong.Writers(out, errs), kong.Exit(func(int) { exited = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(out, (*io.Writer)(nil)),
		kong.Bind(stderr{errs}),
	)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	args = helpArgs(args)
	command, err := parser.Parse(args)
	if exited {
		return nil, nil
	}
	if err != nil {
		fmt.Fprintf(errs, "interlock: %v\nSee `interlock help`.\n", err)
		return nil, err
	}
	return command, nil
}

// stderr is where commands write what is not their output.
type stderr struct{ io.Writer }

// helpCmd shows help; parse turns it into --help before it could run.
type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command to show help for."`
}

// Run is never reached with a command; kong wants it.
func (helpCmd) Run() error { return nil }

func helpArgs(args []string) []string {
	if args[0] != "help" {
		return args
	}
	return append(append([]string{}, args[1:]...), "--help")
}
