package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"interlock/protocol/directory"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// deciding is what the three decisions have in common.
type deciding struct {
	asOperator
	Agency directory.AgencyID `arg:"" help:"The agency's id."`
	Hash   string             `help:"The start of the application's hash, where several have applied under one id."`
	Yes    bool               `help:"Do not ask for confirmation."`
}

var errNotConfirmed = errors.New("not confirmed, so nothing was decided")

// decide shows what is decided upon, asks, and has the decision taken.
func (c deciding) decide(ctx context.Context, out io.Writer, verb centre.Verb, reason, question string) (subject centre.Subject, after *centre.Status, err error) {
	err = c.with(ctx, func(ctx context.Context, op *centre.Operator, st *centre.Status) error {
		if subject, err = st.Find(verb, c.Agency, c.Hash); err != nil {
			return err
		}
		if err := showSubject(out, subject); err != nil {
			return err
		}
		if !c.Yes && !confirmed(out, os.Stdin, question) {
			return errNotConfirmed
		}
		asking, cancel := context.WithTimeout(ctx, operatorPatience)
		defer cancel()
		if after, err = op.DecideOn(asking, verb, subject, reason); err != nil {
			return err
		}
		// One server's word is not enough: what nodes act on is what a majority
		// signed.
		switch {
		case verb == centre.Suspend:
			return op.Confirm(asking, subject.Agency.ID, directory.Suspended)
		case verb == centre.Approve && !waits(after, subject):
			return op.Confirm(asking, subject.Agency.ID, directory.Active)
		}
		return nil
	})
	return subject, after, err
}

// waits reports whether the subject still waits for another approval.
func waits(st *centre.Status, subject centre.Subject) bool {
	return slices.ContainsFunc(st.Pending, func(s centre.Subject) bool { return s.Number == subject.Number })
}

// showSubject prints what an operator decides upon.
func showSubject(out io.Writer, s centre.Subject) error {
	w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
	fmt.Fprintf(w, "agency\t%s (%s)\n", s.Agency.Name, s.Agency.ID)
	fmt.Fprintf(w, "jurisdiction\t%s\n", s.Agency.Jurisdiction)
	fmt.Fprintf(w, "contact\t%s\n", s.Agency.Contact)
	fmt.Fprintf(w, "addresses\t%s\n", strings.Join(s.Agency.Addresses, ", "))
	if s.Agency.Status == directory.Pending {
		fmt.Fprintf(w, "fingerprint\t%s\n", s.Fingerprint())
	}
	fmt.Fprintf(w, "application\t%x\n", s.Hash[:])
	if len(s.Approvals) > 0 {
		fmt.Fprintf(w, "approved by\t%s\n", strings.Join(s.Approvals, ", "))
	}
	return w.Flush()
}

// confirmed asks a question that only yes answers.
func confirmed(out io.Writer, in io.Reader, question string) bool {
	fmt.Fprintf(out, "\n%s [y/N] ", question)
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(out)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

type registryApproveCmd struct{ deciding }

func (c registryApproveCmd) Run(ctx context.Context, out io.Writer) error {
	subject, after, err := c.decide(ctx, out, centre.Approve, "", "Has the agency read this fingerprint to you, over a number that you looked up yourself?")
	if err != nil {
		return err
	}
	for _, s := range after.Pending {
		if s.Number == subject.Number {
			_, err := fmt.Fprintf(out, "\nApproved by %s. %d more has to approve %s.\n",
				strings.Join(s.Approvals, ", "), registry.Approvals-len(s.Approvals), c.Agency)
			return err
		}
	}
	fmt.Fprintf(out, "\nApproved. %s is a member.\n", c.Agency)
	return nil
}

type registryRefuseCmd struct {
	deciding
	Reason string `required:"" help:"Why, in one line; the applicant reads it."`
}

func (c registryRefuseCmd) Run(ctx context.Context, out io.Writer) error {
	if _, _, err := c.decide(ctx, out, centre.Refuse, c.Reason, "Turn this application down?"); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe application of %s is refused.\n", c.Agency)
	return nil
}

type registrySuspendCmd struct {
	deciding
	Reason string `required:"" help:"Why, in one line; the agency reads it."`
}

func (c registrySuspendCmd) Run(ctx context.Context, out io.Writer) error {
	if _, _, err := c.decide(ctx, out, centre.Suspend, c.Reason, "Cut this member off?"); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s is suspended: a majority of the servers has signed it, and members cut it off as it reaches them.\n", c.Agency)
	return nil
}
