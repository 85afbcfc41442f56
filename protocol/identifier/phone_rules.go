package identifier

import "strings"

// phoneWords say that a number is for a telephone.
var phoneWords = set(`phone phones telephone telephones tel cell cellphone mobile mob ph call called calls caller calling text texted
	texts texting sms mms whatsapp viber signal fax contact dial dialed dialled ring msisdn imessage facetime handset line landline
	number subscriber handy telefon telefono teléfono tél téléphone móvil movil celular cel fone telefone rufnummer mobil portable
	電話 携帯 电话 手机 hotline reach burner voicemail wa`)

// otherNumbers are the words right before a number that counts or names something else.
var otherNumbers = set(`case cases file incident ticket order invoice serial sn ref reference uid userid iban routing policy badge
	tracking isbn issn imei imsi iccid meid esn card visa mastercard ssn sin passport licence license plate vin sku part model upc ean
	barcode warrant docket exhibit receipt claim nhs npi ein vat abn tin dea document cybertip cybertipline booking inmate
	complaint matter evidence lot batch crime cad urn
	konto kontonummer steuernummer aktenzeichen compte siret siren cuenta conta aadhaar pan cpf cnpj tfn medicare`)

// countedNumbers are such words before digits without any separator, which need less to be something else.
var countedNumbers = set(`id ids account acct size bytes byte length offset timestamp epoch time unix date dob born pid tid port seq
	sequence session transaction txn customer member student patient zip postal coordinates lat long latitude longitude checksum crc
	version build hash key code pin population total amount count price usd balance block height records rows status http error ms
	px user users message msgid channel guild server chat version duration quantity qty score value snowflake no report tip event item statement po`)

// number decides whether groups, written from text[start:], are a telephone number, and returns its E.164 form.
func (s *scan) number(start int, groups []group, international bool) (string, bool) {
	end := groups[len(groups)-1].end
	written := s.text[start:end]
	if !balanced(written) {
		return "", false
	}
	if international && s.text[groups[0].start] == '1' && !s.isNorthAmericanForm(start, groups) {
		return "", false // +18.317378921 is a number of another sort
	}
	if international || s.hasDialledPrefix(groups) {
		return s.remembered(written, dialable)
	}
	if s.region == "" || s.namesSomethingElse(start, groups) {
		return "", false
	}
	if isNorthAmerican(s.region) {
		if !s.isNorthAmericanForm(start, groups) {
			return "", false
		}
	} else if !s.isNationalForm(start, groups) {
		return "", false
	}
	return s.remembered(written, national)
}

// maxRemembered is how many written numbers are remembered at a time.
const maxRemembered = 4096

// remembered asks plan about a written number, once for each writing: the library is slow, and logs and chats hold the
// same few numbers many times. A writing is always asked of the same plan.
func (s *scan) remembered(written string, plan func(string, Region) (string, bool)) (string, bool) {
	form, known := s.numbers[written]
	if !known {
		if s.numbers == nil || len(s.numbers) == maxRemembered {
			s.numbers = make(map[string]string)
		}
		if planned, ok := plan(written, s.region); ok {
			form = planned
		}
		s.numbers[written] = form
	}
	return form, form != ""
}

// balanced reports text with as many brackets closed as opened.
func balanced(written string) bool {
	return strings.Count(written, "(") == strings.Count(written, ")")
}

// hasDialledPrefix reports 00 or 011 before a country code.
func (s *scan) hasDialledPrefix(groups []group) bool {
	digits := s.digits(groups)
	return len(digits) >= 11 && (strings.HasPrefix(digits, "00") || strings.HasPrefix(digits, "011") && isNorthAmerican(s.region)) && !s.followsOtherWord(groups[0].start)
}

// digits returns the digits of groups, one after the other.
func (s *scan) digits(groups []group) string {
	var digits strings.Builder
	for _, g := range groups {
		digits.WriteString(s.text[g.start:g.end])
	}
	return digits.String()
}

// namesSomethingElse reports a number whose place says that it is none of a telephone.
func (s *scan) namesSomethingElse(start int, groups []group) bool {
	if s.followsOtherWord(start) {
		return true
	}
	if len(groups) > 1 {
		return s.at(start-2) == '"' && s.at(start-1) == ' ' && !strings.ContainsAny(s.text[start:groups[1].start], "-.()")
	}
	// Digits without separators are only a telephone number where text speaks: not as a value in a program's output,
	// unless its name says so.
	words := s.wordsBefore(start, 4)
	if anyOf(words, phoneWords) {
		return false
	}
	if len(words) > 0 && countedNumbers[words[0]] {
		return true
	}
	before, after := s.at(start-1), s.at(groups[0].end)
	if s.isAmongNumbers(start, groups[0].end) {
		return true
	}
	machine := strings.IndexByte("=\"[/{(", before) >= 0 || strings.IndexByte("=\"]}/", after) >= 0
	return machine || after == '.' && isAlnum(s.at(groups[0].end+1)) || s.isCounted(groups[0].end)
}

// columnMarks are what stands between the numbers of a table, a measurement or a program's output.
const columnMarks = " \t|->[]:;"

// isAmongNumbers reports a number with another, which is none of a telephone, beside it.
func (s *scan) isAmongNumbers(start, end int) bool {
	before, after := start-1, end
	for strings.IndexByte(columnMarks, s.at(before)) >= 0 {
		before--
	}
	for strings.IndexByte(columnMarks, s.at(after)) >= 0 {
		after++
	}
	beside := isDigit(s.at(before)) && !s.taken[before] && before < start-1 || isDigit(s.at(after)) && after > end
	return beside || s.at(start-1) == ',' && s.isOtherColumn(start-2, -1) || s.at(end) == ',' && s.isOtherColumn(end+1, 1)
}

// isOtherColumn reports digits from text[i] on, in the direction of step, that are too few for a telephone number: with
// a comma and no blank between they are another column.
func (s *scan) isOtherColumn(i, step int) bool {
	n := 0
	for ; isDigit(s.at(i)) && !s.taken[i]; i += step {
		n++
	}
	return n > 0 && (n < 10 || s.at(i) == '.')
}

// isCounted reports a unit behind a number.
func (s *scan) isCounted(end int) bool {
	word, _ := s.wordAfter(end)
	return countedNumbers[word] || word == "bytes" || word == "kb" || word == "views" || word == "hits"
}

// followsOtherWord reports the word for another sort of number right before text[start:], past "number", "no." and the
// like.
func (s *scan) followsOtherWord(start int) bool {
	for _, word := range s.wordsBefore(start, 3) {
		if otherNumbers[word] {
			return true
		}
		if !numberWords[word] {
			return false
		}
	}
	return false
}

// numberWords may stand between a word of otherNumbers and the number.
var numberWords = set(`number numbers no num nr is was id code`)
