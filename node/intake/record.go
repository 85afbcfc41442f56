package intake

import "strings"

const (
	// maxQuotedLines and maxQuoted bound a quoted cell. A longer one is taken for a quotation mark that is not closed.
	maxQuotedLines = 100
	maxQuoted      = 64 << 10
	// maxCells is how many cells of a record are read.
	maxCells = 4096
)

// cell is one cell of a table.
type cell struct {
	line int // of the file, where it starts
	text string
}

// record is one row of a table.
type record struct {
	line  int
	cells []cell
	fault string // what is wrong with it; "" if nothing
}

// records reads a table record by record (RFC 4180, with any delimiter). It starts again on the next line after a
// record that is broken.
type records struct {
	text      string
	delimiter byte
	line      int // of the rest of text
}

// next returns the next record; false at the end. Blank lines are left out.
func (t *records) next() (record, bool) {
	for t.text != "" {
		if end := lineEnd(t.text); strings.TrimSpace(t.text[:end]) == "" {
			t.skip(end)
			continue
		}
		r, read := t.read()
		if r.fault != "" {
			read = lineEnd(t.text)
			r.cells = []cell{{t.line, t.text[:read]}}
		}
		t.skip(read)
		return r, true
	}
	return record{}, false
}

// skip goes past text[:read] and the end of the line there.
func (t *records) skip(read int) {
	t.line += countLines([]byte(t.text[:read]))
	t.text = t.text[read:]
	switch {
	case strings.HasPrefix(t.text, "\r\n"):
		t.text, t.line = t.text[2:], t.line+1
	case t.text != "":
		t.text, t.line = t.text[1:], t.line+1
	}
}

// lineEnd returns where the first line of text ends.
func lineEnd(text string) int {
	if end := strings.IndexAny(text, "\r\n"); end >= 0 {
		return end
	}
	return len(text)
}

// read reads the record at the start of text and returns how many bytes it has, without the end of its last line.
func (t *records) read() (record, int) {
	r := record{line: t.line}
	at, line := 0, t.line
	for {
		text, read, fault := t.cell(t.text[at:])
		if fault != "" {
			r.fault = fault
			return r, 0
		}
		r.cells = append(r.cells, cell{line, text})
		line += countLines([]byte(t.text[at : at+read]))
		at += read
		if at == len(t.text) || t.text[at] != t.delimiter {
			return r, at
		}
		if len(r.cells) == maxCells {
			r.fault = "this record has more columns than can be read"
			return r, 0
		}
		at++
	}
}

// cell reads the cell at the start of text and returns how many bytes it takes.
func (t *records) cell(text string) (value string, read int, fault string) {
	open := len(text) - len(strings.TrimLeft(text, " "))
	if open == len(text) || text[open] != '"' {
		end := strings.IndexAny(text, "\r\n"+string(rune(t.delimiter)))
		if end < 0 {
			end = len(text)
		}
		return strings.TrimSpace(text[:end]), end, ""
	}
	end := closingQuote(text[open+1:])
	if end < 0 {
		return "", 0, unclosed
	}
	value = strings.ReplaceAll(text[open+1:open+1+end], `""`, `"`)
	read = open + 1 + end + 1
	for read < len(text) && text[read] == ' ' {
		read++
	}
	if read < len(text) && text[read] != t.delimiter && text[read] != '\n' && text[read] != '\r' {
		if strings.ContainsAny(value, "\r\n") {
			return "", 0, unclosed // the one that was found opens a cell on a later line
		}
		return "", 0, "text follows a closing quotation mark where the next column was expected"
	}
	return value, read, ""
}

const unclosed = "a quotation mark is opened and not closed"

// closingQuote returns where the quotation mark is that closes a quoted cell, -1 if there is none near.
func closingQuote(text string) int {
	text = text[:min(len(text), maxQuoted)]
	for at := 0; ; {
		next := strings.IndexByte(text[at:], '"')
		if next < 0 {
			return -1
		}
		at += next
		if countLines([]byte(text[:at])) > maxQuotedLines {
			return -1
		}
		if at+1 >= len(text) || text[at+1] != '"' {
			return at
		}
		at += 2
	}
}
