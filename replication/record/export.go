package record

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrShortened says that the record is shorter than one that the auditor saw
// before: entries have been taken from its end, or this is an old export.
var ErrShortened = errors.New("record shorter than an earlier head")

// ForkError says that the entries do not have the root that a head gives them:
// they are not the record of that head.
type ForkError struct {
	Head Head     // what was signed or kept
	Root [32]byte // what the first Head.Size entries have
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("entries of another record: root %x at size %d, want %x", e.Root, e.Head.Size, e.Head.Root)
}

// Exporter writes an export entry by entry, for one who has the entries in
// pages. Close ends it.
type Exporter struct {
	w    *bufio.Writer
	head Head
	edge edge
	line []byte
	done []tlog.Hash
}

// NewExporter begins an export on w.
func NewExporter(w io.Writer, h Header) (*Exporter, error) {
	x := &Exporter{w: bufio.NewWriterSize(w, 64<<10), head: h.Head}
	if err := writeHeader(x.w, formatExport, h); err != nil {
		return nil, fmt.Errorf("write export: %w", err)
	}
	return x, nil
}

// Add writes the next entry.
func (x *Exporter) Add(entry []byte) error {
	if x.edge.size >= x.head.Size {
		return fmt.Errorf("write export: %w: entry %d in size %d", ErrRange, x.edge.size, x.head.Size)
	}
	if err := fits(x.edge.size, entry); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	x.line = append(hex.AppendEncode(entryPrefix(x.line[:0], x.edge.size), entry), "\"}\n"...)
	if _, err := x.w.Write(x.line); err != nil {
		return fmt.Errorf("write export: entry %d: %w", x.edge.size, err)
	}
	x.done = x.edge.add(tlog.RecordHash(entry), x.done[:0])
	return nil
}

// Close writes what is left. The entries added must be exactly those of the
// header's head, or else the error is ErrRange or a *ForkError and the export is
// worthless.
func (x *Exporter) Close() error {
	if x.edge.size != x.head.Size {
		return fmt.Errorf("write export: %w: %d entries in size %d", ErrRange, x.edge.size, x.head.Size)
	}
	if got := x.edge.head(); got != x.head {
		return fmt.Errorf("write export: %w", &ForkError{Head: x.head, Root: got.Root})
	}
	if err := x.w.Flush(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

// WriteExport writes the export of the record t at the header's head, which may
// be an earlier one than t has. The errors are ErrRange, a *ForkError, ErrFormat
// for a header beyond the limits, and those of w.
func WriteExport(w io.Writer, h Header, t *Tree) error {
	if err := t.had(h.Head); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	x, err := NewExporter(w, h)
	if err != nil {
		return err
	}
	for _, e := range t.entries[:h.Head.Size] {
		if err := x.Add(e); err != nil {
			return err
		}
	}
	return x.Close()
}

// entryPrefix is how the line of an entry begins, up to its digits.
func entryPrefix(dst []byte, index uint64) []byte {
	return append(strconv.AppendUint(append(dst, `{"index":`...), index, 10), `,"entry":"`...)
}

// Audit is what an auditor brings to an export.
type Audit struct {
	// Authenticate decides whether the head is to be believed, before any entry
	// is read. It must be given.
	Authenticate Authenticate

	// Kept are heads that the auditor authenticated before, in any order: the
	// record must have grown from each of them.
	Kept []Head

	// Visit, if not nil, is called with each entry in order. The entry must not
	// be changed and lasts until Visit returns. Until ReadExport has returned
	// nil nothing that was visited is proven. An error ends the reading.
	Visit func(index uint64, entry []byte) error
}

// ReadExport reads and verifies an export, in memory that does not grow with
// it. The errors are ErrFormat, ErrShortened, a *ForkError for the head of the
// export or one that was kept, and those of Authenticate, Visit and the reader.
func ReadExport(r io.Reader, a Audit) (Header, error) {
	l := newLineReader(r)
	h, err := readHeader(l, formatExport)
	if err != nil {
		return Header{}, fmt.Errorf("read export: %w", err)
	}
	if err := a.Authenticate(h); err != nil {
		return Header{}, fmt.Errorf("read export: authenticate head: %w", err)
	}
	if err := a.readEntries(l, h.Head); err != nil {
		return Header{}, fmt.Errorf("read export: %w", err)
	}
	if err := l.end(); err != nil {
		return Header{}, fmt.Errorf("read export: %w", err)
	}
	return h, nil
}

// readEntries reads the entries of head and compares the root with those of
// the heads that were kept, as each is reached, and with head at the end.
func (a Audit) readEntries(l *lineReader, head Head) error {
	expect := append(slices.Clone(a.Kept), head)
	slices.SortStableFunc(expect, func(x, y Head) int { return cmp.Compare(x.Size, y.Size) })
	if last := expect[len(expect)-1]; last.Size > head.Size {
		return fmt.Errorf("%w: size %d, kept %d", ErrShortened, head.Size, last.Size)
	}
	var e edge
	var prefix []byte
	var done []tlog.Hash
	for {
		for len(expect) > 0 && expect[0].Size == e.size {
			if got := e.head(); got != expect[0] {
				return &ForkError{Head: expect[0], Root: got.Root}
			}
			expect = expect[1:]
		}
		if e.size == head.Size {
			return nil
		}
		prefix = entryPrefix(prefix[:0], e.size)
		entry, err := l.readHex(prefix, MaxEntry)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.size, err)
		}
		leaf := tlog.RecordHash(entry)
		if a.Visit != nil {
			if err := a.Visit(e.size, entry); err != nil {
				return fmt.Errorf("visit entry %d: %w", e.size, err)
			}
		}
		done = e.add(leaf, done[:0])
	}
}
