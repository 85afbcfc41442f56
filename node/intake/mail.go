package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/jhillyerd/enmime/v2"

	"interlock/protocol/identifier"
)

const (
	// maxDepth is how many mails may be attached one inside the other.
	maxDepth = 8
	// maxBoundaries is how many parts of parts a mail may announce.
	maxBoundaries = 200
)

// parser forgives what real mail does wrong.
var parser = enmime.NewParser(
	enmime.SkipMalformedParts(true),
	enmime.MultipartWOBoundaryAsSinglePart(true),
	enmime.SetReadPartErrorPolicy(enmime.AllowCorruptTextPartErrorPolicy),
	enmime.MaxStoredPartErrors(16),
	enmime.DisableCharacterDetection(true),
	enmime.StripMediaTypeInvalidCharacters(true),
)

// mail adds what is in a mail: the fields of its head that name people and addresses, the text of its bodies,
// attached texts, tables and mails, and the SHA-256 of other attachments.
func (r *Report) mail(data []byte, region identifier.Region) {
	data = bytes.TrimPrefix(data, utf8Mark)
	r.message(data, 1, true, 0, region)
}

// message adds what is in one mail, whose head starts on the given line. exact tells that its lines are the
// file's own, as they are where nothing around them is encoded.
func (r *Report) message(data []byte, line int, exact bool, depth int, region identifier.Region) {
	fields, body, bodyLine := readHead(data, line)
	m := &mailReader{report: r, region: region, data: data, exact: exact, depth: depth}
	if !exact {
		bodyLine = line
		for i := range fields {
			fields[i].line = line
			fields[i].text = strings.ReplaceAll(fields[i].text, "\n", " ")
		}
	}
	r.head(fields, region)
	if bytes.Count(bytes.ToLower(data), []byte("boundary=")) > maxBoundaries {
		r.problem(line, "This mail has too many parts inside one another; it was read as plain text.")
		r.text(bodyLine, decoded(data[body:]), region)
		return
	}
	root, err := parser.ReadParts(bytes.NewReader(data))
	if err != nil {
		r.problem(line, "This mail is not built as a mail should be; its body was read as plain text.")
		r.text(bodyLine, decoded(data[body:]), region)
		return
	}
	m.at, m.atLine = body, bodyLine
	m.part(root, nil)
}

// mailReader walks through the parts of one mail in the order in which they are in its source, and keeps up with the
// place there, so that what is found has the line of the file.
type mailReader struct {
	report *Report
	region identifier.Region
	data   []byte
	exact  bool
	depth  int

	at     int // the place in data that the walk has come to
	atLine int // the line of the file there
}

// part reads one part. The identifiers of the plain text that says the same as a part in HTML are collected in plain.
func (m *mailReader) part(p *enmime.Part, plain map[identifier.Identifier]bool) {
	if p.FirstChild == nil {
		m.leaf(p, plain)
		return
	}
	if strings.EqualFold(p.ContentType, "multipart/alternative") {
		plain = make(map[identifier.Identifier]bool)
	}
	for child := p.FirstChild; child != nil; child = child.NextSibling {
		m.find(p.Boundary)
		m.part(child, plain)
	}
}

// find moves to the body of the next part between boundaries. Where the source is broken it stays where it is.
func (m *mailReader) find(boundary string) {
	mark := []byte("--" + boundary)
	for from := m.at; boundary != ""; {
		next := bytes.Index(m.data[from:], mark)
		if next < 0 {
			return
		}
		next += from
		from = next + len(mark)
		end := from + bytes.IndexByte(m.data[from:], '\n') + 1
		if end == from || next > 0 && m.data[next-1] != '\n' || len(bytes.TrimSpace(m.data[from:end])) > 0 {
			continue // text, the end of the parts, or a longer boundary
		}
		_, body, _ := readHead(m.data[end:], 0)
		m.move(end + body)
		return
	}
}

func (m *mailReader) move(to int) {
	if m.exact {
		m.atLine += countLines(m.data[m.at:to])
	}
	m.at = to
}

// leaf reads a part without parts.
func (m *mailReader) leaf(p *enmime.Part, plain map[identifier.Identifier]bool) {
	r, content := m.report, p.Content
	exact := m.exact && isUnencoded(p)
	switch kind, end := strings.ToLower(p.ContentType), ending(p.FileName); {
	case kind == "message/rfc822" || end == "eml":
		if m.depth >= maxDepth {
			r.problem(m.atLine, "More mails are attached inside one another than are read.")
			return
		}
		r.message(content, m.atLine, exact, m.depth+1, m.region)
	case end == "csv" || end == "tsv" || kind == "text/csv" || kind == "text/tab-separated-values":
		m.table(p, exact)
	case kind == "text/html" || end == "html" || end == "htm":
		before := len(r.Items)
		r.html(m.atLine, decoded(content), m.region, plain)
		m.flatten(before, exact)
	case strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "multipart/") || kind == "" || readableEndings[end] && binary(content) == "":
		before := len(r.Items)
		r.text(m.atLine, decoded(content), m.region)
		m.flatten(before, exact)
		if plain != nil {
			for _, item := range r.Items[before:] {
				plain[item.Identifier] = true
			}
		}
	default:
		m.attachment(p)
	}
}

// readableEndings are those of files that are text whatever the mail calls them.
var readableEndings = words(`txt log json xml vcf ics md ini`)

func isUnencoded(p *enmime.Part) bool {
	switch strings.ToLower(strings.TrimSpace(p.Header.Get("Content-Transfer-Encoding"))) {
	case "", "7bit", "8bit", "binary":
		return true
	}
	return false
}

// flatten gives items from an encoded part the line on which the part starts, as lines inside it are not those of
// the file.
func (m *mailReader) flatten(from int, exact bool) {
	if !exact {
		for i := from; i < len(m.report.Items); i++ {
			m.report.Items[i].Line = m.atLine
		}
	}
}

// table reads an attached table.
func (m *mailReader) table(p *enmime.Part, exact bool) {
	text := decoded(p.Content)
	layout, ok := tableLayout(p.FileName+".csv", text, m.region)
	if !ok {
		return
	}
	var inner Report
	inner.table(text, layout, m.region)
	for _, item := range inner.Items {
		if exact {
			m.report.add(m.atLine+item.Line-1, item.Identifier, item.Raw)
		} else {
			m.report.add(m.atLine, item.Identifier, item.Raw)
		}
	}
	for _, problem := range inner.Problems {
		line := m.atLine
		if exact {
			line += problem.Line - 1
		}
		m.report.problem(line, "In the attached table: "+problem.Sentence)
	}
}

// attachment notes a file that is not read, and takes its hash: an officer elsewhere may hold the same file. Pictures
// that belong to the text, such as a logo, and signatures are not evidence.
func (m *mailReader) attachment(p *enmime.Part) {
	kind := strings.ToLower(p.ContentType)
	inText := strings.HasPrefix(kind, "image/") && (p.ContentID != "" && p.Disposition != "attachment" || p.Disposition == "inline")
	if inText || strings.Contains(kind, "signature") || len(p.Content) == 0 {
		return
	}
	name := p.FileName
	if name == "" {
		name = "without a name"
	}
	sum := sha256.Sum256(p.Content)
	id, err := identifier.Parse(identifier.SHA256, hex.EncodeToString(sum[:]), "")
	if err != nil {
		return // a blank file
	}
	m.report.add(m.atLine, id, name)
	m.report.problem(m.atLine, "The attachment "+name+" was not read; its SHA-256 was taken.")
}
