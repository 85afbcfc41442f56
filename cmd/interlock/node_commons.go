package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"interlock/node"
	"interlock/node/commons"
	"interlock/node/control"
	"interlock/protocol/identifier"
)

type nodeCommonsCmd struct {
	List commonsListCmd `cmd:"" help:"List the warn lists of values that many people share."`
	Load commonsLoadCmd `cmd:"" help:"Load a warn list from a file, in the place of the one of its name; an empty file puts that out of use."`
	Drop commonsDropCmd `cmd:"" help:"Forget a loaded list; one that came with the program under its name holds again."`
	Tag  commonsTagCmd  `cmd:"" help:"Print the tag by which operators mute an identifier of this agency in the whole network."`
}

type commonsListCmd struct {
	folder
}

func (c commonsListCmd) Run(ctx context.Context, out io.Writer) error {
	list, err := control.Dial(c.Dir).WarnLists(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tENTRIES\tAS OF\tFROM")
	for _, l := range list {
		from := l.Source
		if l.Own {
			from = "loaded by this agency; " + from
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", l.Name, l.Entries, l.Date, strings.TrimSuffix(from, "; "))
	}
	return w.Flush()
}

type commonsLoadCmd struct {
	folder
	Name string `arg:"" help:"The list's name, for example tor-exits."`
	File string `arg:"" type:"path" help:"One entry on a line: an address, a network, a domain, a mailbox, a number, a hash, an account."`
}

func (c commonsLoadCmd) Run(ctx context.Context, out io.Writer) (err error) {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(f, commons.MaxText+1))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(c.File), err)
	}
	// Refused here, a list is not sent.
	if _, err := commons.Open(c.Name, string(text)); err != nil {
		return err
	}
	l, err := control.Dial(c.Dir).LoadWarnList(ctx, c.Name, string(text))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is loaded: %d entries. Officers are warned of them from now on.\n", l.Name, l.Entries)
	return nil
}

type commonsDropCmd struct {
	folder
	Name string `arg:"" help:"The list's name."`
}

func (c commonsDropCmd) Run(ctx context.Context, out io.Writer) error {
	if err := control.Dial(c.Dir).DropWarnList(ctx, c.Name); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is dropped.\n", c.Name)
	return nil
}

type commonsTagCmd struct {
	folder
	Kind  string   `help:"What the identifiers are: email, phone, ip, domain, url, account, md5, sha1, sha256 or wallet. Without it, what each looks like."`
	Value []string `arg:"" optional:"" help:"Identifiers that cases of this agency hold. Without any, one on each line of standard input, where no history of commands keeps them."`
}

func (c commonsTagCmd) Run(ctx context.Context, out io.Writer) error {
	cfg, err := node.LoadConfig(c.Dir)
	if err != nil {
		return err
	}
	values := c.Value
	if len(values) == 0 {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			values = append(values, in.Text())
		}
		if err := in.Err(); err != nil {
			return fmt.Errorf("read identifiers from standard input: %w", err)
		}
	}
	for n, raw := range values {
		i, err := c.identifier(raw, identifier.Region(cfg.Region))
		if err != nil {
			return fmt.Errorf("identifier %d: %w", n+1, err)
		}
		tags, err := control.Dial(c.Dir).MuteTags(ctx, i)
		if err != nil {
			return fmt.Errorf("identifier %d: %w", n+1, err)
		}
		for _, t := range tags {
			fmt.Fprintf(out, "%s  identifier %d, key epoch %d\n", t.Tag, n+1, t.Epoch)
		}
	}
	return nil
}

// identifier reads one value, of the kind that was named or of the one that it
// looks like.
func (c commonsTagCmd) identifier(raw string, region identifier.Region) (identifier.Identifier, error) {
	if c.Kind != "" {
		kind, err := identifier.ParseKind(c.Kind)
		if err != nil {
			return identifier.Identifier{}, err
		}
		return identifier.Parse(kind, raw, region)
	}
	found := identifier.Extract(raw, region)
	if len(found) != 1 {
		return identifier.Identifier{}, fmt.Errorf("this looks like %d identifiers; say with --kind what it is", len(found))
	}
	return found[0].Identifier, nil
}
