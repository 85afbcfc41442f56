package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"interlock/replication/centre"
	"interlock/replication/metrics"
)

type registryCmd struct {
	Server    registryServerCmd    `cmd:"" help:"Make a server's keys on its own machine, and its card for the founding."`
	Operator  registryOperatorCmd  `cmd:"" help:"Make an operator's keys, and the card for the founding."`
	Found     registryFoundCmd     `cmd:"" help:"Found a network from the cards of its servers and operators."`
	Init      registryInitCmd      `cmd:"" help:"Rehearse: make every key on this machine and found a network."`
	Run       registryRunCmd       `cmd:"" help:"Run one server until it is interrupted."`
	Status    registryStatusCmd    `cmd:"" help:"Show how the registry stands, and its agencies."`
	Operators registryOperatorsCmd `cmd:"" help:"List who may decide."`
	Invite    registryInviteCmd    `cmd:"" help:"Make an invitation: all that an agency needs to enrol, once."`
	Pending   registryPendingCmd   `cmd:"" help:"List the applications that wait."`
	Approve   registryApproveCmd   `cmd:"" help:"Approve an application. Two operators have to; then the agency is a member."`
	Refuse    registryRefuseCmd    `cmd:"" help:"Turn an application down. One operator is enough."`
	Suspend   registrySuspendCmd   `cmd:"" help:"Cut a member off at once. One operator is enough."`
	Clear     registryClearCmd     `cmd:"" help:"End the throttling of a member whose demand was unusual."`
	Motion    registryMotionCmd    `cmd:"" help:"Put what takes two operators, and decide upon it: servers, keys, operators, policy, agencies."`
	Record    registryRecordCmd    `cmd:"" help:"Show or export the record of everything that was decided and evaluated."`
	Console   registryConsoleCmd   `cmd:"" help:"Serve the operators' web pages."`

	BackupKey     registryBackupKeyCmd `cmd:"" help:"Make a key that backups are sealed to."`
	Backup        registryBackupCmd    `cmd:"" help:"Back one server up, running or stopped, sealed to whoever keeps backups."`
	Restore       registryRestoreCmd   `cmd:"" help:"Make a server's folder from its backup, on a new machine."`
	Rejoin        registryRejoinCmd    `cmd:"" help:"Set a stopped server's log aside: it asks the others for theirs when it runs."`
	Inspect       registryInspectCmd   `cmd:"" help:"Show how far a stopped server is."`
	RecoveryOrder registryOrderCmd     `cmd:"" help:"Make, or sign as the second operator, the order to go on after a majority of the servers was lost for good."`
	Recover       registryRecoverCmd   `cmd:"" help:"Carry the order out at a survivor, which is stopped."`
}

type registryInitCmd struct {
	Name      string   `required:"" help:"The network's name, for example \"Colorado\"."`
	Dir       string   `required:"" type:"path" help:"The folder to make."`
	Server    []string `required:"" sep:"none" placeholder:"NAME=ADDRESS,…" help:"A server's name and the multiaddrs where others reach it, for example \"Denver=/dns4/r1.example.org/tcp/4001\". Once for each server; three or five."`
	Threshold int      `required:"" help:"How many servers have to work together for a token. Fewer learn nothing."`
	Operator  []string `required:"" sep:"none" placeholder:"NAME" help:"An operator's short name. Once for each; at least two, each with every role."`
}

func (c registryInitCmd) Run(out io.Writer) error {
	f := centre.Rehearsal{Name: c.Name, Dir: c.Dir, Threshold: c.Threshold, Operators: c.Operator}
	for _, text := range c.Server {
		s, err := parseServer(text)
		if err != nil {
			return err
		}
		f.Servers = append(f.Servers, s)
	}
	network, err := centre.Rehearse(f)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The network %s is founded in %s.\n\n", network.Name, c.Dir)
	w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
	for _, s := range network.Servers {
		fmt.Fprintf(w, "server-%d\tthe folder of %s; move it to that machine, then: interlock registry run --config registry.toml\n", s.Index, s.Name)
	}
	for _, name := range c.Operator {
		fmt.Fprintf(w, "operators/%s.age, .key\tthe keys of %s; hand both over, and keep no copy\n", name, name)
	}
	fmt.Fprintf(w, "network.toml\tfor every operator and auditor; it is public\n")
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\nThe servers make the token key among themselves when they first run. This machine has held every identity\n"+
		"for a moment: erase the folder when everything has been moved, or found with cards made on each machine instead.\n")
	return nil
}

// parseServer reads NAME=ADDRESS,…. A server listens where it is reached,
// except that behind a name it listens on every interface.
func parseServer(text string) (centre.FoundingServer, error) {
	name, list, ok := strings.Cut(text, "=")
	if !ok || name == "" || list == "" {
		return centre.FoundingServer{}, fmt.Errorf("--server %q: want NAME=ADDRESS,… for example Denver=/ip4/192.0.2.1/tcp/4001", text)
	}
	addresses := strings.Split(list, ",")
	return centre.FoundingServer{Name: name, Addresses: addresses, Listen: listenFor(addresses)}, nil
}

// listenFor is where to listen to be reached at some addresses.
func listenFor(addresses []string) (list []string) {
	for _, a := range addresses {
		listen := a
		if parts := strings.SplitN(a, "/", 4); len(parts) == 4 && strings.HasPrefix(parts[1], "dns") {
			any := "/ip4/0.0.0.0/"
			if parts[1] == "dns6" {
				any = "/ip6/::/"
			}
			listen = any + parts[3]
		}
		list = append(list, listen)
	}
	return list
}

type registryRunCmd struct {
	Config string `default:"registry.toml" type:"path" help:"The server's configuration file."`
	Debug  bool   `help:"Log more."`
}

func (c registryRunCmd) Run(ctx context.Context, out io.Writer, errs stderr) error {
	config, err := centre.Load(c.Config)
	if err != nil {
		return err
	}
	lock, err := config.Lock()
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level}))
	measure := metrics.New(log)
	served, err := measure.Listen(config.Metrics)
	if err != nil {
		return err
	}
	if served.Address() != "" {
		fmt.Fprintf(out, "Metrics are at http://%s/metrics\n", served.Address())
	}
	s, err := centre.Start(ctx, centre.Options{Config: config, Unlock: lock, Observer: measure, Log: log})
	if err != nil {
		return errors.Join(err, served.Close())
	}
	measure.Watch(s)
	control, err := s.ServeControl()
	if err != nil {
		return errors.Join(err, served.Close(), s.Close())
	}
	which := fmt.Sprintf("Registry server %d", s.Index())
	if s.Index() == 0 {
		which = "Registry server without a number (it waits to be added)"
	}
	fmt.Fprintf(out, "%s listens on %s\n", which, strings.Join(s.Addresses(), " and "))
	<-ctx.Done()
	return errors.Join(control.Close(), served.Close(), s.Close())
}

// asOperator is how the commands below reach the registry.
type asOperator struct {
	Network  string `required:"" type:"path" help:"The network file."`
	Operator string `required:"" type:"path" help:"The operator's keys, for example operators/alice.age."`
	Unlock   string `type:"path" help:"The key file that opens them, if it is not beside them."`
}

// operatorPatience is how long the registry may take to answer an operator.
const operatorPatience = 30 * time.Second

// with calls do with the operator's end of the registry and its status now.
func (o asOperator) with(ctx context.Context, do func(context.Context, *centre.Operator, *centre.Status) error) (err error) {
	op, err := centre.LoadOperator(o.Network, o.Operator, o.Unlock, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() {
		if c := op.Close(); err == nil {
			err = c
		}
	}()
	asking, cancel := context.WithTimeout(ctx, operatorPatience)
	defer cancel()
	status, err := op.Status(asking)
	if err != nil {
		return fmt.Errorf("ask the registry: %w", err)
	}
	return do(ctx, op, status)
}

type registryStatusCmd struct {
	asOperator
	JSON bool `help:"Print JSON."`
}

func (c registryStatusCmd) Run(ctx context.Context, out io.Writer) error {
	return c.with(ctx, func(_ context.Context, _ *centre.Operator, st *centre.Status) error {
		if c.JSON {
			return json.NewEncoder(out).Encode(registryReport(st))
		}
		return showStatus(out, st)
	})
}

type registryOperatorsCmd struct{ asOperator }

func (c registryOperatorsCmd) Run(ctx context.Context, out io.Writer) error {
	return c.with(ctx, func(_ context.Context, _ *centre.Operator, st *centre.Status) error {
		w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
		fmt.Fprintln(w, "NAME\tROLES\tKEY")
		for _, o := range st.Operators {
			fmt.Fprintf(w, "%s\t%s\t%s\n", o.Name, o.Roles, o.Key.Hex())
		}
		return w.Flush()
	})
}

type registryPendingCmd struct {
	asOperator
	JSON bool `help:"Print JSON."`
}

func (c registryPendingCmd) Run(ctx context.Context, out io.Writer) error {
	return c.with(ctx, func(_ context.Context, _ *centre.Operator, st *centre.Status) error {
		if c.JSON {
			return json.NewEncoder(out).Encode(registryReport(st).Pending)
		}
		if len(st.Pending) == 0 {
			_, err := fmt.Fprintln(out, "No application waits.")
			return err
		}
		w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tJURISDICTION\tCONTACT\tAPPLIED\tAPPROVED BY\tHASH")
		for _, a := range st.Pending {
			approved := strings.Join(a.Approvals, ", ")
			if approved == "" {
				approved = "nobody yet"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%x\n", a.Agency.ID, a.Agency.Name, a.Agency.Jurisdiction, a.Agency.Contact,
				a.Applied.Local().Format("2006-01-02 15:04"), approved, a.Hash[:6])
		}
		return w.Flush()
	})
}
