package record

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// lineReader reads lines of JSON in their one form, within limits. What it
// returns lasts until its next call.
type lineReader struct {
	r    *bufio.Reader
	line []byte
	data []byte
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// read returns the next line of at most limit bytes, without its end.
func (l *lineReader) read(limit int) ([]byte, error) {
	l.line = l.line[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		l.line = append(l.line, part...)
		if len(bytes.TrimSuffix(l.line, []byte("\n"))) > limit {
			return nil, fmt.Errorf("%w: line longer than %d bytes", ErrFormat, limit)
		}
		switch {
		case err == nil:
			return l.line[:len(l.line)-1], nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: %w", ErrFormat, io.ErrUnexpectedEOF)
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// readHex reads a line that consists of prefix, the digits of at most limit
// bytes, and an end.
func (l *lineReader) readHex(prefix []byte, limit int) ([]byte, error) {
	line, err := l.read(2*limit + lineOverhead)
	if err != nil {
		return nil, err
	}
	digits, begins := bytes.CutPrefix(line, prefix)
	digits, ends := bytes.CutSuffix(digits, []byte(`"}`))
	if !begins || !ends || len(digits) > 2*limit || bytes.ContainsAny(digits, "ABCDEF") {
		return nil, fmt.Errorf("%w: want %s, lower-case hexadecimal digits of at most %d bytes, \"}", ErrFormat, prefix, limit)
	}
	if l.data, err = hex.AppendDecode(l.data[:0], digits); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return l.data, nil
}

// readJSON reads a line into v, which must be exactly what v would be written
// as: so there is one form, and no unknown, repeated or missing field.
func (l *lineReader) readJSON(limit int, v any) error {
	line, err := l.read(limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	again, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if !bytes.Equal(again, line) {
		return fmt.Errorf("%w: line not in its one form", ErrFormat)
	}
	return nil
}

// end demands that nothing follows.
func (l *lineReader) end() error {
	_, err := l.r.ReadByte()
	switch {
	case err == nil:
		return fmt.Errorf("%w: more after the end", ErrFormat)
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}
