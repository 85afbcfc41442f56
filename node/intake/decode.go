package intake

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

var (
	utf8Mark    = []byte{0xEF, 0xBB, 0xBF}
	utf16Little = []byte{0xFF, 0xFE}
	utf16Big    = []byte{0xFE, 0xFF}
)

// signatures are the first bytes of files that officers take for text, and what those are.
var signatures = []struct{ start, what string }{
	{"%PDF-", "a PDF document"},
	{"PK\x03\x04", "a ZIP archive or an Office document"},
	{"\xD0\xCF\x11\xE0", "an old Office document or Outlook message"},
	{"\xFF\xD8\xFF", "a picture"},
	{"\x89PNG", "a picture"},
	{"GIF8", "a picture"},
	{"SQLite format 3", "a database"},
	{"{\\rtf", "a rich text document"},
	{"\x1f\x8b", "a compressed file"},
	{"Rar!", "a RAR archive"},
	{"7z\xBC\xAF", "a 7-Zip archive"},
}

// binary says what data is, where it is no text; "" where it is text.
func binary(data []byte) string {
	for _, s := range signatures {
		if bytes.HasPrefix(data, []byte(s.start)) {
			return s.what
		}
	}
	if isUTF16(data) {
		return ""
	}
	control := 0
	for _, b := range data {
		switch {
		case b == 0:
			return "a binary file"
		case b < ' ' && b != '\n' && b != '\r' && b != '\t' && b != '\f' && b != '\b' && b != 0x1B:
			control++
		}
	}
	if control > len(data)/50 {
		return "a binary file"
	}
	return ""
}

func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, utf16Little) && !bytes.HasPrefix(data, []byte{0xFF, 0xFE, 0, 0}) || bytes.HasPrefix(data, utf16Big)
}

// decoded returns text as UTF-8: by its byte order mark, as it is where it is UTF-8, and otherwise from Windows-1252,
// in which every byte means something.
func decoded(data []byte) string {
	if isUTF16(data) {
		// Broken pairs come out as U+FFFD: the decoder has no other error.
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data)
		if err == nil {
			return string(text)
		}
	}
	data = bytes.TrimPrefix(data, utf8Mark)
	if utf8.Valid(data) {
		return string(data)
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(data)
	if err != nil {
		return string(bytes.ToValidUTF8(data, []byte("\uFFFD")))
	}
	return string(text)
}
