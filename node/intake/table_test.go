package intake

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAHeadingGuidesItsColumn(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"a number that text would not give", "Case,Mobile No.\n1,14165550142\n2,447911123456\n", []string{"2 phone +14165550142", "3 phone +447911123456"}},
		{"a number under another heading is none", "phone,case number,serial\n416-555-0142,4165550143,4165550144\n", []string{"2 phone +14165550142"}},
		{"handles beside their platform", "Platform,Username\nKik,jo_99\nInsta,@J.Doe\nWhatsApp,416-555-0142\nFacebook,100004567890123\n", []string{"2 account kik:jo_99", "3 account instagram:j.doe", "4 phone +14165550142", "5 account facebook:100004567890123"}},
		{"platforms as headings", "Snapchat,Kik Username,Discord ID,Instagram URL\njo99,jo_99,123456789012345678,https://instagram.com/jo.doe\n", []string{"2 account snapchat:jo99", "2 account kik:jo_99", "2 account discord:123456789012345678", "2 url https://instagram.com/jo.doe", "2 account instagram:jo.doe"}},
		{"handles without a platform", "name,username\nJo,jo_99\nAl,https://t.me/albert\nBo,bo@example.org\n", []string{"3 url https://t.me/albert", "3 account telegram:albert", "4 email bo@example.org", "1 ! The handles of 1 records were not taken, as no column names their platform. Add a column named \"platform\"."}},
		{"hashes of any kind", "file,hash\na.jpg,9E107D9D372BB6826BD81D3542A419D6\nb.jpg,2fd4e1c67a2d28fced849ee1bb76e7391b93eb12\nc.jpg,d41d8cd98f00b204e9800998ecf8427e\n", []string{"2 md5 9e107d9d372bb6826bd81d3542a419d6", "3 sha1 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"}},
		{"several in one cell", "email\n\"a@example.org; b@example.org\"\n\"c@example.org or\nd@example.org\"\n", []string{"2 email a@example.org", "2 email b@example.org", "3 email c@example.org", "4 email d@example.org"}},
		{"what spreadsheets do", "sep=;\r\nphone;email\r\n=\"4165550142\";n/a\r\n'4165550143;-\r\n4.16556E+09;\r\n", []string{"3 phone +14165550142", "4 phone +14165550143", "5 ! In the column \"phone\": The spreadsheet has shortened this number; export the column as text."}},
		{"domains, pages, wallets and addresses", "domain name,link,btc address,ip\nexample.py,example.org,1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa,8.8.8.8\nx,,,10.0.0.1\n", []string{"2 domain example.py", "2 domain example.org", "2 wallet 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "2 ip 8.8.8.8", "3 ! In the column \"domain name\": This is not a complete internet domain name, such as example.org."}},
		{"no heading", "416-555-0142,Jo\n416-555-0143,Al\n", []string{"1 phone +14165550142", "2 phone +14165550143"}},
		{"bars and blank lines", "phone | name\n\n416-555-0142 | Jo\n\n", []string{"3 phone +14165550142"}},
	} {
		if diff := cmp.Diff(c.want, lines(read(t, "a.csv", c.text, "US"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestABrokenRecordCostsOnlyItself(t *testing.T) {
	text := "phone,name\n416-555-0142,Jo\n\"416-555-0143,Al\n416-555-0144,Bo\n\"x\"y,416-555-0145\n416-555-0146,Cy,extra\n416-555-0147\nnonsense,Di\n416-555-0148,Ed\n"
	want := []string{
		"2 phone +14165550142", "3 phone +14165550143", "4 phone +14165550144", "5 phone +14165550145", "6 phone +14165550146",
		"7 phone +14165550147", "9 phone +14165550148",
		"3 ! This record is broken: a quotation mark is opened and not closed. It was read as plain text.",
		"5 ! This record is broken: text follows a closing quotation mark where the next column was expected. It was read as plain text.",
		"6 ! This record has 3 columns and the heading only 2; it was read as plain text.",
		"7 ! This record has 1 of the heading's 2 columns; the others were taken as empty.",
		"8 ! In the column \"phone\": This is not a complete telephone number; write it with its country code, such as +1 416 555 0142.",
	}
	if diff := cmp.Diff(want, lines(read(t, "a.csv", text, "US"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzRecordsReadsWhatTheStandardLibraryReads also checks that every byte of a table belongs to a record or a blank.
func FuzzRecordsReadsWhatTheStandardLibraryReads(f *testing.F) {
	for _, seed := range []string{"a,b\n1,\"x\"\"y\"\n", "\"a\nb\",c\r\nd,e", "a,\"b", "\"a\"b,c\nd", "\n\n,,\n", "a;b\tc|d", "\"\"\"\"", "a\r\"b\"", " \"x\" ,y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows := records{text: text, delimiter: ',', line: 1}
		var got [][]string
		broken := false
		line := 0
		for {
			row, ok := rows.next()
			if !ok {
				break
			}
			if row.line <= line || len(row.cells) == 0 {
				t.Fatalf("line %d after %d with %d cells", row.line, line, len(row.cells))
			}
			line = row.line
			broken = broken || row.fault != ""
			var cells []string
			for _, c := range row.cells {
				cells = append(cells, strings.TrimSpace(c.text))
			}
			got = append(got, cells)
		}
		if last := 1 + countLines([]byte(text)); line > last {
			t.Errorf("line %d of %d", line, last)
		}
		// The library has no answer to lone carriage returns, and takes blanks for the text of a cell.
		if broken || strings.ContainsAny(text, "\r ") || strings.Contains(text, "\t") {
			return
		}
		library := csv.NewReader(strings.NewReader(text))
		library.FieldsPerRecord = -1
		want, err := library.ReadAll()
		if err != nil {
			return
		}
		for i := range want {
			for k := range want[i] {
				want[i][k] = strings.TrimSpace(want[i][k])
			}
		}
		blank := func(cells []string) bool { return len(cells) == 1 && cells[0] == "" }
		got, want = slices.DeleteFunc(got, blank), slices.DeleteFunc(want, blank)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-library +got):\n%s", diff)
		}
	})
}

func FuzzReadFindsOnlyLinesOfTheFile(f *testing.F) {
	f.Add("a.csv", "phone,name\n416-555-0142,Jo\n\"a\nb\",\"")
	f.Add("a.eml", "From: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nkik: jo_99\n--b\nContent-Type: text/html\n\n<a href=mailto:b@example.org>x</a>\n--b--")
	f.Add("a.eml", "From: a@example.org\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nam9AZXhhbXBsZS5vcmc=\n")
	f.Add("a.eml", "From: a@example.org\nContent-Type: message/rfc822\n\nFrom: b@example.org\n\n8.8.8.8\n")
	f.Add("a.txt", "\xff\xfea\x00@\x00")
	f.Fuzz(func(t *testing.T, name, text string) {
		report, err := Read(name, strings.NewReader(text), "US")
		if err != nil {
			return
		}
		last := 1 + strings.Count(text, "\n") + strings.Count(text, "\r")
		for _, item := range report.Items {
			if item.Line < 1 || item.Line > last {
				t.Errorf("%v on line %d of %d", item.Identifier, item.Line, last)
			}
			if item.Identifier.Value() == "" {
				t.Error("an item without an identifier")
			}
		}
		for _, p := range report.Problems {
			if p.Line < 0 || p.Line > last || p.Sentence == "" {
				t.Errorf("problem %q on line %d of %d", p.Sentence, p.Line, last)
			}
		}
	})
}
