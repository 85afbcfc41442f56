package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/directory"
	"interlock/replication/centre"
)

type registryInspectCmd struct{ stoppable }

func (c registryInspectCmd) Run(out io.Writer) error {
	config, lock, err := c.load()
	if err != nil {
		return err
	}
	p, err := centre.Inspect(config, lock)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
	fmt.Fprintf(w, "server\t%d, %s\n", p.Server.Index, p.Server.Name)
	fmt.Fprintf(w, "incarnation\t%d\n", p.Incarnation)
	fmt.Fprintf(w, "directory\tversion %d\n", p.Version)
	if p.State != "" {
		fmt.Fprintf(w, "log\tnone; restored from a backup with command %d and the registry\n\t%s\n", p.Index, p.State)
	} else {
		fmt.Fprintf(w, "log\tterm %d, entry %d\n", p.Term, p.Index)
		fmt.Fprintf(w, "voters\t%s\n", numbers(p.Voters))
	}
	return w.Flush()
}

func numbers(list []oprf.Index) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = fmt.Sprint(n)
	}
	return strings.Join(texts, ", ")
}

type registryOrderCmd struct {
	Network     string   `required:"" type:"path" help:"The network file."`
	Operator    string   `required:"" type:"path" help:"The operator's keys, for example operators/alice.age."`
	Unlock      string   `type:"path" help:"The key file that opens them, if it is not beside them."`
	Out         string   `required:"" type:"path" placeholder:"FILE" help:"The order. Where it is there, it is shown and signed by this operator too."`
	Survivor    []uint16 `placeholder:"N" help:"Number of a server that goes on. Once for each."`
	Incarnation uint64   `help:"The incarnation that begins: one more than interlock registry inspect shows at a survivor."`
	State       string   `placeholder:"SHA256" help:"Where no server is left: the registry in the backup that the one survivor begins from."`
	Reason      string   `help:"Why, in one line."`
	Yes         bool     `help:"Do not ask for confirmation."`
}

func (c registryOrderCmd) Run(out io.Writer, errs stderr) error {
	order, err := c.order()
	if err != nil {
		return err
	}
	if err := showOrder(out, order); err != nil {
		return err
	}
	if !c.Yes && !confirmed(out, os.Stdin, "Do you vouch that every other server is destroyed, or that its disk is? With it two registries would go on.") {
		return errNotConfirmed
	}
	keys, err := c.keys(errs)
	if err != nil {
		return err
	}
	defer keys.Destroy()
	second := len(order.Signatures) > 0
	if err := order.Sign(keys); err != nil {
		return err
	}
	if err := writeOrder(c.Out, order, second); err != nil {
		return err
	}
	if len(order.Signatures) < 2 {
		fmt.Fprintf(out, "\nSigned. A second operator with the role operations has to sign it: interlock registry recovery-order --network … --operator … --out %s\n", c.Out)
		return nil
	}
	fmt.Fprintf(out, "\nSigned by %d operators. At every survivor: interlock registry recover --config registry.toml --order %s\n", len(order.Signatures), c.Out)
	return nil
}

// order is the one in the file, or a new one of the flags.
func (c registryOrderCmd) order() (*centre.Order, error) {
	text, err := os.ReadFile(c.Network)
	if err != nil {
		return nil, err
	}
	network, err := directory.ParseNetwork(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Network, err)
	}
	b, err := os.ReadFile(c.Out)
	switch {
	case err == nil && (len(c.Survivor) > 0 || c.Incarnation != 0 || c.State != "" || c.Reason != ""):
		return nil, fmt.Errorf("%s is an order already: to sign it, say nothing of what it orders", c.Out)
	case err == nil:
		order, err := centre.ParseOrder(b)
		if err == nil && order.Genesis != network.Genesis {
			err = errors.New("the order is for another network")
		}
		return order, err
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	order := &centre.Order{Genesis: network.Genesis, Incarnation: c.Incarnation, Time: uint64(time.Now().Unix()), Reason: c.Reason}
	for _, n := range c.Survivor {
		order.Survivors = append(order.Survivors, oprf.Index(n))
	}
	slices.Sort(order.Survivors)
	if c.State != "" {
		if order.State, err = directory.ParseKey("--state", c.State); err != nil {
			return nil, err
		}
	}
	return order, order.Check()
}

// keys opens the operator's keys: by the key file, or the passphrase where there
// is none.
func (c registryOrderCmd) keys(errs stderr) (*vault.Keys, error) {
	unlock := c.Unlock
	if unlock == "" {
		unlock = strings.TrimSuffix(c.Operator, filepath.Ext(c.Operator)) + ".key"
	}
	lock, err := vault.KeyFile(unlock)
	if errors.Is(err, fs.ErrNotExist) && c.Unlock == "" {
		var p string
		if p, err = secret("Passphrase of the operator's keys: ", os.Stdin, errs); err == nil {
			lock = vault.Passphrase([]byte(p))
		}
	}
	if err != nil {
		return nil, err
	}
	return vault.LoadKeys(c.Operator, lock)
}

func showOrder(out io.Writer, o *centre.Order) error {
	w := tabwriter.NewWriter(out, 0, 4, 3, ' ', 0)
	fmt.Fprintf(w, "network\t%s\n", hex.EncodeToString(o.Genesis[:]))
	fmt.Fprintf(w, "survivors\t%s; every other server is lost\n", numbers(o.Survivors))
	fmt.Fprintf(w, "incarnation\t%d begins\n", o.Incarnation)
	if o.Seeds() {
		fmt.Fprintf(w, "from\tthe backup with the registry %x\n", o.State[:])
	}
	fmt.Fprintf(w, "of\t%s\n", time.Unix(int64(o.Time), 0).Local().Format(time.RFC3339))
	fmt.Fprintf(w, "reason\t%s\n", o.Reason)
	return w.Flush()
}

// writeOrder writes a new order, or in place of the one with fewer signatures.
func writeOrder(path string, o *centre.Order, replace bool) error {
	b, err := o.Encode()
	if err != nil {
		return err
	}
	if !replace {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(b)
		return errors.Join(err, f.Close())
	}
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

type registryRecoverCmd struct {
	stoppable
	Order string `required:"" type:"existingfile" help:"The order, signed by two operators."`
}

func (c registryRecoverCmd) Run(ctx context.Context, out io.Writer) error {
	config, lock, err := c.load()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(c.Order)
	if err != nil {
		return err
	}
	order, err := centre.ParseOrder(b)
	if err != nil {
		return err
	}
	r, err := centre.Recover(ctx, config, lock, order)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "By order of %s, incarnation %d of the network begins with %s.\n", strings.Join(r.By, " and "), order.Incarnation, survivors(order.Survivors))
	for _, s := range r.Lost {
		fmt.Fprintf(out, "Server %d, %s, did not answer. Restore it from its backup, or have it replaced.\n", s.Index, s.Name)
	}
	fmt.Fprintf(out, "Now, when every survivor has been recovered: interlock registry run --config %s\n", c.Config)
	return nil
}

func survivors(list []oprf.Index) string {
	if len(list) == 1 {
		return "server " + numbers(list) + " alone"
	}
	return "servers " + numbers(list)
}
