package intake

import (
	"bytes"
	"io"
	"mime"
	"strings"

	"golang.org/x/net/html/charset"

	"interlock/protocol/identifier"
)

// addressFields are the fields of a mail's head that name people, and the subject. All kinds of identifiers in them
// are taken.
var addressFields = words(`from to cc bcc reply-to sender return-path delivered-to x-original-to envelope-to x-envelope-to
	x-envelope-from resent-from resent-to resent-cc resent-sender errors-to x-sender disposition-notification-to x-google-original-from
	subject organization`)

// originFields hold the addresses that a mail came from and through. Only IP addresses and mailboxes in them are
// taken: the names of the mail servers are those of the providers.
var originFields = words(`received x-received x-originating-ip x-origin-ip x-source-ip x-sender-ip x-client-ip x-real-ip x-remote-ip
	x-forwarded-for x-mailer-ip x-yahoo-originating-ip x-ms-exchange-organization-originalclientipaddress x-apparently-from`)

// Fields that mark a mail: many texts have the first, only mails the second.
var (
	mailFields   = words(`from to cc subject date reply-to sender bcc content-type x-mailer`)
	strongFields = words(`message-id received mime-version return-path delivered-to dkim-signature x-received authentication-results arc-seal`)
)

// words makes a set of the words between blanks.
func words(list string) map[string]bool {
	set := make(map[string]bool)
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

// field is one field of a head, unfolded line by line.
type field struct {
	name string // lower case
	line int    // of the file, where it starts
	text string // its lines, without the name
}

// maxHeadLines is how many lines a head may have.
const maxHeadLines = 4096

// readHead reads the head of a mail or of a part of one. body is where the body starts in data, and bodyLine its line,
// where the head starts on the given line.
func readHead(data []byte, line int) (fields []field, body, bodyLine int) {
	for n := 0; n < maxHeadLines && body < len(data); n++ {
		end := bytes.IndexByte(data[body:], '\n') + 1
		if end == 0 {
			end = len(data) - body
		}
		text := strings.TrimRight(string(data[body:body+end]), "\r\n")
		body += end
		line++
		if strings.TrimSpace(text) == "" {
			break
		}
		name, value, found := strings.Cut(text, ":")
		switch {
		case text[0] == ' ' || text[0] == '\t' || !found || !isFieldName(name):
			if len(fields) > 0 {
				fields[len(fields)-1].text += "\n" + text
			}
		default:
			fields = append(fields, field{name: strings.ToLower(strings.TrimSpace(name)), line: line - 1, text: value})
		}
	}
	return fields, body, line
}

func isFieldName(name string) bool {
	name = strings.TrimRight(name, " ")
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7F {
			return false
		}
	}
	return name != ""
}

// isMail decides whether data is a mail: by its name and one field, or by its fields alone.
func isMail(name string, data []byte) bool {
	fields, _, _ := readHead(bytes.TrimPrefix(data, utf8Mark), 1)
	known, strong := 0, 0
	for _, f := range fields {
		if mailFields[f.name] {
			known++
		}
		if strongFields[f.name] {
			strong++
		}
	}
	first := len(fields) > 0 && fields[0].line == 1
	if ending(name) == "eml" {
		return known+strong > 0
	}
	return first && strong > 0 && known > 1
}

// head adds what the fields of a head hold.
func (r *Report) head(fields []field, region identifier.Region) {
	for _, f := range fields {
		switch {
		case addressFields[f.name]:
			r.text(f.line, readable(f.text), region)
		case originFields[f.name]:
			for _, found := range identifier.Extract(readable(f.text), "") {
				if kind := found.Identifier.Kind(); kind == identifier.IP || kind == identifier.Email {
					r.add(f.line+found.Line-1, found.Identifier, found.Raw)
				}
			}
		}
	}
}

// readable decodes the words of a field that are encoded as RFC 2047 says, line by line.
func readable(text string) string {
	decoder := mime.WordDecoder{CharsetReader: func(label string, input io.Reader) (io.Reader, error) {
		return charset.NewReaderLabel(label, input)
	}}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		clear, err := decoder.DecodeHeader(line)
		if err != nil {
			clear = decoded([]byte(line)) // not as the standard says: take it as it is
		}
		lines[i] = strings.NewReplacer("\r", " ", "\n", " ").Replace(clear)
	}
	return strings.Join(lines, "\n")
}
