package identifier

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
)

// found lists what Extract finds, as "line kind value raw".
func found(text string, region Region) []string {
	var list []string
	for _, f := range Extract(text, region) {
		list = append(list, fmt.Sprintf("%d %s %s %s", f.Line, f.Identifier.Kind(), f.Identifier.Value(), f.Raw))
	}
	return list
}

func TestOneTextHoldsWhatIsThereAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"a plain number only in its region", "020 7946 0958 and +44 20 7946 0958", []string{"1 phone +442079460958 +44 20 7946 0958"}},
		{"the address of a profile is a page and an account", "https://t.me/foobar", []string{"1 url https://t.me/foobar https://t.me/foobar", "1 account telegram:foobar https://t.me/foobar"}},
		{"a page on an address is both", "see http://8.8.8.8:81/x.", []string{"1 url http://8.8.8.8:81/x http://8.8.8.8:81/x", "1 ip 8.8.8.8 8.8.8.8"}},
		{"a mailbox is no domain, nor is a page's host", "jo@example.org https://example.com/", []string{"1 email jo@example.org jo@example.org", "1 url https://example.com/ https://example.com/"}},
		{"lines end in three ways", "\r\na@example.org\rb@example.org\nc@example.org", []string{"2 email a@example.org a@example.org", "3 email b@example.org b@example.org", "4 email c@example.org c@example.org"}},
		{"what is written is kept", "x hxxp://bad[.]example[.]org\u200b/a y", []string{"1 url http://bad.example.org/a hxxp://bad[.]example[.]org\u200b/a"}},
		{"message identifiers are no mailboxes", "Message-ID: <a@example.org>\nReferences: <b@example.org>\n <c@example.org>\nTo: d@example.org", []string{"4 email d@example.org d@example.org"}},
		{"a hash in a longer run is none", "x9e107d9d372bb6826bd81d3542a419d6 9e107d9d372bb6826bd81d3542a419d60", nil},
		{"an address with a wrong check digit is no wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", nil},
		{"@name alone names no account", "ask @somebody about it", nil},
		{"nothing", "", nil},
	} {
		if diff := cmp.Diff(c.want, found(c.text, "US")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestRawReadsAsWhatWasFound(t *testing.T) {
	for _, s := range corpus(t) {
		lines := strings.Split(s.text, "\n")
		for _, f := range Extract(s.text, s.region) {
			if !strings.Contains(lines[f.Line-1], f.Raw) {
				t.Errorf("%s: %q is not in line %d", s.name, f.Raw, f.Line)
			}
			again, err := Parse(f.Identifier.Kind(), f.Raw, s.region)
			// Inside JSON a backslash escapes; alone it does not.
			if (err != nil || again != f.Identifier) && !strings.Contains(f.Raw, `\`) {
				t.Errorf("%s: %v %q reads as %q, %v; want %q", s.name, f.Identifier.Kind(), f.Raw, again.Value(), err, f.Identifier.Value())
			}
		}
	}
}

func TestALongLineIsReadInPieces(t *testing.T) {
	word := "jo@example.org and "
	n := 4*maxPiece/len(word) + 1
	got := Extract(strings.Repeat(word, n), "US")
	if len(got) != n {
		t.Errorf("got %d of %d", len(got), n)
	}
	for _, f := range got {
		if f.Line != 1 || f.Raw != "jo@example.org" {
			t.Fatalf("got line %d, %q", f.Line, f.Raw)
		}
	}
}

func TestExtractStopsAtItsLimit(t *testing.T) {
	text := strings.Repeat("a@b.co c@d.co e@f.co\n", 10)
	if got, want := len(extract(text, "US", 7)), 7; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	if got, want := len(Extract(text, "US")), 30; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

// The package has a short way for North American numbers, which must agree with the library's parser.
func TestNumbersReadAsTheLibraryReadsThem(t *testing.T) {
	checked := 0
	for region := range phonenumbers.GetSupportedRegions() {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.TOLL_FREE, phonenumbers.VOIP} {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			forms := []string{phonenumbers.Format(example, phonenumbers.E164), phonenumbers.Format(example, phonenumbers.INTERNATIONAL), phonenumbers.Format(example, phonenumbers.NATIONAL)}
			for _, form := range forms {
				parsed, err := phonenumbers.Parse(form, region)
				if err != nil || !phonenumbers.IsValidNumber(parsed) {
					continue // not every form of the library's own is one that it reads
				}
				want := phonenumbers.Format(parsed, phonenumbers.E164)
				id, err := Parse(Phone, form, Region(region))
				if err != nil || id.Value() != want {
					t.Errorf("%s in %s: got %q, %v; want %q", form, region, id.Value(), err, want)
				}
				checked++
			}
		}
	}
	for _, wrong := range []string{"+1 116 555 0142", "+1 416 155 0142", "+1 555 555 5555", "+1 999 555 0142"} {
		if id, err := Parse(Phone, wrong, "US"); err == nil {
			t.Errorf("%s: got %q", wrong, id.Value())
		}
	}
	if checked < 1000 {
		t.Errorf("only %d numbers were checked", checked)
	}
}
