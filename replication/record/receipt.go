package record

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
)

// maxReceiptLine is the longest line with an entry and its proof.
const maxReceiptLine = 2*MaxEntry + 2*lineOverhead + MaxProof*(2*32+3)

// Receipt proves that one entry stands in the record, to somebody who has
// nothing but the network's founding document.
type Receipt struct {
	Header
	Index uint64
	Entry []byte
	Proof Proof // of inclusion in Head
}

// receiptLine is the line after the directories.
type receiptLine struct {
	Index uint64   `json:"index"`
	Entry string   `json:"entry"`
	Proof []string `json:"proof"`
}

// Receipt returns the receipt for the entry at index under h, whose head is one
// that the record had. The errors are ErrRange and a *ForkError.
func (t *Tree) Receipt(h Header, index uint64) (Receipt, error) {
	if err := t.had(h.Head); err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	p, err := t.ProveInclusion(index, h.Head.Size)
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	return Receipt{Header: h, Index: index, Entry: t.entries[index], Proof: p}, nil
}

// Verify reports whether the receipt proves its entry. The errors are those of
// authenticate and ErrProof.
func (r Receipt) Verify(authenticate Authenticate) error {
	if err := authenticate(r.Header); err != nil {
		return fmt.Errorf("receipt: authenticate head: %w", err)
	}
	if err := VerifyInclusion(r.Head, r.Index, r.Entry, r.Proof); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	return nil
}

// WriteReceipt writes r as a file.
func WriteReceipt(w io.Writer, r Receipt) error {
	if err := r.checkEntry(); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	b := bufio.NewWriter(w)
	if err := writeHeader(b, formatReceipt, r.Header); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	line := receiptLine{Index: r.Index, Entry: hex.EncodeToString(r.Entry), Proof: make([]string, 0, len(r.Proof))}
	for _, h := range r.Proof {
		line.Proof = append(line.Proof, hex.EncodeToString(h[:]))
	}
	if err := writeLine(b, line); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	return nil
}

// ReadReceipt reads what WriteReceipt wrote and nothing else. The receipt is
// not verified yet. The errors are ErrFormat and those of the reader.
func ReadReceipt(r io.Reader) (Receipt, error) {
	l := newLineReader(r)
	h, err := readHeader(l, formatReceipt)
	if err != nil {
		return Receipt{}, fmt.Errorf("read receipt: %w", err)
	}
	out := Receipt{Header: h}
	if err := out.readEntry(l); err != nil {
		return Receipt{}, fmt.Errorf("read receipt: %w", err)
	}
	if err := l.end(); err != nil {
		return Receipt{}, fmt.Errorf("read receipt: %w", err)
	}
	return out, nil
}

func (r *Receipt) readEntry(l *lineReader) error {
	var line receiptLine
	if err := l.readJSON(maxReceiptLine, &line); err != nil {
		return fmt.Errorf("entry: %w", err)
	}
	if line.Proof == nil || len(line.Proof) > MaxProof {
		return fmt.Errorf("%w: proof of %d hashes, want a list of at most %d", ErrFormat, len(line.Proof), MaxProof)
	}
	r.Index = line.Index
	var err error
	if r.Entry, err = hex.DecodeString(line.Entry); err != nil || hex.EncodeToString(r.Entry) != line.Entry {
		return fmt.Errorf("entry: %w: want lower-case hexadecimal digits", ErrFormat)
	}
	r.Proof = make(Proof, len(line.Proof))
	for i, s := range line.Proof {
		if err := hash(&r.Proof[i], s); err != nil {
			return fmt.Errorf("proof: hash %d: %w", i+1, err)
		}
	}
	return r.checkEntry()
}

// checkEntry holds the receipt's own line to the limits.
func (r Receipt) checkEntry() error {
	if r.Index >= r.Head.Size || len(r.Entry) > MaxEntry || len(r.Proof) > MaxProof {
		return fmt.Errorf("%w: entry %d of %d bytes in size %d by %d hashes",
			ErrFormat, r.Index, len(r.Entry), r.Head.Size, len(r.Proof))
	}
	return nil
}
