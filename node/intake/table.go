package intake

import (
	"errors"
	"fmt"
	"strings"

	"interlock/protocol/identifier"
)

// table adds what is in a table. The heading says what a column holds; a cell that holds something else, or more, is
// read as free text.
func (r *Report) table(text string, l layout, region identifier.Region) {
	rows := records{text: text[l.skip:], delimiter: l.delimiter, line: l.first}
	t := tableReader{report: r, layout: l, region: region, platform: -1}
	for i, c := range l.columns {
		if c.role == platform {
			t.platform = i
		}
	}
	for {
		row, ok := rows.next()
		if !ok || r.full() {
			break
		}
		if l.columns == nil || row.line != l.heading {
			t.row(row)
		}
	}
	if t.homeless > 0 {
		r.problem(l.heading, fmt.Sprintf("The handles of %d records were not taken, as no column names their platform. Add a column named \"platform\".", t.homeless))
	}
}

// tableReader reads the records of one table.
type tableReader struct {
	report   *Report
	layout   layout
	region   identifier.Region
	platform int // the column that names platforms; -1 where there is none
	homeless int // handles without a platform
}

func (t *tableReader) row(row record) {
	columns := t.layout.columns
	switch {
	case row.fault != "":
		t.report.problem(row.line, "This record is broken: "+row.fault+". It was read as plain text.")
		columns = nil
	case columns != nil && len(row.cells) > len(columns):
		t.report.problem(row.line, fmt.Sprintf("This record has %d columns and the heading only %d; it was read as plain text.", len(row.cells), len(columns)))
		columns = nil
	case columns != nil && len(row.cells) < len(columns):
		t.report.problem(row.line, fmt.Sprintf("This record has %d of the heading's %d columns; the others were taken as empty.", len(row.cells), len(columns)))
	}
	on := ""
	if columns != nil && t.platform >= 0 && t.platform < len(row.cells) {
		on = row.cells[t.platform].text
	}
	for i, c := range row.cells {
		if columns == nil {
			t.report.text(c.line, c.text, t.region)
		} else if text := bare(c.text); text != "" {
			t.cell(columns[i], cell{c.line, text}, on)
		}
	}
}

// nothing are the ways to say that a cell is empty.
var nothing = words(`- -- n/a na none null nil unknown unk tbd ? . no`)

// bare takes from a cell what spreadsheets put around it: ="0416…" and '0416…; "" where the cell says nothing.
func bare(text string) string {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, `="`); ok && strings.HasSuffix(inner, `"`) {
		text = strings.TrimSuffix(inner, `"`)
	}
	text = strings.TrimPrefix(text, "'")
	if nothing[strings.ToLower(text)] {
		return ""
	}
	return text
}

// cell reads one cell.
func (t *tableReader) cell(c column, value cell, on string) {
	switch c.role {
	case typed:
		t.typed(c, value)
	case hashed:
		if kind := hashOf(value.text); kind != 0 {
			t.typed(column{heading: c.heading, role: typed, kind: kind}, value)
		} else {
			t.free(c, value)
		}
	case account:
		t.account(c.on, value, c)
	case handle:
		t.account(on, value, c)
	default:
		t.free(c, value)
	}
}

// hashOf returns the kind of hash that text may be, by its length.
func hashOf(text string) identifier.Kind {
	return map[int]identifier.Kind{32: identifier.MD5, 40: identifier.SHA1, 64: identifier.SHA256}[len(text)]
}

// free reads a cell of free text and reports whether anything was in it.
func (t *tableReader) free(c column, value cell) bool {
	found := identifier.Extract(c.context+value.text, t.region)
	for _, f := range found {
		t.report.add(value.line+f.Line-1, f.Identifier, strings.TrimPrefix(f.Raw, c.context))
	}
	return len(found) > 0
}

// typed reads a cell that should hold identifiers of one kind.
func (t *tableReader) typed(c column, value cell) {
	if c.kind == identifier.URL && t.free(c, value) {
		return // it finds the account on a profile's page as well
	}
	id, err := identifier.Parse(c.kind, value.text, t.region)
	if err == nil {
		t.report.add(value.line, id, value.text)
		return
	}
	if t.several(c.kind, value) || c.kind != identifier.URL && t.free(column{context: c.context}, value) {
		return
	}
	for _, known := range []identifier.Refusal{identifier.RefusedPrivateIP, identifier.RefusedNetwork, identifier.RefusedEmptyHash} {
		if errors.Is(err, known) {
			return // understood, and of no use to anybody
		}
	}
	if c.kind == identifier.Phone && isShortened(value.text) {
		err = identifier.Refusal("The spreadsheet has shortened this number; export the column as text.")
	}
	t.report.problem(value.line, fmt.Sprintf("In the column %q: %v", c.heading, err))
}

// several reads a cell with identifiers of one kind in a row, between semicolons, commas or the like.
func (t *tableReader) several(kind identifier.Kind, value cell) bool {
	parts := strings.FieldsFunc(value.text, func(r rune) bool { return strings.ContainsRune(";,|\r\n", r) })
	if len(parts) < 2 {
		return false
	}
	items := make([]Item, 0, len(parts))
	for _, part := range parts {
		part = strings.TrimSpace(part)
		id, err := identifier.Parse(kind, part, t.region)
		if err != nil {
			return false
		}
		items = append(items, Item{Identifier: id, Raw: part})
	}
	for _, item := range items {
		t.report.add(value.line, item.Identifier, item.Raw)
	}
	return true
}

// isShortened recognises what spreadsheets make of long numbers: 4.16556E+09.
func isShortened(text string) bool {
	mantissa, exponent, found := strings.Cut(strings.ToUpper(text), "E+")
	return found && exponent != "" && strings.Trim(mantissa+exponent, "0123456789.,") == ""
}

// byNumber are platforms whose accounts are telephone numbers, byMail those whose accounts are mailboxes.
var (
	byNumber = words(`whatsapp viber phone sms mms imessage telephone mobile text zalo`)
	byMail   = words(`email e-mail mail gmail hotmail outlook icloud`)
)

// account reads a handle on the platform of the given name.
func (t *tableReader) account(on string, value cell, c column) {
	on = strings.ToLower(strings.TrimSpace(on))
	kind, raw := identifier.Account, on+":"+value.text
	switch {
	case byNumber[on]:
		kind, raw = identifier.Phone, value.text
	case byMail[on] || strings.Contains(value.text, "@") && !strings.HasPrefix(value.text, "@"):
		kind, raw = identifier.Email, value.text
	case strings.Contains(value.text, "://") || on == "":
		if !t.free(column{}, value) && on == "" {
			t.homeless++
		}
		return
	}
	id, err := identifier.Parse(kind, raw, t.region)
	if err != nil {
		if !t.free(c, value) {
			t.report.problem(value.line, fmt.Sprintf("In the column %q: %v", c.heading, err))
		}
		return
	}
	t.report.add(value.line, id, value.text)
}
