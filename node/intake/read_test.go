package intake

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

// lines writes a report as "line kind value", and its problems as "line ! sentence".
func lines(r Report) []string {
	var list []string
	for _, item := range r.Items {
		list = append(list, fmt.Sprintf("%d %s %s", item.Line, item.Identifier.Kind(), item.Identifier.Value()))
	}
	for _, p := range r.Problems {
		list = append(list, fmt.Sprintf("%d ! %s", p.Line, p.Sentence))
	}
	return list
}

func read(t *testing.T, name, text string, region identifier.Region) Report {
	t.Helper()
	report, err := Read(name, strings.NewReader(text), region)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return report
}

// The files in testdata are as officers hand them in; what is in NAME, checked line by line, is in NAME.want.
func TestFilesAreReadAsAPersonReadsThem(t *testing.T) {
	wants, err := filepath.Glob("testdata/*.want")
	if err != nil || len(wants) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range wants {
		name := strings.TrimSuffix(path, ".want")
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			region := identifier.Region("US")
			if strings.Contains(name, ".DE.") || strings.HasSuffix(name, "plain.eml") {
				region = "DE"
			}
			report := read(t, filepath.Base(name), string(data), region)
			got := append([]string{report.Format}, lines(report)...)
			if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); diff != "" {
				t.Errorf("(-there +read):\n%s", diff)
			}
			if report.Source.SHA256 != sha256.Sum256(data) || report.Source.Size != int64(len(data)) {
				t.Error("the source is not that of the original bytes")
			}
		})
	}
}

func TestTextIsReadInAnyCommonEncoding(t *testing.T) {
	want := []string{"2 email jörg@example.org", "2 phone +14165550142"}
	for name, data := range map[string]string{
		"UTF-8":             "x\njörg@example.org 416-555-0142",
		"UTF-8 with a mark": "\xef\xbb\xbfx\njörg@example.org 416-555-0142",
		"Windows-1252":      "x\r\nj\xf6rg@example.org 416\x96555\x960142",
		"UTF-16":            "\xff\xfe" + wide("x\njörg@example.org 416-555-0142", 0),
		"UTF-16 big-endian": "\xfe\xff" + wide("x\njörg@example.org 416-555-0142", 1),
	} {
		if diff := cmp.Diff(want, lines(read(t, "a.txt", data, "US"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// wide writes Latin-1 text as UTF-16; the byte that holds the character comes at the given place of two.
func wide(text string, at int) string {
	var out strings.Builder
	for _, r := range text {
		pair := [2]byte{}
		pair[at] = byte(r)
		out.Write(pair[:])
	}
	return out.String()
}

func TestWhatIsNoTextIsRefusedWithASentence(t *testing.T) {
	for what, data := range map[string]string{
		"a picture": "\xff\xd8\xff\xe0", "a PDF document": "%PDF-1.7 text", "a ZIP archive or an Office document": "PK\x03\x04",
		"a binary file": "text\x00text",
	} {
		report, err := Read("x.txt", strings.NewReader(data), "US")
		var sentence *casefile.Sentence
		if !errors.As(err, &sentence) || !strings.Contains(sentence.Text, "x.txt is "+what) || sentence.Hint == "" {
			t.Errorf("%q: got %v", data, err)
		}
		if report.Source.SHA256 != sha256.Sum256([]byte(data)) {
			t.Errorf("%q: the source is not told", data)
		}
	}
}

// endless is a file without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestATooLargeFileIsRefusedWithASentence(t *testing.T) {
	_, err := Read("big.txt", endless{}, "US")
	var sentence *casefile.Sentence
	if !errors.As(err, &sentence) || !strings.Contains(sentence.Text, "64 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestAReaderThatFailsIsNoFault(t *testing.T) {
	fault := errors.New("disk on fire")
	if _, err := Read("x.txt", iotest.ErrReader(fault), "US"); !errors.Is(err, fault) {
		t.Errorf("got %v, want %v", err, fault)
	}
}

func TestTheContentDecidesBeforeTheName(t *testing.T) {
	mail := "Received: from x\nFrom: a@example.org\nTo: b@example.org\n\nx\n"
	for _, c := range []struct{ name, text, want string }{
		{"mail.txt", mail, FormatMail},
		{"mail.csv", mail, FormatMail},
		{"a.eml", "From: a@example.org\n\nx", FormatMail},
		{"a.eml", "nothing of a mail", FormatText},
		{"note.txt", "From: Det. X\nTo: Sgt. Y\nDate: today\nSubject: case\n\nx", FormatText},
		{"list.txt", "phone,name\n416-555-0142,Jo\n416-555-0143,Al\n", FormatCSV},
		{"list.csv", "416-555-0142\n", FormatCSV},
		{"note.txt", "On Monday, he left.\nOn Tuesday, he came.\n", FormatText},
		{"LIST.TSV", "a\tb\n", FormatCSV},
	} {
		if got := read(t, c.name, c.text, "US").Format; got != c.want {
			t.Errorf("%s %q: got %s, want %s", c.name, c.text, got, c.want)
		}
	}
}

func TestDistinctKeepsTheFirstOfEach(t *testing.T) {
	report := Text("pasted", "416-555-0142\na@example.org\n+1 416 555 0142", "US")
	if got := len(report.Items); got != 3 {
		t.Errorf("got %d items, want 3", got)
	}
	distinct := report.Distinct()
	if len(distinct) != 2 || distinct[0].Line != 1 || distinct[1].Line != 2 {
		t.Errorf("got %v", distinct)
	}
}

func TestAnEmptyFileIsSaidToBeEmpty(t *testing.T) {
	for _, name := range []string{"a.txt", "a.csv", "a.eml"} {
		if diff := cmp.Diff([]string{"0 ! The file is empty."}, lines(read(t, name, " \n", "US"))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestProblemsAreToldOnlySoOften(t *testing.T) {
	report := read(t, "a.csv", "phone,name\n"+strings.Repeat("bad,x\n", 3*maxProblems), "US")
	if got, want := len(report.Problems), maxProblems+1; got != want {
		t.Errorf("got %d problems, want %d", got, want)
	}
}
