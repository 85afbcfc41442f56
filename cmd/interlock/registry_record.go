package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/invitation"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/record"
)

type registryInviteCmd struct {
	asOperator
	Label string `arg:"" help:"For whom, in your words; other operators see it."`
	Days  int    `default:"7" help:"For how many days it is good, 1 to 90."`
	QR    bool   `name:"qr" help:"Print a QR code too."`
}

func (c registryInviteCmd) Run(ctx context.Context, out io.Writer) error {
	if c.Days < 1 || c.Days > 90 {
		return errors.New("--days: want 1 to 90")
	}
	return c.with(ctx, func(ctx context.Context, op *centre.Operator, _ *centre.Status) error {
		asking, cancel := context.WithTimeout(ctx, operatorPatience)
		defer cancel()
		v, err := op.Invite(asking, c.Label, c.Days)
		if err != nil {
			return err
		}
		defer v.Destroy()
		text, err := v.Encode()
		if err != nil {
			return err
		}
		if c.QR {
			picture, err := invitation.Terminal(text)
			if err != nil {
				return err
			}
			fmt.Fprintln(out, picture)
		}
		fmt.Fprintf(out, "%s\n", text)
		return nil
	})
}

type registryRecordCmd struct {
	Show   recordShowCmd   `cmd:"" help:"Print the newest entries of the record."`
	Export recordExportCmd `cmd:"" help:"Write the whole record to a file, for an auditor."`
}

type recordShowCmd struct {
	asOperator
	Count uint64 `default:"50" help:"How many entries."`
}

func (c recordShowCmd) Run(ctx context.Context, out io.Writer) error {
	return c.with(ctx, func(ctx context.Context, op *centre.Operator, st *centre.Status) error {
		asking, cancel := context.WithTimeout(ctx, operatorPatience)
		defer cancel()
		from := st.RecordSize - min(st.RecordSize, c.Count)
		entries, err := op.Record(asking, from, c.Count)
		if err != nil {
			return err
		}
		for i, e := range entries {
			fmt.Fprintf(out, "%d  %s\n", from+uint64(i), entryLine(e, st.OperatorNames()))
		}
		return nil
	})
}

// entryLine is an entry of the record with its time.
func entryLine(b []byte, names func(wire.Peer) string) string {
	var e wire.RecordEntry
	at := "                "
	if err := wire.Unmarshal(b, &e); err == nil {
		at = time.Unix(int64(e.Time), 0).Local().Format("2006-01-02 15:04")
	}
	return at + "  " + centre.DescribeEntry(b, names)
}

type recordExportCmd struct {
	asOperator
	File string `arg:"" type:"path" help:"The file to write; it must not be there."`
}

func (c recordExportCmd) Run(ctx context.Context, out io.Writer) error {
	return c.with(ctx, func(ctx context.Context, op *centre.Operator, _ *centre.Status) (err error) {
		f, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, f.Close())
			if err != nil {
				err = errors.Join(err, os.Remove(c.File))
			}
		}()
		var written uint64
		if err := op.ExportRecord(ctx, f, func(done, _ uint64) { written = done }); err != nil {
			return err
		}
		fmt.Fprintf(out, "%d entries are in %s. Verify them anywhere: interlock audit verify %s --network network.toml\n", written, c.File, c.File)
		return f.Sync()
	})
}

// auditCmd is the auditor's: it needs no registry, only files.
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Verify an exported record: signatures, completeness, and that it continues what was verified before."`
}

type auditVerifyCmd struct {
	File    string   `arg:"" type:"existingfile" help:"The exported record."`
	Network string   `required:"" type:"path" help:"The network file, from the founding."`
	Kept    []string `placeholder:"SIZE:ROOT" help:"A head that an earlier verification printed; the record must continue it."`
	Print   bool     `help:"Print every entry."`
}

func (c auditVerifyCmd) Run(out io.Writer) (err error) {
	b, err := os.ReadFile(c.Network)
	if err != nil {
		return err
	}
	network, err := directory.ParseNetwork(b)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Network, err)
	}
	a := record.Audit{Authenticate: centre.Authenticate(network)}
	for _, text := range c.Kept {
		h, err := parseHead(text)
		if err != nil {
			return err
		}
		a.Kept = append(a.Kept, h)
	}
	names := func(p wire.Peer) string { return "operator " + p.String() }
	if c.Print {
		a.Visit = func(index uint64, entry []byte) error {
			_, err := fmt.Fprintf(out, "%d  %s\n", index, entryLine(entry, names))
			return err
		}
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	header, err := record.ReadExport(f, a)
	if err != nil {
		return fmt.Errorf("the record does not verify: %w", err)
	}
	fmt.Fprintf(out, "The record of %s verifies: %d entries, signed by enough of its servers.\nKeep this head for the next time: %s\n",
		network.Name, header.Head.Size, headText(header.Head))
	return nil
}

func headText(h record.Head) string { return fmt.Sprintf("%d:%x", h.Size, h.Root[:]) }

func parseHead(text string) (h record.Head, err error) {
	size, root, ok := strings.Cut(text, ":")
	b, hexErr := hex.DecodeString(root)
	h.Size, err = strconv.ParseUint(size, 10, 64)
	if !ok || err != nil || hexErr != nil || len(b) != len(h.Root) {
		return h, fmt.Errorf("--kept %q: want SIZE:ROOT as an earlier verification printed it", text)
	}
	copy(h.Root[:], b)
	return h, nil
}
