package record

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Limits of exports and receipts.
const (
	MaxDirectories     = 256      // signed directories of one header
	MaxDirectory       = 16 << 20 // bytes of one of them
	MaxDirectoriesSize = 64 << 20 // bytes of all of them
	maxHeaderLine      = 512      // bytes
	lineOverhead       = 64       // bytes of a line beside the hexadecimal digits
)

// ErrFormat says that what was read is no export or receipt in its one form.
var ErrFormat = errors.New("malformed")

// format names what a stream is, in its first line.
type format string

const (
	formatExport  format = "interlock record"
	formatReceipt format = "interlock record receipt"
	version              = 1
)

// Header is what an export and a receipt begin with: which network's record,
// its head, and why that head is to be believed.
type Header struct {
	Genesis [32]byte // hash of the network's founding document
	Head    Head

	// Directories are encoded wire.SignedDirectory messages: the last carries
	// Head, and those before it are the changes of the set of servers, oldest
	// first, by which a reader who knows only the founding document follows
	// the chain of signatures to it.
	Directories [][]byte
}

// Authenticate reports whether a header is genuine: that its Genesis is the
// reader's network, that enough of the servers that the reader trusts signed
// its Directories, and that the last of these carries exactly its Head.
type Authenticate func(Header) error

// headerLine is the first line.
type headerLine struct {
	Format      format `json:"format"`
	Version     int    `json:"version"`
	Genesis     string `json:"genesis"`
	Size        uint64 `json:"size"`
	Root        string `json:"root"`
	Directories int    `json:"directories"`
}

// check holds a header to the limits.
func (h Header) check() error {
	if h.Head.Size > MaxSize {
		return fmt.Errorf("%w: size %d, want at most %d", ErrFormat, h.Head.Size, uint64(MaxSize))
	}
	if len(h.Directories) == 0 || len(h.Directories) > MaxDirectories {
		return fmt.Errorf("%w: %d directories, want 1 to %d", ErrFormat, len(h.Directories), MaxDirectories)
	}
	total := 0
	for i, d := range h.Directories {
		total += len(d)
		if len(d) > MaxDirectory || total > MaxDirectoriesSize {
			return fmt.Errorf("%w: directory %d: %d bytes, %d with those before it", ErrFormat, i+1, len(d), total)
		}
	}
	return nil
}

// writeHeader writes the first line and one for each directory.
func writeHeader(w *bufio.Writer, f format, h Header) error {
	if err := h.check(); err != nil {
		return err
	}
	err := writeLine(w, headerLine{
		Format: f, Version: version, Genesis: hex.EncodeToString(h.Genesis[:]),
		Size: h.Head.Size, Root: hex.EncodeToString(h.Head.Root[:]), Directories: len(h.Directories),
	})
	if err != nil {
		return err
	}
	var line []byte
	for i, d := range h.Directories {
		line = append(hex.AppendEncode(directoryPrefix(line[:0], i), d), "\"}\n"...)
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func readHeader(r *lineReader, f format) (Header, error) {
	var line headerLine
	if err := r.readJSON(maxHeaderLine, &line); err != nil {
		return Header{}, fmt.Errorf("header: %w", err)
	}
	if line.Format != f || line.Version != version {
		return Header{}, fmt.Errorf("header: %w: format %q version %d, want %q version %d", ErrFormat, line.Format, line.Version, f, version)
	}
	h := Header{Head: Head{Size: line.Size}}
	if err := hash(&h.Genesis, line.Genesis); err != nil {
		return Header{}, fmt.Errorf("header: genesis: %w", err)
	}
	if err := hash(&h.Head.Root, line.Root); err != nil {
		return Header{}, fmt.Errorf("header: root: %w", err)
	}
	if line.Directories > MaxDirectories {
		return Header{}, fmt.Errorf("header: %w: %d directories, want at most %d", ErrFormat, line.Directories, MaxDirectories)
	}
	left := MaxDirectoriesSize
	for i := range line.Directories {
		d, err := r.readHex(directoryPrefix(nil, i), min(MaxDirectory, left))
		if err != nil {
			return Header{}, fmt.Errorf("directory %d: %w", i+1, err)
		}
		left -= len(d)
		h.Directories = append(h.Directories, bytes.Clone(d))
	}
	return h, h.check()
}

// directoryPrefix is how the line of directory i begins, up to its digits.
func directoryPrefix(dst []byte, i int) []byte {
	return append(strconv.AppendInt(append(dst, `{"directory":`...), int64(i), 10), `,"signed":"`...)
}

// hash reads 32 bytes in lower-case hexadecimal.
func hash(into *[32]byte, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(into) || hex.EncodeToString(b) != s {
		return fmt.Errorf("%w: want 64 lower-case hexadecimal digits", ErrFormat)
	}
	*into = [32]byte(b)
	return nil
}

// writeLine writes v as one line of JSON.
func writeLine(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
