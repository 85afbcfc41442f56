// Command interlock is the whole of Interlock in one binary: an agency's node,
// a registry server, the small verbs around both, and a demonstration of the
// network on one machine.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

// run parses the command line and runs what it names. An error has been told
// to the user when it returns.
func run(ctx context.Context, args []string, out, errs io.Writer) error {
	command, err := parse(ctx, args, out, errs)
	if command == nil || err != nil {
		return err
	}
	if err := command.Run(); err != nil {
		fmt.Fprintf(errs, "interlock: %v\n", err)
		return err
	}
	return nil
}
