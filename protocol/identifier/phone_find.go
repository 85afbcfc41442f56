package identifier

import "strings"

const (
	// maxGroups is the most groups of digits that a number is written in.
	maxGroups = 8
	// maxDigits is the most digits of a number, with an international prefix (00 or 011) and a bracketed 0.
	maxDigits = 19
)

// group is a run of digits at text[start:end].
type group struct{ start, end int }

// findPhones finds telephone numbers: groups of digits in one of the ways in which people write a number.
func (s *scan) findPhones() {
	for i := 0; i < len(s.text); {
		c := s.text[i]
		if !isDigit(c) {
			i++
			continue
		}
		if s.taken[i] || s.joinedBefore(i) {
			for i < len(s.text) && isAlnum(s.text[i]) {
				i++
			}
			continue
		}
		groups := s.groups(i)
		i = s.phone(groups)
	}
}

// groups reads the digits from text[i:] on, with the separators of telephone numbers between the groups.
func (s *scan) groups(i int) []group {
	groups := make([]group, 0, maxGroups)
	digits := 0
	for len(groups) < maxGroups {
		start := i
		for i < len(s.text) && isDigit(s.text[i]) && !s.taken[i] {
			i++
		}
		groups = append(groups, group{start, i})
		if digits += i - start; digits > maxDigits {
			break
		}
		next := s.separated(i)
		if next == i {
			break
		}
		i = next
	}
	return groups
}

// separators stand between the groups of a number, longest first.
var separators = []string{") - ", " - ", ") ", " (", ")-", "-(", " / ", ") (", ")(", ")", "(", " ", "-", ".", "/"}

// separated returns where the next group of digits starts after text[i:]; i where none follows.
func (s *scan) separated(i int) int {
	if i >= len(s.text) || strings.IndexByte(" )(-./", s.text[i]) < 0 {
		return i
	}
	for _, separator := range separators {
		next := i + len(separator)
		if strings.HasPrefix(s.text[i:], separator) && next < len(s.text) && isDigit(s.text[next]) && !s.taken[next] {
			return next
		}
	}
	return i
}

// phone looks for a number at the first of the groups and returns where to go on.
func (s *scan) phone(groups []group) int {
	first, start := groups[0], s.numberStart(groups[0].start)
	international := strings.IndexByte(s.text[start:first.start], '+') >= 0
	if s.mayStart(start, international) {
		// The longest number wins: what follows a complete number after a blank may be another one.
		for n := s.mostGroups(groups, international); n > 0; n-- {
			end := groups[n-1].end
			if !s.mayEnd(end) {
				continue
			}
			if form, ok := s.number(start, groups[:n], international); ok {
				s.take(start, end, Phone, form)
				return end
			}
		}
	}
	return s.afterFailure(groups)
}

// numberStart takes the plus or bracket before a number's first digit into it.
func (s *scan) numberStart(digit int) int {
	switch before, sooner := s.at(digit-1), s.at(digit-2); {
	case before == '+' && sooner == '(':
		return digit - 2
	case before == '(' && sooner == '+':
		return digit - 2
	case before == '+', before == '(' && s.closesSoon(digit):
		return digit - 1
	}
	return digit
}

// closesSoon reports a bracket that closes around an area or country code.
func (s *scan) closesSoon(digit int) bool {
	end := digit
	for end < len(s.text) && end-digit < 6 && isDigit(s.text[end]) {
		end++
	}
	return s.at(end) == ')' && end > digit
}

// mostGroups returns how many groups to try first: as many as a number has digits for.
func (s *scan) mostGroups(groups []group, international bool) int {
	limit := maxDigits
	if international {
		limit = 16
	}
	digits := 0
	for n, g := range groups {
		if digits += g.end - g.start; digits > limit {
			return n
		}
	}
	return len(groups)
}

// mayStart refuses places inside a longer number, an amount, an identifier or a path.
func (s *scan) mayStart(start int, international bool) bool {
	before := s.at(start - 1)
	if s.joinedBefore(start) || strings.IndexByte("+@#$&~^*\\%", before) >= 0 {
		bold := before == '*' && !isDigit(s.at(start-2)) // *bold* in chats
		return bold || before == '#' && anyOf(s.wordsBefore(start-1, 1), phoneWords)
	}
	if strings.HasSuffix(s.text[:start], "€") || strings.HasSuffix(s.text[:start], "£") || strings.HasSuffix(s.text[:start], "¥") {
		return false
	}
	if strings.IndexByte("-./:", before) >= 0 {
		sooner := s.at(start - 2)
		return !isDigit(sooner) && (before != '-' || !isAlnum(sooner) || international)
	}
	return true
}

// mayEnd refuses places where the number goes on, or where it is the front of something else.
func (s *scan) mayEnd(end int) bool {
	after, next := s.at(end), s.at(end+1)
	switch {
	case (after == 'x' || after == 'X') && isDigit(next), strings.HasPrefix(s.text[end:], "ext"):
		return true // an extension
	case s.joinedAfter(end), strings.IndexByte("@%", after) >= 0, strings.HasPrefix(s.text[end:], "°"):
		return false
	case after == '-' || after == '/' || after == ':':
		return !isAlnum(next)
	case after == '.':
		return !isDigit(next)
	}
	return true
}

// afterFailure returns where the next number may start, when none starts at the first group: after a blank or a
// bracket. Groups joined by hyphens, dots and strokes belong together.
func (s *scan) afterFailure(groups []group) int {
	for n := 1; n < len(groups); n++ {
		if strings.ContainsAny(s.text[groups[n-1].end:groups[n].start], " (") {
			return groups[n].start
		}
	}
	end := groups[len(groups)-1].end
	// Digits beyond the groups, joined to them, are no start either.
	for end < len(s.text) && (isDigit(s.text[end]) || strings.IndexByte("-./", s.text[end]) >= 0 && isDigit(s.at(end+1))) {
		end++
	}
	return end
}
