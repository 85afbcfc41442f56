package identifier

import "strings"

// isLed decides whether what follows a platform's name is a handle or the next word of the sentence.
func (s *scan) isLed(p *platform, l lead, handle string, end int) bool {
	tagged := strings.Contains(handle, "#")
	switch {
	case !tagged && notHandles[strings.ToLower(handle)], isHostName(handle):
		return false
	case p.everyday && !l.labelled && !isTellingAlone(p, l, handle):
		return false
	case l.word == 1 && !l.labelled && !(l.at && l.mark == ':'), l.word == 2 && l.mark == '=' && !l.labelled:
		return false // short words mean many things
	case l.at, tagged:
		return true
	}
	telling := isTelling(handle) || p.shape.digits
	ends := s.endsClause(end)
	switch l.mark {
	case ':', '=':
		return telling || ends || l.labelled || l.quoted
	case 'i':
		return telling || ends && l.labelled || l.quoted
	case '-':
		return telling || ends
	case '(':
		return telling || l.labelled
	}
	switch {
	case l.quoted:
		return l.labelled || l.soft || telling
	case l.labelled:
		return telling || ends
	case l.soft:
		return telling
	}
	return isOddWord(handle) || p.shape.digits && len(handle) >= 6
}

// isTellingAlone accepts a handle that makes a handle's label of a word that means other things too.
func isTellingAlone(p *platform, l lead, handle string) bool {
	name, number := cutLast(handle)
	numbered := p.name == "signal" && name != "" && len(number) >= 2 && allOf(number, isDigit) && isLetter(name[0])
	return l.mark == ':' && (numbered || l.at || strings.Contains(handle, "_") && isOddWord(handle))
}

// isTelling reports a handle that no word of a sentence looks like.
func isTelling(handle string) bool {
	return strings.ContainsAny(handle, "0123456789_") && strings.ContainsAny(strings.ToLower(handle), "abcdefghijklmnopqrstuvwxyz") ||
		strings.Contains(handle, ".") && allOf(handle, func(c byte) bool { return c >= 'a' && c <= 'z' || c == '.' })
}

// isOddWord reports a handle that can be told from prose without any mark: with an underscore, or with letters and
// two digits at the end and no capital in front, as product names have.
func isOddWord(handle string) bool {
	if strings.Contains(handle, "_") && strings.ContainsAny(strings.ToLower(handle), "abcdefghijklmnopqrstuvwxyz") {
		return true
	}
	n := len(handle)
	letters := strings.TrimRight(handle, "0123456789")
	return n-len(letters) >= 2 && len(letters) >= 3 && handle[0] >= 'a' && handle[0] <= 'z' && !productWords[letters] && letters != "iphone"
}

// isHostName reports the name of a site where a handle could stand.
func isHostName(handle string) bool {
	for _, end := range []string{".com", ".net", ".org", ".me", ".gg", ".io", ".ru", ".html", ".jpg", ".png", ".pdf", ".txt", ".zip"} {
		if strings.HasSuffix(strings.ToLower(handle), end) {
			return true
		}
	}
	return false
}

// endsClause reports whether nothing, or nothing of the same clause, follows a handle that ends at end.
func (s *scan) endsClause(end int) bool {
	rest := strings.TrimLeft(s.text[end:], " \"'`")
	if rest == "" || strings.IndexByte(",;|)]}<\t•/", rest[0]) >= 0 {
		return true
	}
	if rest[0] == '.' || rest[0] == '(' || rest[0] == '-' {
		return len(rest) == 1 || rest[0] == '(' || rest[1] == ' '
	}
	word, _ := s.wordAfter(end)
	return word == "and" || word == "or" || word == "on" || platformsByWord[word] != nil && !platformsByWord[word].everyday
}

// handleBefore finds the handle before "on Kik", "(Kik)" or the like.
func (s *scan) handleBefore(p *platform, start, end int) {
	if p.everyday || end-start == 1 && s.text[start] != 'X' {
		return
	}
	to := start
	bracketed := s.at(to-1) == '(' && s.at(end) == ')'
	if bracketed {
		to--
		end++
	}
	for to > 0 && s.text[to-1] == ' ' {
		to--
	}
	if !bracketed {
		word := s.wordsBefore(to, 1)
		if len(word) == 0 || word[0] != "on" && word[0] != "via" || to < len(word[0])+1 || s.text[to-len(word[0])-1] != ' ' {
			return
		}
		to = strings.LastIndexByte(s.text[:to], ' ')
	}
	from := to
	for from > 0 && to-from < 64 && (isAlnum(s.text[from-1]) || strings.IndexByte("._-#", s.text[from-1]) >= 0) {
		from--
	}
	if from < to && (to-from > 1 && end-start > 1 || s.at(from-1) == '@') {
		s.takeBefore(p, from, to, end)
	}
}

// takeBefore takes the handle text[from:to] whose platform's name ends at end, if it can be told from prose.
func (s *scan) takeBefore(p *platform, from, to, end int) {
	handle := s.text[from:to]
	at := s.at(from-1) == '@' && !s.joinedBefore(from-1)
	if handle == "" || !s.free(from, to) || !p.fits(handle) || isHostName(handle) || s.joinedBefore(from) {
		return
	}
	if !at && (notHandles[strings.ToLower(handle)] || strings.IndexByte("@/:\\", s.at(from-1)) >= 0 || !isOddWord(handle) && !isDiscordTag(handle)) {
		return
	}
	if value, err := p.account(handle); err == nil {
		if at {
			from--
		}
		s.take(from, end, Account, value)
	}
}

// redditName finds u/name around the slash at text[slash].
func (s *scan) redditName(slash int) {
	start := slash - 1
	if s.at(start-1) == '/' {
		start--
		if s.joinedBefore(start) {
			return // a path
		}
	}
	p := platformsByWord["reddit"]
	end := slash + 1
	for end < len(s.text) && (isAlnum(s.text[end]) || s.text[end] == '_' || s.text[end] == '-') {
		end++
	}
	if s.at(end) == '/' || strings.IndexByte("=+-*)]", s.at(start-1)) >= 0 || !s.free(start, end) || !p.fits(s.text[slash+1:end]) {
		return
	}
	if value, err := p.account(s.text[slash+1 : end]); err == nil {
		s.take(start, end, Account, value)
	}
}

// federated finds @name@server (Mastodon and its like) and @name:server (Matrix), whose server is their platform.
func (s *scan) federated(at int) {
	if s.joinedBefore(at) || s.taken[at] || s.at(at-1) == '/' {
		return
	}
	end := at + 1
	for end < len(s.text) && end-at < 64 && (isAlnum(s.text[end]) || strings.IndexByte("._-", s.text[end]) >= 0) {
		end++
	}
	platform := map[byte]string{'@': "mastodon", ':': "matrix"}[s.at(end)]
	if platform == "" || end == at+1 || !isNameByte(s.at(end+1)) {
		return
	}
	stop, name := s.emailName(end + 1)
	if name == "" || !s.free(at, stop) {
		return
	}
	if value, err := accountForm(platform, s.text[at+1:end+1]+name); err == nil {
		s.take(at, stop, Account, value)
	}
}
