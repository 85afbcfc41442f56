package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"interlock/crypto/vault"
	"interlock/node"
	"interlock/node/control"
	"interlock/protocol/directory"
	"interlock/protocol/invitation"
)

type nodeCmd struct {
	Init   nodeInitCmd   `cmd:"" help:"Make the node's folder with its keys and configuration."`
	Enrol  nodeEnrolCmd  `cmd:"" help:"Apply to the network's registry for admission."`
	Run    nodeRunCmd    `cmd:"" help:"Run the node until it is interrupted."`
	Status nodeStatusCmd `cmd:"" help:"Show how the running node and its peers stand."`
	Rotate nodeRotateCmd `cmd:"" help:"Make new keys for the agency, and apply to be known by them."`
	User   nodeUserCmd   `cmd:"" help:"Manage who may sign in at the running node."`

	Commons nodeCommonsCmd `cmd:"" help:"Manage what officers are warned of as common, and mute in the whole network."`
}

type folder struct {
	Dir string `default:"." type:"path" help:"The node's folder."`
}

// open reads the node's configuration, and what opens its identity.
func (f folder) open(errs stderr) (cfg node.Config, lock vault.Lock, err error) {
	if cfg, err = node.LoadConfig(f.Dir); err != nil {
		return cfg, lock, err
	}
	lock, err = unlock(f.Dir, cfg.Unlock, os.Stdin, errs)
	return cfg, lock, err
}

// unlockFile is the key file that init makes beside the identity it opens.
const unlockFile = "unlock.key"

// unlock is what opens the node's identity: the key file that the
// configuration names, or a passphrase.
func unlock(dir, keyFile string, in *os.File, errs io.Writer) (vault.Lock, error) {
	if keyFile != "" {
		if !filepath.IsAbs(keyFile) {
			keyFile = filepath.Join(dir, keyFile)
		}
		return vault.KeyFile(keyFile)
	}
	p, err := secret("Passphrase of the node's identity: ", in, errs)
	if err != nil {
		return vault.Lock{}, err
	}
	return vault.Passphrase([]byte(p)), nil
}

// secret reads one line: hidden from a terminal, or as it is from a pipe.
func secret(prompt string, in *os.File, errs io.Writer) (string, error) {
	if term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(errs, prompt)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(errs)
		return string(b), err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return "", fmt.Errorf("read the passphrase or password from standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

type nodeInitCmd struct {
	folder
	Agency       string   `required:"" help:"The agency's id: 2 to 32 lower-case letters, digits and inner hyphens."`
	Name         string   `required:"" help:"The agency's name, as other agencies see it."`
	Jurisdiction string   `required:"" help:"ISO 3166-2 code, for example US-CO."`
	Contact      string   `required:"" help:"The deconfliction desk that other agencies call."`
	Region       string   `default:"US" help:"Country in which telephone numbers without a country code are read."`
	Listen       []string `default:"/ip4/0.0.0.0/tcp/4101,/ip4/0.0.0.0/udp/4101/quic-v1" help:"Multiaddrs to listen on."`
	Address      []string `help:"Multiaddrs at which other members reach this node, for example /dns4/interlock.denver.example/tcp/4101."`
	Invitation   string   `required:"" help:"The invitation that an operator gave you, or @FILE with it."`
	Web          string   `default:"127.0.0.1:8443" help:"host:port of the officers' pages."`
	Origin       string   `default:"https://localhost:8443" help:"What officers type into their browser."`
	Passphrase   bool     `help:"Seal the keys under a passphrase instead of a key file."`
}

func (c nodeInitCmd) Run(out io.Writer, errs stderr) error {
	invited, err := readInvitation(c.Invitation)
	if err != nil {
		return err
	}
	defer invited.Destroy()
	cfg := node.Config{
		Agency: c.Agency, Name: c.Name, Jurisdiction: c.Jurisdiction, Contact: c.Contact, Region: c.Region,
		Listen: c.Listen, Addresses: c.Address, Network: "network.toml", Unlock: unlockFile,
		Web: node.Web{Listen: c.Web, Origin: c.Origin},
	}
	var lock vault.Lock
	if c.Passphrase {
		cfg.Unlock = ""
		lock, err = unlock(c.Dir, "", os.Stdin, errs)
	} else if err = os.MkdirAll(c.Dir, 0o700); err == nil {
		lock, err = vault.NewKeyFile(filepath.Join(c.Dir, unlockFile))
	}
	if err != nil {
		return err
	}
	if err := node.Init(c.Dir, cfg, lock, invited); err != nil {
		return err
	}
	fmt.Fprintf(out, "The node of %s is ready in %s.\nNext: look at node.toml, then `interlock node enrol --dir %s`.\n", c.Name, c.Dir, c.Dir)
	return nil
}

// readInvitation parses an invitation given as it is, or in a file.
func readInvitation(text string) (invitation.Invitation, error) {
	if path, ok := strings.CutPrefix(text, "@"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return invitation.Invitation{}, err
		}
		text = string(b)
	}
	return invitation.Parse(text)
}

type nodeEnrolCmd struct {
	folder
}

func (c nodeEnrolCmd) Run(ctx context.Context, out io.Writer, errs stderr) error {
	cfg, lock, err := c.open(errs)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	a, err := node.Enrol(ctx, cfg, lock, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("apply for admission: %w", err)
	}
	switch a.Status {
	case directory.Pending:
		fmt.Fprintf(out, "The application is with the registry. Two operators have to approve it.\n"+
			"They will call %s; read this to them:\n\n    %s\n\nThen: interlock node run --dir %s\n", cfg.Contact, a.Fingerprint, c.Dir)
	case directory.Active:
		fmt.Fprintf(out, "The agency is a member. Run the node: interlock node run --dir %s\n", c.Dir)
	default:
		return fmt.Errorf("the registry did not take the application (%s): %s", a.Status, a.Refusal)
	}
	return nil
}

type nodeRunCmd struct {
	folder
	Debug bool `help:"Log more."`
}

func (c nodeRunCmd) Run(ctx context.Context, out io.Writer, errs stderr) error {
	cfg, lock, err := c.open(errs)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	o := node.Options{
		Config: cfg, Unlock: lock, Pauses: node.DefaultPauses,
		Log: slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level})),
	}
	for {
		err := runNode(ctx, o, out)
		if !errors.Is(err, node.ErrKeysChanged) {
			return err
		}
		fmt.Fprintln(out, "The agency's keys have changed; the node goes on with the new ones.")
	}
}

// runNode runs a node until it is interrupted, or fails.
func runNode(ctx context.Context, o node.Options, out io.Writer) error {
	n, err := node.Start(o)
	if err != nil {
		return err
	}
	url, err := n.Serve()
	if err != nil {
		return errors.Join(err, n.Close())
	}
	fmt.Fprintf(out, "The node of %s is running; its pages are at %s\n", o.Config.Name, url)
	select {
	case <-ctx.Done():
	case err = <-n.Failed():
	}
	return errors.Join(err, n.Close())
}

type nodeStatusCmd struct {
	folder
	JSON bool `help:"Print JSON."`
}

func (c nodeStatusCmd) Run(ctx context.Context, out io.Writer) error {
	st, err := control.Dial(c.Dir).Status(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(out).Encode(st)
	}
	reach := "reachable"
	if !st.Network.RegistryReachable {
		reach = "not reachable; identifiers saved now wait for their tokens"
	}
	fmt.Fprintf(out, "%s (%s): %s\nregistry: %s\nown feed: %d entries\nwaiting for tokens: %d\n",
		st.Name, st.Agency, st.Network.Standing, reach, st.Entries, st.Network.Waiting)
	if r := st.Network.Renewal; r.UnderWay() {
		fmt.Fprintf(out, "new token key (epoch %d): %d of %d identifiers have their new token\n", r.Epoch, r.Done, r.Of)
	}
	for _, trouble := range st.Network.Troubles {
		fmt.Fprintln(out, trouble)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nMEMBER\tLINK\tRECEIVED\tACKNOWLEDGED\tBYTES IN\tBYTES OUT\tLAST HEARD\tTROUBLE")
	for _, m := range st.Network.Members {
		link := "down"
		if m.Connected {
			link = "up"
		}
		heard := "never"
		if !m.LastHeard.IsZero() {
			heard = m.LastHeard.Local().Format(time.DateTime)
		}
		if m.ByOthers {
			link += ", by others"
		}
		fmt.Fprintf(w, "%s\t%s\t%d of %d\t%d of %d\t%d\t%d\t%s\t%s\n",
			m.Agency.Name, link, m.Have, m.Head, m.Has, m.Ours, m.ReceivedBytes, m.SentBytes, heard, m.Trouble)
	}
	if len(st.Network.Refused) > 0 {
		fmt.Fprintln(w, "\nREFUSED\tCODE\tBY\tTIMES")
	}
	for _, r := range st.Network.Refused {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", r.Protocol, r.Code, r.By, r.Count)
	}
	return w.Flush()
}

type nodeRotateCmd struct {
	folder
}

func (c nodeRotateCmd) Run(ctx context.Context, out io.Writer, errs stderr) error {
	cfg, lock, err := c.open(errs)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	a, err := node.Rotate(ctx, cfg, lock, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("apply with new keys: %w", err)
	}
	if a.Status != directory.Pending && a.Status != directory.Active {
		return fmt.Errorf("the registry did not take the application (%s): %s", a.Status, a.Refusal)
	}
	fmt.Fprintf(out, "New keys are made, and the registry is asked to know the agency by them. Two operators have to approve.\n"+
		"They will call %s; read this to them:\n\n    %s\n\n"+
		"Then the running node takes the new keys over, or the next start does.\n", cfg.Contact, a.Fingerprint)
	return nil
}
