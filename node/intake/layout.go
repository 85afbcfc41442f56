package intake

import (
	"strings"

	"interlock/protocol/identifier"
)

// layout is how a table is written: what stands between its columns, and what its heading says.
type layout struct {
	delimiter byte
	first     int      // line of the first record
	skip      int      // bytes before it
	columns   []column // of the heading; nil where there is none
	heading   int      // line of the heading
}

// sampled is how many records are looked at to find out how a table is written.
const sampled = 20

// tableLayout decides whether text is a table. A file named as one is; any other text is when its first line is a
// heading that names identifiers, and the records after it have as many columns.
func tableLayout(name, text string, region identifier.Region) (layout, bool) {
	named := ending(name) == "csv" || ending(name) == "tsv" || ending(name) == "tab"
	l := layout{first: 1}
	if first := strings.ToLower(text[:min(len(text), 8)]); len(first) > 5 && strings.HasPrefix(first, "sep=") && (first[5] == '\r' || first[5] == '\n') {
		l.delimiter, named = first[4], true // Excel's own line
		rest := records{text: text, line: 1}
		rest.skip(5)
		l.skip, l.first = len(text)-len(rest.text), 2
	}
	text = text[l.skip:]
	even := true
	if l.delimiter == 0 {
		l.delimiter, even = guessDelimiter(text)
	}
	rows := records{text: text, delimiter: l.delimiter, line: l.first}
	first, ok := rows.next()
	if !ok {
		return l, false
	}
	known := 0
	if isHeading(first, region) {
		l.columns, known = columnsOf(first, region)
		l.heading = first.line
	}
	_, more := rows.next()
	return l, named || even && more && known > 0 && len(first.cells) > 1
}

// guessDelimiter returns what stands between the columns of a table, and whether every record looked at has the same
// number of them.
func guessDelimiter(text string) (delimiter byte, even bool) {
	delimiter = ','
	best := 0
	for _, candidate := range []byte(",;\t|") {
		rows := records{text: text, delimiter: candidate, line: 1}
		width, same, seen := 0, 0, 0
		for ; seen < sampled; seen++ {
			row, ok := rows.next()
			if !ok {
				break
			}
			if seen == 0 {
				width = len(row.cells)
			}
			if row.fault == "" && len(row.cells) == width {
				same++
			}
		}
		if width > 1 && same*100+min(width, 99) > best {
			best, delimiter, even = same*100+min(width, 99), candidate, same == seen
		}
	}
	return delimiter, even
}

// isHeading reports a record that names columns: words, and nothing that is an identifier itself.
func isHeading(r record, region identifier.Region) bool {
	if r.fault != "" {
		return false
	}
	named := false
	for _, c := range r.cells {
		if len(identifier.Extract(c.text, region)) > 0 {
			return false
		}
		named = named || strings.IndexFunc(c.text, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= 0x80 }) >= 0
	}
	return named
}
