package identifier

import (
	"net/netip"
	"strings"
)

// versionWords are the words shortly before four numbers with dots that make them a version or a section.
var versionWords = set(`version versions ver v vers build builds release releases firmware fw revision rev patch patched upgrade
	upgraded upgrades update updated updates downgraded kernel oid section sections sec chapter clause article appendix figure
	fig table paragraph paragraphs paras clauses articles rule annex see`)

// productWords are names of programs and things that stand right before their version.
var productWords = set(`chrome chromium firefox safari edge opera brave webkit applewebkit windows android ios ipados macos linux
	ubuntu debian whatsapp telegram signal kik snapchat instagram facebook messenger tiktok skype zoom teams discord viber wickr
	java jre jdk python php perl ruby openssl openssh nginx apache mysql flash acrobat reader photoshop office outlook word excel
	itunes quicktime vlc cellebrite ufed griffeye axiom encase ftk xways tor nt cpu driver bios software app application agent
	sdk api step para postfix exim sendmail esmtp esmtps esmtpsa smtp exchange id`)

// addressWords outweigh versionWords in the same clause.
var addressWords = set(`ip ips address addresses addr ipv host server client login logged via`)

// findIPs finds public IPv4 and IPv6 addresses.
func (s *scan) findIPs() {
	for i := 0; i < len(s.text); {
		next := strings.IndexAny(s.text[i:], ".:")
		if next < 0 {
			return
		}
		at := i + next
		start := at
		for start > i && isHex(s.text[start-1]) {
			start--
		}
		end := at
		for end < len(s.text) && (isHex(s.text[end]) || s.text[end] == '.' || s.text[end] == ':') {
			end++
		}
		i = end
		if end-start > 6 && end-start < 64 {
			s.address(start, end)
		}
	}
}

// address looks at a run of hexadecimal digits, dots and colons. It is one address, or addresses with ports and labels
// between colons.
func (s *scan) address(start, end int) {
	for end > start && s.text[end-1] == '.' || end > start+2 && s.text[end-1] == ':' && s.text[end-2] != ':' {
		end--
	}
	if s.text[start] == ':' && s.at(start+1) != ':' {
		start++
	}
	if address, err := netip.ParseAddr(s.text[start:end]); err == nil {
		s.takeAddress(start, end, address)
		return
	}
	for from := start; from < end; {
		to := from
		for to < end && s.text[to] != ':' {
			to++
		}
		if address, err := netip.ParseAddr(s.text[from:to]); err == nil {
			s.takeAddress(from, to, address)
		}
		from = to + 1
	}
}

func (s *scan) takeAddress(start, end int, address netip.Addr) {
	if !s.free(start, end) || s.joinedBefore(start) || s.joinedAfter(end) {
		return
	}
	end = s.withPrefix(end)
	if address.Is4() && s.isVersion(start, end) {
		s.version = end
	} else if value, err := canonicalIP(s.text[start:end]); err == nil {
		s.add(start, end, IP, value)
	}
	s.claim(start, end)
}

// withPrefix returns where the length of a network behind an address ends; end where there is none.
func (s *scan) withPrefix(end int) int {
	if s.at(end) != '/' {
		return end
	}
	digits := end + 1
	for digits < len(s.text) && digits < end+5 && isDigit(s.text[digits]) {
		digits++
	}
	if digits == end+1 || digits > end+4 || s.joinedAfter(digits) || s.at(digits) == '/' || s.at(digits) == '.' && isDigit(s.at(digits+1)) {
		return end
	}
	return digits
}

// isVersion reports four numbers that are no address: a version, a part of a longer number, a section of a text.
func (s *scan) isVersion(start, end int) bool {
	before, after := s.at(start-1), s.at(end)
	switch {
	case (before == '/' || before == '-') && s.joinedBefore(start-1): // Chrome/120.0.0.0, package-1.2.3.4
		return !s.endsWithQuad(start - 1) // the end of a range, 8.8.8.8-8.8.8.9, is an address
	case strings.IndexByte(".$~^", before) >= 0 || strings.HasSuffix(strings.TrimRight(s.text[:start], " "), "§"):
		return true
	case after == '.' && isAlnum(s.at(end+1)) && !isTitle(s.text[end+1:min(len(s.text), end+3)]): // in-addr.arpa, file names
		return true
	case after == '-' && isAlnum(s.at(end+1)) && !s.startsWithQuad(end+1): // 1.2.3.4-beta
		return true
	}
	if s.version > 0 && s.version < start {
		switch s.text[s.version:start] {
		case " and ", " or ", ", ", " to ", "/": // versions 1.2.3.4 and 1.2.3.5
			return true
		}
	}
	words := s.wordsBefore(start, 3)
	switch {
	case len(words) == 0:
		return s.isHeading(start, end)
	case productWords[words[0]]:
		return s.at(start-1) == ' ' || s.at(start-1) == '('
	}
	return anyOf(words, versionWords) && !anyOf(words, addressWords)
}

func (s *scan) startsWithQuad(from int) bool {
	end := from
	for end < len(s.text) && end-from < 15 && (isDigit(s.text[end]) || s.text[end] == '.') {
		end++
	}
	address, err := netip.ParseAddr(s.text[from:end])
	return err == nil && address.Is4()
}

func (s *scan) endsWithQuad(end int) bool {
	start := end
	for start > 0 && end-start < 15 && (isDigit(s.text[start-1]) || s.text[start-1] == '.') {
		start--
	}
	address, err := netip.ParseAddr(s.text[start:end])
	return err == nil && address.Is4()
}

// isHeading reports a number at the start of a line that counts the sections of a text: small, and followed by a
// capitalised word.
func (s *scan) isHeading(start, end int) bool {
	if strings.TrimLeft(s.text[:start], " \t#*") != "" || s.at(end) != ' ' {
		return false
	}
	for part := range strings.SplitSeq(s.text[start:end], ".") {
		if len(part) > 1 && part > "20" || len(part) > 2 {
			return false
		}
	}
	word := s.text[end+1:]
	stop := strings.IndexAny(word, " ,.:")
	if stop < 0 {
		stop = len(word)
	}
	return isTitle(word[:stop])
}
