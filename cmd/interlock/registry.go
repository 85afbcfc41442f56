package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"interlock/protocol/directory"
	"interlock/replication/centre"
)

type registryCmd struct {
	Init      registryInitCmd      `cmd:"" help:"Found a network: a folder for each server, keys for each operator, and the network file that agencies pin."`
	Run       registryRunCmd       `cmd:"" help:"Run one server until it is interrupted."`
	Status    registryStatusCmd    `cmd:"" help:"Show how the registry stands, and its agencies."`
	Operators registryOperatorsCmd `cmd:"" help:"List who may decide."`
	Pending   registryPendingCmd   `cmd:"" help:"List the applications that wait."`
	Approve   registryApproveCmd   `cmd:"" help:"Approve an application. Two operators have to; then the agency is a member."`
	Refuse    registryRefuseCmd    `cmd:"" help:"Turn an application down. One operator is enough."`
	Suspend   registrySuspendCmd   `cmd:"" help:"Cut a member off at once. One operator is enough."`
}

type registryInitCmd struct {
	Name      string   `required:"" help:"The network's name, for example \"Colorado\"."`
	Dir       string   `required:"" type:"path" help:"The folder to make."`
	Server    []string `required:"" sep:"none" placeholder:"NAME=ADDRESS,…" help:"A server's name and the multiaddrs where others reach it, for example \"Denver=/dns4/r1.example.org/tcp/4001\". Once for each server; three or five."`
	Threshold int      `required:"" help:"How many servers have to work together for a token. Fewer learn nothing."`
	Operator  []string `required:"" sep:"none" placeholder:"NAME" help:"An operator's short name. Once for each; at least two."`
}

func (c registryInitCmd) Run(out io.Writer) error {
	f := centre.Founding{Name: c.Name, Dir: c.Dir, Threshold: c.Threshold, Operators: c.Operator}
	for _, text := range c.Server {
		s, err := parseServer(text)
		if err != nil {
			return err
		}
		f.Servers = append(f.Servers, s)
	}
	network, err := centre.Found(f)
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
	fmt.Fprintf(w, "network.toml\tfor every agency and operator; it is public\n")
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\nThis machine has held every key for a moment. Erase the folder when everything has been moved.\n")
	return nil
}

// parseServer reads NAME=ADDRESS,…. A server listens where it is reached,
// except that behind a name it listens on every interface.
func parseServer(text string) (centre.FoundingServer, error) {
	name, list, ok := strings.Cut(text, "=")
	if !ok || name == "" || list == "" {
		return centre.FoundingServer{}, fmt.Errorf("--server %q: want NAME=ADDRESS,… for example Denver=/ip4/192.0.2.1/tcp/4001", text)
	}
	s := centre.FoundingServer{Name: name, Addresses: strings.Split(list, ",")}
	for _, a := range s.Addresses {
		listen := a
		if parts := strings.SplitN(a, "/", 4); len(parts) == 4 && strings.HasPrefix(parts[1], "dns") {
			any := "/ip4/0.0.0.0/"
			if parts[1] == "dns6" {
				any = "/ip6/::/"
			}
			listen = any + parts[3]
		}
		s.Listen = append(s.Listen, listen)
	}
	return s, nil
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
	s, err := centre.Start(ctx, centre.Options{
		Config: config, Unlock: lock, Log: slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Registry server %d listens on %s\n", s.Index(), strings.Join(s.Addresses(), " and "))
	<-ctx.Done()
	return s.Close()
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
		leader := st.Leader + " leads"
		if st.Leader == "" {
			leader = "no server leads; this is what " + st.Asked + " knew last"
		}
		w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
		fmt.Fprintf(w, "servers\t%s\n", strings.Join(st.Servers, ", "))
		fmt.Fprintf(w, "leader\t%s\n", leader)
		fmt.Fprintf(w, "directory\tversion %d, signed by %d of %d servers\n", st.Version, st.Endorsed, len(st.Servers))
		fmt.Fprintf(w, "agencies\t%d\n", len(st.Agencies))
		fmt.Fprintf(w, "applications\t%d\n", len(st.Pending))
		if len(st.Agencies) > 0 {
			fmt.Fprintln(w, "\nID\tNAME\tJURISDICTION\tSTATUS\tDECIDED BY")
		}
		for _, a := range st.Agencies {
			decided := strings.Join(a.Approvals, ", ")
			if a.Agency.Status == directory.Suspended {
				decided = a.By + ": " + a.Reason
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Agency.ID, a.Agency.Name, a.Agency.Jurisdiction, a.Agency.Status, decided)
		}
		return w.Flush()
	})
}

type registryOperatorsCmd struct{ asOperator }

func (c registryOperatorsCmd) Run(ctx context.Context, out io.Writer) error {
	return c.with(ctx, func(_ context.Context, _ *centre.Operator, st *centre.Status) error {
		w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
		fmt.Fprintln(w, "NAME\tKEY")
		for _, o := range st.Operators {
			fmt.Fprintf(w, "%s\t%x\n", o.Name, o.Key[:])
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

// registryStatus is the status as JSON.
type registryStatus struct {
	Version  uint64           `json:"version"`
	Endorsed int              `json:"endorsed"`
	Leader   string           `json:"leader"`
	Asked    string           `json:"asked"`
	Applied  uint64           `json:"applied"`
	Servers  []string         `json:"servers"`
	Agencies []registryAgency `json:"agencies"`
	Pending  []registryAgency `json:"pending"`
}

type registryAgency struct {
	ID           directory.AgencyID `json:"id"`
	Name         string             `json:"name"`
	Jurisdiction string             `json:"jurisdiction"`
	Contact      string             `json:"contact"`
	Status       string             `json:"status"`
	Hash         string             `json:"hash"`
	Applied      time.Time          `json:"applied"`
	ApprovedBy   []string           `json:"approved_by"`
	SuspendedBy  string             `json:"suspended_by,omitempty"`
	Reason       string             `json:"reason,omitempty"`
}

func registryReport(st *centre.Status) registryStatus {
	r := registryStatus{
		Version: st.Version, Endorsed: st.Endorsed, Leader: st.Leader, Asked: st.Asked, Applied: st.Applied, Servers: st.Servers,
		Agencies: []registryAgency{}, Pending: []registryAgency{},
	}
	for _, a := range st.Agencies {
		r.Agencies = append(r.Agencies, reportAgency(a))
	}
	for _, a := range st.Pending {
		r.Pending = append(r.Pending, reportAgency(a))
	}
	return r
}

func reportAgency(a centre.Subject) registryAgency {
	return registryAgency{
		ID: a.Agency.ID, Name: a.Agency.Name, Jurisdiction: a.Agency.Jurisdiction, Contact: a.Agency.Contact,
		Status: a.Agency.Status.String(), Hash: fmt.Sprintf("%x", a.Hash[:]), Applied: a.Applied.UTC(),
		ApprovedBy: a.Approvals, SuspendedBy: a.By, Reason: a.Reason,
	}
}
