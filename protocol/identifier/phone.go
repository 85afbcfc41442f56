package identifier

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// RefusedPhone is the answer to what nobody can dial.
const RefusedPhone Refusal = "This is not a complete telephone number; write it with its country code, such as +1 416 555 0142."

// phonePrefixes are what links, exports and messengers write in front of a number.
var phonePrefixes = []string{
	"tel:", "sms:", "smsto:", "mms:", "callto:", "https://", "http://", "wa.me/", "api.whatsapp.com/send?phone=",
	"api.whatsapp.com/send/?phone=",
}

// phoneSuffixes are what exports write behind a number.
var phoneSuffixes = []string{"@s.whatsapp.net", "@c.us"}

// canonicalPhone writes a number as ITU-T E.164 does, by the numbering plans of libphonenumber. An extension is not
// part of it. A field that is known to hold a number may leave out the plus of an international number.
func canonicalPhone(text string, region Region) (string, error) {
	number, full := bareNumber(text)
	if number == "" {
		return "", RefusedPhone
	}
	if !full {
		if form, ok := dialable(number, region); ok {
			return form, nil
		}
	}
	digits := strings.TrimLeft(onlyDigits(number), "0")
	if !full && (strings.HasPrefix(number, "+") || len(digits) < minInternational) {
		return "", RefusedPhone
	}
	if form, ok := dialable("+"+digits, region); ok {
		return form, nil
	}
	return "", RefusedPhone
}

// minInternational is the fewest digits, country code included, for which a number without a plus is tried as an
// international one. Shorter ones are too likely to be a mistyped national number.
const minInternational = 11

// bareNumber takes prefixes, suffixes and an extension from a number; "" where something else than a number is left.
// full tells that the number must hold its country code, as those in links of messengers do.
func bareNumber(text string) (number string, full bool) {
	for _, prefix := range phonePrefixes {
		if len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
			text = text[len(prefix):]
			full = strings.Contains(prefix, "/")
		}
	}
	for _, suffix := range phoneSuffixes {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			text, full = rest, true
		}
	}
	end := 0
	for end < len(text) && (isDigit(text[end]) || strings.IndexByte("+-./() ", text[end]) >= 0) {
		end++
	}
	if !isExtension(text[end:]) {
		return "", false
	}
	return strings.TrimLeft(text[:end], " -./"), full
}

// isExtension accepts nothing, ";ext=12", "x12", "ext. 12", "#12", and the parameters of a link.
func isExtension(tail string) bool {
	if tail == "" || tail[0] == ';' || tail[0] == '?' || tail[0] == '&' {
		return true
	}
	word := strings.TrimRight(strings.ToLower(tail), "0123456789")
	switch strings.Trim(word, " .:,") {
	case "x", "ext", "extn", "extension", "#":
		return len(word) < len(tail) && len(tail)-len(word) <= 7
	}
	return false
}

// dialable returns the E.164 form of a number that the numbering plans know. 00, which most countries dial for
// international calls, is read as a plus wherever the region's own plan gives it no other meaning.
func dialable(number string, region Region) (string, bool) {
	number = strings.Replace(number, "(+", "+(", 1)
	if form, ok := planned(number, region); ok {
		return form, true
	}
	compact := strings.TrimLeft(number, "( ")
	if rest, ok := strings.CutPrefix(compact, "00"); ok {
		return planned("+"+rest, region)
	}
	return "", false
}

func planned(number string, region Region) (string, bool) {
	if digits, ok := northAmerican(number); ok {
		return plannedNorthAmerican(digits)
	}
	parsed, err := phonenumbers.Parse(number, string(region))
	if err != nil {
		return "", false
	}
	form := phonenumbers.Format(parsed, phonenumbers.E164)
	return form, isE164(form) && (phonenumbers.IsValidNumber(parsed) || isFiction(form))
}

// northAmerican returns the ten digits of a number of the North American plan that is written with a plus.
func northAmerican(number string) (digits string, ok bool) {
	if !strings.HasPrefix(number, "+1") && !strings.HasPrefix(number, "+ 1") {
		return "", false
	}
	digits = onlyDigits(number)[1:]
	return digits, len(digits) == 10 && digits[0] >= '2'
}

// onlyDigits returns the ASCII digits in s.
func onlyDigits(s string) string {
	digits := make([]byte, 0, 16)
	for i := range len(s) {
		if isDigit(s[i]) {
			digits = append(digits, s[i])
		}
	}
	return string(digits)
}

// plannedNorthAmerican checks a number of which the plan's form is known. It spares the library's parser, which costs
// several times the check and which most numbers in North American files would go through.
func plannedNorthAmerican(digits string) (string, bool) {
	national, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return "", false
	}
	country := int32(1)
	number := &phonenumbers.PhoneNumber{CountryCode: &country, NationalNumber: &national}
	valid := phonenumbers.IsValidNumberForRegion(number, "US") || phonenumbers.IsValidNumberForRegion(number, "CA") || phonenumbers.IsValidNumber(number)
	return "+1" + digits, valid
}

// fictions are blocks that regulators keep for drama and training and that libphonenumber knows no subscribers in,
// with an x for each free digit: Ofcom's two, ARCEP's. It counts the others, such as +1 416 555 0142, as valid.
var fictions = []string{"+447700900xxx", "+441632960xxx", "+3363998xxxx"}

func isFiction(e164 string) bool {
	for _, block := range fictions {
		if len(e164) == len(block) && strings.HasPrefix(e164, strings.TrimRight(block, "x")) {
			return true
		}
	}
	return false
}

// isE164 accepts a plus and 7 to 15 digits, the first not 0: the form alone, whoever the number was given to.
func isE164(s string) bool {
	return len(s) >= 8 && len(s) <= 16 && s[0] == '+' && s[1] != '0' && allOf(s[1:], isDigit)
}
