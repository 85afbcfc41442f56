package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"interlock/node/control"
)

type nodeUserCmd struct {
	Add      userAddCmd      `cmd:"" help:"Give somebody an account; the password is read from the terminal or standard input."`
	List     userListCmd     `cmd:"" help:"List the accounts."`
	Password userPasswordCmd `cmd:"" help:"Set an account's password and end its sessions."`
}

type userAddCmd struct {
	folder
	Name     string `arg:"" help:"What the officer signs in with, for example m.okafor."`
	FullName string `required:"" help:"The officer's name as colleagues know it."`
	Role     string `default:"officer" enum:"officer,supervisor,administrator" help:"officer, supervisor or administrator."`
	Generate bool   `help:"Make a password and print it."`
}

func (c userAddCmd) Run(ctx context.Context, out io.Writer, errs stderr) error {
	p := rand.Text()
	if !c.Generate {
		var err error
		if p, err = secret("New password: ", os.Stdin, errs); err != nil {
			return err
		}
	}
	err := control.Dial(c.Dir).AddOfficer(ctx, control.NewOfficer{Name: c.Name, FullName: c.FullName, Role: c.Role, Password: p})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s can sign in as %s.\n", c.FullName, c.Name)
	if c.Generate {
		fmt.Fprintf(out, "Password: %s\n", p)
	}
	return nil
}

type userListCmd struct {
	folder
}

func (c userListCmd) Run(ctx context.Context, out io.Writer) error {
	list, err := control.Dial(c.Dir).Officers(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tFULL NAME\tROLE\tSINCE")
	for _, o := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", o.Name, o.FullName, o.Role, o.Created.Local().Format(time.DateOnly))
	}
	return w.Flush()
}

type userPasswordCmd struct {
	folder
	Name string `arg:"" help:"The account."`
}

func (c userPasswordCmd) Run(ctx context.Context, out io.Writer, errs stderr) error {
	p, err := secret("New password: ", os.Stdin, errs)
	if err != nil {
		return err
	}
	if err := control.Dial(c.Dir).SetPassword(ctx, c.Name, p); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s has a new password; open sessions have ended.\n", c.Name)
	return nil
}
