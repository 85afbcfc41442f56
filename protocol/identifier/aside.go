package identifier

import "strings"

// idHeaders are the fields of a mail's header that hold message identifiers, which look like e-mail addresses.
var idHeaders = []string{"message-id:", "in-reply-to:", "references:", "content-id:", "resent-message-id:", "x-google-original-message-id:", "thread-topic-id:"}

// header follows a mail's header over the lines of a text: a line that starts with a blank continues the field before.
func (s *scan) header(line string) {
	if line != "" && (line[0] == ' ' || line[0] == '\t') {
		return
	}
	s.ids = false
	head := strings.ToLower(line[:min(len(line), 32)])
	for _, field := range idHeaders {
		if strings.HasPrefix(head, field) {
			s.ids = true
		}
	}
}

// setAside claims what resembles identifiers and is none: message identifiers, UUIDs.
func (s *scan) setAside() {
	if s.ids {
		s.claim(0, len(s.text))
		return
	}
	for i := 0; i < len(s.text); {
		at := strings.IndexByte(s.text[i:], '<')
		if at < 0 {
			break
		}
		at += i
		i = at + 1
		if end := strings.IndexByte(s.text[at:min(len(s.text), at+512)], '>'); end > 0 && s.namesMessage(at) {
			s.claim(at, at+end)
		}
	}
	for i := 8; i+28 <= len(s.text); i++ {
		if s.text[i] == '-' && isUUID(s.text[i-8:i+28]) {
			s.claim(i-8, i+28)
		}
	}
}

// namesMessage reports whether the angle bracket at i opens a message identifier in the middle of a line, as the logs
// of mail servers have them.
func (s *scan) namesMessage(i int) bool {
	before := strings.ToLower(strings.TrimRight(s.text[max(0, i-20):i], " "))
	for _, label := range []string{"message-id:", "message-id=", "msgid=", "msgid:", "messageid=", "in-reply-to:", "references:"} {
		if strings.HasSuffix(before, label) {
			return true
		}
	}
	return false
}

// isUUID accepts 36 bytes in the form of RFC 9562.
func isUUID(s string) bool {
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}
