package centre

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/record"
	"interlock/replication/registry"
)

// ErrUnsigned says that a file's head is not the one that the registry's servers
// signed.
var ErrUnsigned = errors.New("the head of the record is not in the signed directory")

// Authenticate checks the head of an export or a receipt for somebody who has
// nothing but the network file: its directories follow from the servers that the
// file pins, one by one, and the last of them carries the head.
func Authenticate(n directory.Network) record.Authenticate {
	return func(h record.Header) error {
		if h.Genesis != n.Genesis {
			return directory.ErrOtherNetwork
		}
		chain := directory.NewChain(n)
		for i, b := range h.Directories {
			signed := &wire.SignedDirectory{}
			err := wire.Unmarshal(b, signed)
			if err == nil {
				chain, _, err = chain.Take(signed)
			}
			if err != nil {
				return fmt.Errorf("directory %d: %w", i+1, err)
			}
		}
		if d := chain.Directory(); d == nil || d.Record != directory.Head(h.Head) {
			return ErrUnsigned
		}
		return nil
	}
}

// ExportRecord writes the whole record, as the newest directory signs it, for an
// auditor. Told is called with how many entries of how many are written.
func (o *Operator) ExportRecord(ctx context.Context, w io.Writer, told func(done, of uint64)) error {
	header, err := o.header(ctx)
	if err != nil {
		return err
	}
	out, err := record.NewExporter(w, header)
	if err != nil {
		return err
	}
	for at := uint64(0); at < header.Head.Size; {
		entries, err := o.Record(ctx, at, header.Head.Size-at)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return fmt.Errorf("the registry has no entry %d of the record", at)
		}
		for _, e := range entries {
			if err := out.Add(e); err != nil {
				return err
			}
		}
		at += uint64(len(entries))
		told(at, header.Head.Size)
	}
	return out.Close()
}

// header is the head of the record with the directories that sign it, from the
// servers of the network file on.
func (o *Operator) header(ctx context.Context) (record.Header, error) {
	h := record.Header{Genesis: o.network.Genesis}
	var errs []error
	for _, s := range o.servers() {
		signed, d, err := o.followTo(ctx, s.Key, func(*directory.Directory) bool { return true })
		if err != nil {
			errs = append(errs, fmt.Errorf("registry server %s: %w", s.Name, err))
			continue
		}
		h.Head = record.Head(d.Record)
		for _, m := range signed {
			b, err := wire.Marshal(m)
			if err != nil {
				return h, fmt.Errorf("encode directory: %w", err)
			}
			h.Directories = append(h.Directories, b)
		}
		return h, nil
	}
	return h, errors.Join(errs...)
}

// Record returns entries of the record from one on, at most count and as many
// as one answer holds. They are one server's word until a head proves them.
func (o *Operator) Record(ctx context.Context, from, count uint64) ([][]byte, error) {
	var errs []error
	for _, s := range o.servers() {
		var response wire.RecordResponse
		request := &wire.RecordRequest{From: from, Count: uint32(min(count, 1<<20))}
		if err := o.askOnce(ctx, s.Key, wire.ProtocolRecord, request, &response); err != nil {
			errs = append(errs, fmt.Errorf("registry server %s: %w", s.Name, err))
			continue
		}
		return response.Entries, nil
	}
	return nil, errors.Join(errs...)
}

// DescribeEntry is an entry of the record in a sentence. An entry that this
// program does not know is shown as such.
func DescribeEntry(b []byte, names func(wire.Peer) string) string {
	var e wire.RecordEntry
	if err := wire.Unmarshal(b, &e); err != nil {
		return fmt.Sprintf("an entry of %d bytes that this program does not know", len(b))
	}
	return clean(registry.Describe(&e, names))
}

// OperatorNames returns the name of an operator by key, as the status has it.
func (s *Status) OperatorNames() func(wire.Peer) string {
	return func(p wire.Peer) string {
		for _, o := range s.Operators {
			if bytes.Equal(o.Key[:], p[:]) {
				return o.Name
			}
		}
		return "operator " + p.String()
	}
}
