package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"interlock/protocol/invitation"
	"interlock/protocol/wire"
	"interlock/replication/centre"
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
