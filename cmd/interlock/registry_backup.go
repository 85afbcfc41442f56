package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"interlock/crypto/vault"
	"interlock/replication/centre"
)

type registryBackupKeyCmd struct {
	To string `required:"" type:"path" placeholder:"FILE" help:"The key file to make; the recipient is put beside it, with .pub."`
}

func (c registryBackupKeyCmd) Run(out io.Writer) error {
	lock, err := vault.NewKeyFile(c.To)
	if err != nil {
		return err
	}
	recipient, _ := lock.Recipient()
	public, err := os.OpenFile(c.To+".pub", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(public, recipient); err != nil {
		return err
	}
	if err := public.Close(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s opens backups: keep it where no registry server is, and where this server's keepers alone can reach it.\n"+
		"%s is what backups are sealed to: interlock registry backup --recipient @%s\n", c.To, c.To+".pub", c.To+".pub")
	return nil
}

// stoppable is a server's folder.
type stoppable struct {
	Config string `default:"registry.toml" type:"path" help:"The server's configuration file."`
}

func (c stoppable) load() (config centre.Config, lock vault.Lock, err error) {
	if config, err = centre.Load(c.Config); err != nil {
		return config, lock, err
	}
	lock, err = config.Lock()
	return config, lock, err
}

type registryBackupCmd struct {
	stoppable
	To        string   `required:"" type:"path" placeholder:"FILE" help:"The file to write; it must not be there."`
	Recipient []string `required:"" placeholder:"age1pq1…" help:"Who can open the backup, or @FILE with one in each line. Once for each."`
}

func (c registryBackupCmd) Run(ctx context.Context, out io.Writer) error {
	config, _, err := c.load()
	if err != nil {
		return err
	}
	recipients, err := readRecipients(c.Recipient)
	if err != nil {
		return err
	}
	b, err := centre.TakeBackup(ctx, config)
	if err != nil {
		return err
	}
	if err := b.Save(c.To, recipients...); err != nil {
		return err
	}
	fmt.Fprintf(out, "The backup is in %s; %d can open it.\n\n", c.To, len(recipients))
	if err := showManifest(out, b.Manifest); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nIt holds the identity and its key file, the configuration, the founding document, the newest directory,\n"+
		"%d generations of shares and the registry. Whoever opens it is this server: seal each server's to other people.\n", b.Shares())
	return nil
}

func readRecipients(texts []string) (list []vault.Recipient, err error) {
	for _, text := range texts {
		lines := []string{text}
		if path, ok := strings.CutPrefix(text, "@"); ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			lines = strings.Split(string(b), "\n")
		}
		for _, line := range lines {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			r, err := vault.ParseRecipient(line)
			if err != nil {
				return nil, fmt.Errorf("--recipient: %w: want age1pq1…, as interlock registry backup-key or age-keygen -pq makes it", err)
			}
			list = append(list, r)
		}
	}
	return list, nil
}

func showManifest(out io.Writer, m centre.Manifest) error {
	w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
	fmt.Fprintf(w, "network\t%s (%s)\n", m.Network, m.Genesis)
	fmt.Fprintf(w, "server\t%d, %s\n", m.Server, m.Name)
	fmt.Fprintf(w, "taken\t%s\n", m.Taken.Local().Format(time.RFC3339))
	fmt.Fprintf(w, "directory\tversion %d\n", m.Version)
	fmt.Fprintf(w, "command\t%d of incarnation %d\n", m.Index, m.Incarnation)
	fmt.Fprintf(w, "registry\t%s\n", m.State)
	return w.Flush()
}

type registryRestoreCmd struct {
	From     string `required:"" type:"existingfile" help:"The backup."`
	Identity string `required:"" type:"existingfile" placeholder:"KEYFILE" help:"The key file that opens it."`
	Dir      string `required:"" type:"path" help:"The folder to make."`
}

func (c registryRestoreCmd) Run(out io.Writer) error {
	lock, err := vault.KeyFile(c.Identity)
	if err != nil {
		return err
	}
	m, err := centre.Restore(c.From, lock, c.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The server is restored in %s.\n\n", c.Dir)
	if err := showManifest(out, m); err != nil {
		return err
	}
	config := filepath.Join(c.Dir, "registry.toml")
	fmt.Fprintf(out, "\nWhere the other servers run: make sure that the lost machine never comes back, then: interlock registry run --config %s\n"+
		"Where none is left: restore the newest backup alone first, with an order of two operators that begins from the registry above:\n"+
		"interlock registry recover --config %s --order order.toml\n", config, config)
	return nil
}

type registryRejoinCmd struct {
	stoppable
	Yes bool `help:"Do not ask for confirmation."`
}

func (c registryRejoinCmd) Run(out io.Writer) error {
	config, _, err := c.load()
	if err != nil {
		return err
	}
	if !c.Yes && !confirmed(out, os.Stdin, "This server forgets its log and asks the others for theirs. Do a majority of the others run?") {
		return errNotConfirmed
	}
	aside, err := centre.Rejoin(config)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The old log is set aside in %s; erase it when the server has rejoined.\nNow: interlock registry run --config %s\n", aside, c.Config)
	return nil
}
