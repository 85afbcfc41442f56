package intake

import (
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"strings"

	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

// Read reads a file that an officer hands in under its name. Telephone numbers without a country code are numbers of
// region. A file that is too large or is no text comes back as a [*casefile.Sentence], with the source all the
// same; other errors are those of r.
func Read(name string, r io.Reader, region identifier.Region) (Report, error) {
	report := Report{Source: Source{Name: name}}
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return report, fmt.Errorf("read file: %w", err)
	}
	if len(data) > MaxSize {
		return report, &casefile.Sentence{Text: name + " has more than 64 MiB.", Hint: "Split it, and hand the parts in one after another."}
	}
	report.Source.SHA256 = sha256.Sum256(data)
	report.Source.Size = int64(len(data))
	if what := binary(data); what != "" {
		return report, &casefile.Sentence{Text: name + " is " + what + ", not text, mail or CSV.", Hint: "Export it as one of these and hand that in."}
	}
	report.read(name, data, region)
	if report.full() {
		report.problem(0, fmt.Sprintf("The file holds more than %d identifiers; what comes after them was not read.", identifier.MaxFound))
	}
	return report, nil
}

// read chooses the reader for data that is text of some sort.
func (r *Report) read(name string, data []byte, region identifier.Region) {
	if isMail(name, data) {
		r.Format = FormatMail
		r.mail(data, region)
		return
	}
	text := decoded(data)
	if strings.TrimSpace(text) == "" {
		r.problem(0, "The file is empty.")
	}
	if layout, ok := tableLayout(name, text, region); ok {
		r.Format = FormatCSV
		r.table(text, layout, region)
		return
	}
	r.Format = FormatText
	r.text(1, text, region)
}

// Text reads a text that an officer pasted.
func Text(name, text string, region identifier.Region) Report {
	report := Report{
		Source: Source{Name: name, SHA256: sha256.Sum256([]byte(text)), Size: int64(len(text))},
		Format: FormatText,
	}
	report.text(1, text, region)
	return report
}

// ending returns the ending of a file's name in lower case, without the dot.
func ending(name string) string {
	return strings.TrimPrefix(strings.ToLower(path.Ext(strings.ReplaceAll(name, `\`, "/"))), ".")
}
