package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/record"
)

// auditCmd is the auditor's: it needs neither registry nor node, only files.
type auditCmd struct {
	Verify  auditVerifyCmd  `cmd:"" help:"Verify an exported record: signatures, completeness, and that it continues what was verified before."`
	Prove   auditProveCmd   `cmd:"" help:"Take one entry out of an exported record, with the proof that it is in it."`
	Receipt auditReceiptCmd `cmd:"" help:"Verify such an entry without the rest of the record."`

	Certificate auditCertificateCmd `cmd:"" help:"Verify the certificate of a case: which members have compared all that it announces."`
}

type auditVerifyCmd struct {
	File    string   `arg:"" type:"existingfile" help:"The exported record."`
	Network string   `required:"" type:"path" help:"The network file, from the founding."`
	Kept    []string `placeholder:"SIZE:ROOT" help:"A head that an earlier verification printed; the record must continue it."`
	Print   bool     `help:"Print every entry."`
}

func (c auditVerifyCmd) Run(out io.Writer) (err error) {
	network, err := readNetwork(c.Network)
	if err != nil {
		return err
	}
	a := record.Audit{Authenticate: centre.Authenticate(network)}
	for _, text := range c.Kept {
		h, err := parseHead(text)
		if err != nil {
			return err
		}
		a.Kept = append(a.Kept, h)
	}
	if c.Print {
		a.Visit = func(index uint64, entry []byte) error {
			_, err := fmt.Fprintf(out, "%d  %s\n", index, entryLine(entry, byKey))
			return err
		}
	}
	header, err := readExport(c.File, a)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The record of %s verifies: %d entries, signed by enough of its servers.\nKeep this head for the next time: %s\n",
		network.Name, header.Head.Size, headText(header.Head))
	return nil
}

// byKey names an operator where nobody says what the keys' holders are called.
func byKey(p wire.Peer) string { return "operator " + p.String() }

func readNetwork(path string) (directory.Network, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return directory.Network{}, err
	}
	network, err := directory.ParseNetwork(b)
	if err != nil {
		return network, fmt.Errorf("%s: %w", path, err)
	}
	return network, nil
}

func readExport(path string, a record.Audit) (h record.Header, err error) {
	f, err := os.Open(path)
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if h, err = record.ReadExport(f, a); err != nil {
		return h, fmt.Errorf("the record does not verify: %w", err)
	}
	return h, nil
}

type auditProveCmd struct {
	File    string `arg:"" type:"existingfile" help:"The exported record."`
	Entry   uint64 `arg:"" help:"The entry's number, as verify --print shows it."`
	Network string `required:"" type:"path" help:"The network file, from the founding."`
	Out     string `required:"" type:"path" help:"The file to write; it must not be there."`
}

func (c auditProveCmd) Run(out io.Writer) (err error) {
	network, err := readNetwork(c.Network)
	if err != nil {
		return err
	}
	var entries [][]byte
	header, err := readExport(c.File, record.Audit{
		Authenticate: centre.Authenticate(network),
		Visit: func(_ uint64, entry []byte) error {
			entries = append(entries, bytes.Clone(entry))
			return nil
		},
	})
	if err != nil {
		return err
	}
	tree, err := record.Restore(entries)
	if err != nil {
		return err
	}
	receipt, err := tree.Receipt(header, c.Entry)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := record.WriteReceipt(f, receipt); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Entry %d, with its proof, is in %s.\n", c.Entry, c.Out)
	return err
}

type auditReceiptCmd struct {
	File    string `arg:"" type:"existingfile" help:"The entry with its proof."`
	Network string `required:"" type:"path" help:"The network file, from the founding."`
}

func (c auditReceiptCmd) Run(out io.Writer) (err error) {
	network, err := readNetwork(c.Network)
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	receipt, err := record.ReadReceipt(f)
	if err == nil {
		err = receipt.Verify(centre.Authenticate(network))
	}
	if err != nil {
		return fmt.Errorf("the entry does not verify: %w", err)
	}
	fmt.Fprintf(out, "%s\nThis is entry %d of the record of %s, when it had %d entries: %s\n",
		entryLine(receipt.Entry, byKey), receipt.Index, network.Name, receipt.Head.Size, headText(receipt.Head))
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
