package identifier

import "strings"

// handleLabels are the words between a platform and a handle that say that a handle follows.
var handleLabels = set(`username usernames user-name handle handles id userid screenname nickname nick gamertag tag login alias`)

// softLabels may stand there too, and say less.
var softLabels = set(`user account accounts acct profile messenger chat contact app name me page screen channel`)

// notHandles are words that follow a platform's name in prose.
var notHandles = set(`a about above account accounts active activity add added after again all also an and another any app application
	are as asked at audio banned based before being below between both but by call called calls can chat chats closed co com contact
	contacts content conversation conversations could created data date deactivated deleted details did disabled download during
	each email encrypted error evidence export exported extraction false false-positive file files first following for found friend
	friends from full further gave get group groups had handle has have he her here hers hi him his how i id identified if image
	images in inactive information into is it its join just known last link linked live log login logs ltd made me media message
	messages messaging messenger mobile more most my n/a na name named new news no none not nothing null number of offline old on one
	online only or other others our out over page pages pending person phone photo photos picture pictures platform please post posts
	premium private profile profiles provided public received records records: redacted removed reported reports request requested
	returned same saw see seen send sends sent server servers service she show since so some still story subject support suspect
	suspended text that the their them then there these they this to told true two type unavailable under unknown unverified update
	updates use used user username users uses using various verified version via victim video videos was we web website were what
	when where which while who will with without would yes you your yours`)

// findAccounts finds handles beside the names of platforms, and the forms that name their platform themselves. An
// @name alone says nothing about where the account is, so it is left out.
func (s *scan) findAccounts() {
	for i := 0; i < len(s.text); {
		c := s.text[i]
		switch {
		case c == '@':
			s.federated(i)
		case c == '/' && i > 0 && s.text[i-1] == 'u' && !s.joinedBefore(i-1):
			s.redditName(i)
		}
		if !isLetter(c) {
			i++
			continue
		}
		start := i
		for i < len(s.text) && isLetter(s.text[i]) {
			i++
		}
		if p, end := s.platformAt(start, i); p != nil {
			if !s.handleAfter(p, start, end) {
				s.handleBefore(p, start, end)
			}
		}
	}
}

// longestWord is the length of the longest word of a platform's name.
const longestWord = 12

// platformAt returns the platform that the word text[start:end] names, and where its name ends.
func (s *scan) platformAt(start, end int) (*platform, int) {
	if end-start > longestWord || s.joinedBefore(start) || s.joinedAfter(end) || s.taken[start] {
		return nil, end
	}
	if strings.IndexByte(".@\\?&", s.at(start-1)) >= 0 || s.at(end) == '.' && s.joinedAfter(end+1) || s.at(start-1) == '/' && !s.isOtherName(start-1) {
		return nil, end
	}
	var buffer [longestWord]byte
	word := buffer[:end-start]
	for i := range word {
		word[i] = s.text[start+i] | 0x20
	}
	second := s.text[end:min(len(s.text), end+4)]
	switch {
	case string(word) == "tik" && strings.EqualFold(second, " tok"):
		return platformsByWord["tiktok"], end + len(second)
	case string(word) == "cash" && strings.EqualFold(second, " app"):
		return platformsByWord["cashapp"], end + len(second)
	}
	return platformsByWord[string(word)], end
}

// isOtherName reports a stroke at text[slash] between two names of platforms, as in "Twitter/X".
func (s *scan) isOtherName(slash int) bool {
	words := s.wordsBefore(slash, 1)
	return len(words) == 1 && platformsByWord[words[0]] != nil && isLetter(s.at(slash-1))
}

// lead is what stands between a platform and a handle.
type lead struct {
	end        int  // where the handle starts
	labelled   bool // a word such as "username"
	soft       bool // a word such as "account"
	mark       byte // ':', '=', '-', '(', 'i' for "is", or 0
	at, quoted bool // the handle has an @ in front, or quotes around
	words      int  // how many labels
	word       int  // the length of the platform's name
}

// handleAfter finds the handle that follows a platform's name.
func (s *scan) handleAfter(p *platform, start, end int) bool {
	l := s.lead(p, end)
	l.word = end - start
	from := l.end
	to := s.handleEnd(p, from)
	if to == from || !s.free(from, to) || !p.fits(s.text[from:to]) {
		return false
	}
	handle := s.text[from:to]
	if !s.isLed(p, l, handle, to) {
		return false
	}
	value, err := p.account(handle)
	if err != nil {
		return false
	}
	if closing := s.at(to); l.quoted && closing == s.at(from-1) || l.mark == '(' && closing == ')' {
		to++
	}
	s.take(start, to, Account, value)
	return true
}

// lead reads the labels and marks after a platform's name.
func (s *scan) lead(p *platform, end int) lead {
	l := lead{end: end}
	if strings.HasPrefix(s.text[end:], "'s ") {
		l.end += 2
	}
	for l.words < 3 {
		word, next := s.labelAt(l.end)
		if !handleLabels[word] && !softLabels[word] {
			break
		}
		l.labelled = l.labelled || handleLabels[word] || word == "name" && l.soft
		l.soft = true
		l.words++
		l.end = next
	}
	l.mark, l.end = s.markAt(l.end)
	for l.end < len(s.text) && s.text[l.end] == ' ' {
		l.end++
	}
	if c := s.at(l.end); c == '"' || c == '\'' || c == '`' {
		l.quoted = true
		l.end++
	}
	if c := s.at(l.end); c == '@' || c == '$' && p.name == "cashapp" {
		l.at = true
		l.end++
	}
	return l
}

// labelAt returns the word after one blank at text[from], and where it ends.
func (s *scan) labelAt(from int) (word string, end int) {
	if s.at(from) != ' ' && s.at(from) != '_' && s.at(from) != '-' {
		return "", from
	}
	end = from + 1
	for end < len(s.text) && end-from < 16 && isLetter(s.text[end]) {
		end++
	}
	if s.joinedAfter(end) || s.at(end) == '.' && s.joinedAfter(end+1) {
		return "", from
	}
	return strings.ToLower(s.text[from+1 : end]), end
}

// markAt reads the mark between a label and a handle, and returns where it ends.
func (s *scan) markAt(from int) (mark byte, end int) {
	end = from
	if s.at(end) == '"' || s.at(end) == '\'' { // "kik": "name"
		if s.at(end+1) == ':' {
			end++
		}
	}
	for s.at(end) == ' ' && end < len(s.text) {
		end++
	}
	switch c := s.at(end); {
	case c == ':' && s.at(end+1) != '/', c == '=':
		return c, end + 1
	case c == '-' && s.at(end+1) == ' ':
		return '-', end + 1
	case c == '(' && s.at(end+1) != ' ':
		return '(', end + 1
	case end > from && (strings.HasPrefix(s.text[end:], "is ") || strings.HasPrefix(s.text[end:], "was ")):
		return 'i', end + strings.IndexByte(s.text[end:], ' ')
	}
	return 0, end
}

// handleEnd returns where the handle that starts at from ends; from where something else starts there.
func (s *scan) handleEnd(p *platform, from int) int {
	end := from
	for end < len(s.text) && end-from <= 66 && (isAlnum(s.text[end]) || strings.IndexByte("._-", s.text[end]) >= 0 ||
		p.name == "skype" && s.text[end] == ':') {
		end++
	}
	if p.name == "discord" && s.at(end) == '#' && end+5 <= len(s.text) && allOf(s.text[end+1:end+5], isDigit) {
		end += 5
	}
	for end > from && strings.IndexByte(".-:", s.text[end-1]) >= 0 {
		end--
	}
	if s.joinedAfter(end) || strings.IndexByte("/@#:=(\\", s.at(end)) >= 0 {
		return from
	}
	return end
}
