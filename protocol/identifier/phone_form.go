package identifier

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

func isNorthAmerican(region Region) bool { return phonenumbers.IsNANPACountry(string(region)) }

// isNorthAmericanForm accepts the ways to write a number of the North American plan: 3-3-4 digits, with or without a
// 1 in front, or all in one.
func (s *scan) isNorthAmericanForm(start int, groups []group) bool {
	if first := groups[0]; len(groups) > 1 && first.end-first.start == 1 && s.text[first.start] == '1' {
		groups = groups[1:]
	}
	digits := s.digits(groups)
	if len(digits) == 11 && digits[0] == '1' && len(groups) <= 3 {
		digits = digits[1:]
		if len(groups) > 1 && groups[0].end-groups[0].start != 4 {
			return false
		}
	} else if !hasWidths(groups, 3, 3, 4) && !hasWidths(groups, 3, 7) && !hasWidths(groups, 6, 4) && !hasWidths(groups, 10) {
		return false
	}
	return len(digits) == 10 && digits[0] >= '2' && digits[3] >= '2'
}

// hasWidths reports groups of exactly these numbers of digits.
func hasWidths(groups []group, widths ...int) bool {
	if len(groups) != len(widths) {
		return false
	}
	for i, g := range groups {
		if g.end-g.start != widths[i] {
			return false
		}
	}
	return true
}

// isNationalForm accepts the ways to write a national number elsewhere, where plans differ too much to list: up to
// five groups, of two digits at least, with one sort of separator, that are no date.
func (s *scan) isNationalForm(start int, groups []group) bool {
	digits := s.digits(groups)
	least := 9
	if anyOf(s.wordsBefore(start, 3), phoneWords) {
		least = 7
	}
	if len(digits) < least || len(digits) > 12 || len(groups) > 5 {
		return false
	}
	dots, strokes := 0, 0
	for i, g := range groups {
		width := g.end - g.start
		if width < 2 || i > 0 && width > 8 {
			return false
		}
		if i > 0 {
			between := s.text[groups[i-1].end:g.start]
			dots += strings.Count(between, ".")
			strokes += strings.Count(between, "/")
		}
	}
	if dots > 0 && dots != len(groups)-1 || strokes > 1 {
		return false
	}
	return !isDate(groups)
}

// isDate reports the widths of a date: 2024-01-15, 15.01.2024, 15/01/24.
func isDate(groups []group) bool {
	return len(groups) >= 3 && (hasWidths(groups[:3], 4, 2, 2) || hasWidths(groups[:3], 2, 2, 4)) || hasWidths(groups, 2, 2, 2)
}

// national returns the E.164 form of a number of region's own plan, if it is written with the national prefix that
// the plan asks for.
func national(written string, region Region) (string, bool) {
	if isNorthAmerican(region) {
		digits := onlyDigits(written)
		return plannedNorthAmerican(digits[len(digits)-10:])
	}
	parsed, err := phonenumbers.ParseAndKeepRawInput(written, string(region))
	if err != nil || !phonenumbers.IsNationalPrefixPresentIfRequired(parsed) {
		return "", false
	}
	form := phonenumbers.Format(parsed, phonenumbers.E164)
	return form, isE164(form) && (phonenumbers.IsValidNumber(parsed) || isFiction(form))
}
