package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"

	"interlock/testnet/demo"
)

type demoCmd struct {
	Check bool `help:"Run unattended, compare the alerts with what the sample cases share, print one line of JSON, and exit with 1 where they differ."`
}

// patience is how long a demo may take to come up.
const patience = 3 * time.Minute

var errAlertsDiffer = errors.New("the alerts are not those that the sample cases share")

func (c demoCmd) Run(ctx context.Context, out io.Writer, errs stderr) (err error) {
	dir, err := os.MkdirTemp("", "interlock-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o := demo.Options{Dir: dir, Pages: !c.Check, Say: func(string) {}, Step: func(int, int) {}}
	if !c.Check {
		o.Say = func(line string) { fmt.Fprintln(out, "  "+line) }
		o.Step = progress(errs)
		fmt.Fprintln(out, "Interlock: three registry servers and three agencies on this machine, with invented cases.")
	}
	up, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d, err := demo.Start(up, o)
	if err != nil {
		return unlessInterrupted(ctx, out, err)
	}
	defer func() { err = errors.Join(err, d.Net.Close()) }()
	r, err := d.Await(up)
	if err != nil {
		return unlessInterrupted(ctx, out, err)
	}
	if c.Check {
		return check(out, errs, r)
	}
	welcome(out, d, r)
	<-ctx.Done()
	fmt.Fprintln(out, "\nShutting down.")
	return nil
}

// unlessInterrupted is err, but nothing where the visitor ended the demo before
// it stood.
func unlessInterrupted(ctx context.Context, out io.Writer, err error) error {
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintln(out, "\nShutting down.")
	return nil
}

// check prints the result, and which alerts differ where some do.
func check(out, errs io.Writer, r demo.Result) error {
	if err := json.NewEncoder(out).Encode(r); err != nil || r.Right() {
		return err
	}
	for what, meetings := range map[string][]string{"missing": r.Missing, "unexpected": r.Unexpected} {
		for _, m := range meetings {
			fmt.Fprintf(errs, "%s: %s\n", what, strings.ReplaceAll(m, "\n", " "))
		}
	}
	return errAlertsDiffer
}

// progress draws a bar over the files imported.
func progress(errs io.Writer) func(done, of int) {
	var bar *progressbar.ProgressBar
	return func(done, of int) {
		if bar == nil {
			bar = progressbar.NewOptions(of, progressbar.OptionSetWriter(errs), progressbar.OptionSetDescription("  importing files"),
				progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
		}
		if err := bar.Set(done); err != nil {
			fmt.Fprintf(errs, "  %d of %d files imported\n", done, of)
		}
	}
}

func welcome(out io.Writer, d *demo.Demo, r demo.Result) {
	fmt.Fprintf(out, "\n%d identifiers are in the cases; %d pairs of cases met, %d were to be expected.\n\nSign in:\n",
		r.Identifiers, r.AlertsSeen+r.AlertsUnexpected, r.AlertsExpected)
	w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
	for _, s := range d.SignIns {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", s.Origin, s.Name, s.Password, s.Role, s.Agency)
	}
	if err := w.Flush(); err != nil {
		return
	}
	fmt.Fprintln(out, "\nAdd an identifier at one agency that another holds, and see the alert arrive. Ctrl-C ends the demo.")
}
