package identifier

import (
	"html"
	"strings"
	"unicode/utf8"
)

// plain is text as it was meant, with the way back to the text as it was written.
type plain struct {
	text string
	// from and to give, for each byte of text, the bytes of the original that it came from. Both are nil where
	// text is the original unchanged.
	from, to []int32
}

// raw returns the part of original that became text[start:end].
func (p plain) raw(original string, start, end int) string {
	if p.from == nil {
		return original[start:end]
	}
	return original[p.from[start]:p.to[end-1]]
}

// refang undoes what keeps a reader's software from seeing an identifier: defanging (hxxp, [.], (at)), HTML
// entities, JSON escapes, invisible and look-alike characters such as full-width letters. It takes linear time.
func refang(original string) plain {
	if !needsRefang(original) {
		return plain{text: original}
	}
	d := decoder{in: original}
	d.decode()
	return d.defang()
}

// needsRefang finds out cheaply whether there is anything to undo, as most lines hold nothing of the kind.
func needsRefang(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= utf8.RuneSelf, c == '[', c == '(', c == '{', c == '&', c == '\\':
			return true
		case c == 'h' || c == 'H':
			if hiddenHTTP(s[i:]) > 0 {
				return true
			}
		}
	}
	return false
}

// decoder is the first step: entities, escapes and characters, each by itself.
type decoder struct {
	in       string
	out      []byte
	from, to []int32
	json     bool // the line looks like JSON, where a backslash escapes
}

func (d *decoder) emit(from, to int, bytes ...byte) {
	for _, b := range bytes {
		d.out = append(d.out, b)
		d.from = append(d.from, int32(from))
		d.to = append(d.to, int32(to))
	}
}

func (d *decoder) decode() {
	if head := strings.TrimLeft(d.in, " \t"); head != "" && strings.IndexByte("{[\"", head[0]) >= 0 {
		d.json = true
	}
	d.out = make([]byte, 0, len(d.in))
	d.from = make([]int32, 0, len(d.in))
	d.to = make([]int32, 0, len(d.in))
	for i := 0; i < len(d.in); {
		switch c := d.in[i]; {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(d.in[i:])
			if r == utf8.RuneError && size == 1 {
				d.emit(i, i+1, c)
			} else {
				d.rune(r, i, i+size)
			}
			i += size
		case c == '&':
			i += d.entity(i)
		case c == '\\':
			i += d.escape(i)
		default:
			d.emit(i, i+1, c)
			i++
		}
	}
}

func (d *decoder) rune(r rune, from, to int) {
	mapped, keep := plainRune(r)
	if !keep {
		return
	}
	if mapped == '。' && d.betweenASCII(to) {
		mapped = '.'
	}
	var buffer [utf8.UTFMax]byte
	d.emit(from, to, buffer[:utf8.EncodeRune(buffer[:], mapped)]...)
}

// betweenASCII reports whether the character that ends at in[end] has an ASCII letter or digit on both sides. Only
// there is the ideographic full stop the dot of a name; elsewhere it ends a sentence.
func (d *decoder) betweenASCII(end int) bool {
	return len(d.out) > 0 && isAlnum(d.out[len(d.out)-1]) && end < len(d.in) && isAlnum(d.in[end])
}

// maxEntity is the longest entity that is looked for, in bytes: "&CounterClockwiseContourIntegral;" names nothing here.
const maxEntity = 12

// entity decodes the HTML entity at in[i] and returns how many bytes it read. Text that was escaped more than once
// (&amp;amp;) is read as if once.
func (d *decoder) entity(i int) int {
	rest := d.in[i+1:]
	for strings.HasPrefix(rest, "amp;") {
		rest = rest[len("amp;"):]
	}
	read := len(d.in) - i - len(rest)
	if end := strings.IndexByte(rest[:min(len(rest), maxEntity)], ';'); end > 0 {
		name := "&" + rest[:end+1]
		decoded := html.UnescapeString(name)
		if r, size := utf8.DecodeRuneInString(decoded); size == len(decoded) && decoded != name {
			d.rune(r, i, i+read+end+1)
			return read + end + 1
		}
	}
	d.emit(i, i+read, '&')
	return read
}

// escape decodes the backslash at in[i] and returns how many bytes it read: JSON's escapes in a line that looks
// like JSON, and the dot that somebody escaped for a regular expression.
func (d *decoder) escape(i int) int {
	rest := d.in[i+1:]
	switch {
	case d.json && len(rest) > 0 && strings.IndexByte("/\"", rest[0]) >= 0:
		d.emit(i, i+2, rest[0])
		return 2
	case d.json && len(rest) > 0 && strings.IndexByte("nrt", rest[0]) >= 0:
		d.emit(i, i+2, ' ')
		return 2
	case d.json && len(rest) >= 5 && rest[0] == 'u' && rest[1] == '0' && rest[2] == '0' && isHex(rest[3]) && isHex(rest[4]):
		d.rune(rune(hexDigit(rest[3])<<4|hexDigit(rest[4])), i, i+6)
		return 6
	case len(rest) > 1 && rest[0] == '.' && isAlnum(rest[1]) && len(d.out) > 0 && isAlnum(d.out[len(d.out)-1]):
		d.emit(i, i+2, '.')
		return 2
	}
	d.emit(i, i+1, '\\')
	return 1
}

// defang is the second step: it undoes defanging in decoded text. The result is written over the decoder's own
// arrays, as it is never longer than what was read.
func (d *decoder) defang() plain {
	in := string(d.out)
	from, to := d.from, d.to
	d.out, d.from, d.to = d.out[:0], d.from[:0], d.to[:0]
	for i := 0; i < len(in); {
		written, read := defanged(in, i, d.out)
		if read == 0 {
			d.emit(int(from[i]), int(to[i]), in[i])
			i++
			continue
		}
		start, end := from[i], to[i+read-1]
		if written == "." || written == "@" {
			d.dropBlanks()
		}
		d.emit(int(start), int(end), []byte(written)...)
		i += read
	}
	return plain{text: string(d.out), from: d.from, to: d.to}
}

// dropBlanks takes back the blanks before a spaced out "[dot]".
func (d *decoder) dropBlanks() {
	n := len(d.out)
	for n > 0 && d.out[n-1] == ' ' {
		n--
	}
	d.out, d.from, d.to = d.out[:n], d.from[:n], d.to[:n]
}

// defanged recognises a defanged mark at in[i], after the text before has become out. It returns what stands for
// it and how many bytes were read; 0 where there is none.
func defanged(in string, i int, out []byte) (written string, read int) {
	switch in[i] {
	case 'h', 'H':
		if n := hiddenHTTP(in[i:]); n > 0 && (len(out) == 0 || !isAlnum(out[len(out)-1])) {
			return "http", n
		}
	case '[', '(', '{':
		return bracketed(in, i, out)
	case ':':
		if strings.HasPrefix(in[i:], `:\\`) && endsWithScheme(out) {
			return "://", 3
		}
	}
	return "", 0
}

// hiddenHTTP returns the length of the word at the start of s that was written to hide "http", up to an s of
// "https"; 0 where there is none, or where it does not begin an address.
func hiddenHTTP(s string) int {
	if len(s) < 7 || s[1]|0x20 != 'x' && s[1] != '*' && s[1]|0x20 != 't' {
		return 0
	}
	switch strings.ToLower(s[:4]) {
	case "hxxp", "h**p", "hxtp", "htxp":
	default:
		return 0
	}
	rest := s[4:]
	if rest[0]|0x20 == 's' {
		rest = rest[1:]
	}
	if rest[0] != ':' && rest[0] != '[' {
		return 0
	}
	return len("http")
}

func endsWithScheme(out []byte) bool {
	word := strings.ToLower(string(out[max(0, len(out)-5):]))
	return strings.HasSuffix(word, "http") || strings.HasSuffix(word, "https")
}

// bracketed recognises [.] (dot) {at} [@] [:] [://] [/] and the s of hxxp[s], with or without blanks around a dot or at.
func bracketed(in string, i int, out []byte) (written string, read int) {
	closing := map[byte]byte{'[': ']', '(': ')', '{': '}'}[in[i]]
	end := strings.IndexByte(in[i:min(len(in), i+8)], closing)
	if end < 2 {
		return "", 0
	}
	inside := strings.ToLower(strings.Trim(in[i+1:i+end], " "))
	before := strings.TrimRight(string(out[max(0, len(out)-3):]), " ")
	if before == "" || !isNameByte(before[len(before)-1]) {
		return "", 0
	}
	read = end + 1
	rest := in[i+read:]
	blanks := leadingBlanks(rest)
	touching := out[len(out)-1] != ' '
	switch inside {
	case ".", "dot":
		if blanks < len(rest) && isNameByte(rest[blanks]) {
			return ".", read + blanks
		}
	case "@", "at":
		if leadsToDot(rest[blanks:]) {
			return "@", read + blanks
		}
	case ":", "://", "/", "//", ":/":
		if touching && in[i] == '[' {
			return inside, read
		}
	case "s":
		if touching && strings.HasPrefix(rest, ":") && endsWithScheme(out) {
			return "s", read
		}
	}
	return "", 0
}

// leadsToDot reports whether rest starts with a label and a dot, written or defanged: what must follow an "(at)"
// for it to be part of an address.
func leadsToDot(rest string) bool {
	end := 0
	for end < len(rest) && end < 64 && (isNameByte(rest[end]) || rest[end] == '-') {
		end++
	}
	after := strings.TrimLeft(rest[end:min(len(rest), end+2)], " ")
	return end > 0 && after != "" && strings.IndexByte(".[({", after[0]) >= 0
}

// leadingBlanks counts the blanks at the start of s, up to two.
func leadingBlanks(s string) int {
	n := 0
	for n < len(s) && n < 2 && s[n] == ' ' {
		n++
	}
	return n
}
