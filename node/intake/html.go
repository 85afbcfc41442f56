package intake

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"interlock/protocol/identifier"
)

// inline are the elements that do not end a line of text.
var inline = map[atom.Atom]bool{
	atom.A: true, atom.Abbr: true, atom.B: true, atom.Bdi: true, atom.Bdo: true, atom.Big: true, atom.Cite: true,
	atom.Code: true, atom.Em: true, atom.Font: true, atom.I: true, atom.Ins: true, atom.Kbd: true, atom.Label: true,
	atom.Mark: true, atom.Q: true, atom.S: true, atom.Small: true, atom.Span: true, atom.Strong: true, atom.Sub: true,
	atom.Sup: true, atom.Tt: true, atom.U: true, atom.Wbr: true,
}

// page is the text of an HTML page, with the line of the source for each line of text.
type page struct {
	text  strings.Builder
	lines []int
}

// html adds what is in an HTML page whose first line is the given line of the file: in its text and in the targets
// of its links. One identifier is told once a line, as a link and its text mostly say the same. Those in known are
// left out.
func (r *Report) html(line int, source string, region identifier.Region, known map[identifier.Identifier]bool) {
	p := readPage(source)
	type place struct {
		line int
		id   identifier.Identifier
	}
	told := make(map[place]bool)
	for _, found := range identifier.Extract(p.text.String(), region) {
		here := place{line + p.lines[found.Line-1] - 1, found.Identifier}
		if !told[here] && !known[found.Identifier] {
			told[here] = true
			r.add(here.line, found.Identifier, found.Raw)
		}
	}
}

func readPage(source string) *page {
	p := &page{lines: []int{1}}
	tokens := html.NewTokenizer(strings.NewReader(source))
	line, hidden := 1, false
	var targets []string
	for {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			break // the end, as the source is a string
		}
		read := countLines(tokens.Raw())
		switch kind {
		case html.TextToken:
			if !hidden {
				p.write(string(tokens.Text()), line)
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			token := tokens.Token()
			if token.DataAtom == atom.Script || token.DataAtom == atom.Style {
				hidden = kind == html.StartTagToken
			}
			if kind == html.StartTagToken && token.DataAtom == atom.A {
				targets = append(targets, target(token))
			}
			if !inline[token.DataAtom] {
				p.breakLine(line)
			}
			if kind == html.EndTagToken && token.DataAtom == atom.A && len(targets) > 0 {
				p.write(" "+targets[len(targets)-1]+" ", line)
				targets = targets[:len(targets)-1]
			}
		}
		line += read
	}
	for _, open := range targets {
		p.breakLine(line)
		p.write(open, line)
	}
	return p
}

// target returns where a link leads.
func target(link html.Token) string {
	for _, attribute := range link.Attr {
		if attribute.Key == "href" {
			return strings.TrimSpace(attribute.Val)
		}
	}
	return ""
}

// write adds text that starts on a line of the source.
func (p *page) write(text string, line int) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	for i, part := range strings.Split(text, "\n") {
		if i > 0 {
			p.breakLine(line + i)
		}
		p.text.WriteString(part)
	}
}

// breakLine starts a line of text that comes from a line of the source.
func (p *page) breakLine(line int) {
	p.text.WriteByte('\n')
	p.lines = append(p.lines, line)
}

// countLines counts the ends of lines in b, as identifier.Extract does.
func countLines(b []byte) int {
	return bytes.Count(b, []byte("\n")) + bytes.Count(b, []byte("\r")) - bytes.Count(b, []byte("\r\n"))
}
