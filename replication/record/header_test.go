package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAHeaderBeyondTheLimitsIsNeitherWrittenNorRead(t *testing.T) {
	var tree Tree
	large := make([]byte, MaxDirectory)
	first := fmt.Sprintf(`{"format":"interlock record","version":1,"genesis":"%064x","size":0,"root":"%064x","directories":`, 0, 0)
	for name, h := range map[string]Header{
		"no directory":       {Head: tree.Head()},
		"many directories":   {Head: tree.Head(), Directories: make([][]byte, MaxDirectories+1)},
		"large directory":    {Head: tree.Head(), Directories: [][]byte{make([]byte, MaxDirectory+1)}},
		"large altogether":   {Head: tree.Head(), Directories: [][]byte{large, large, large, large, {0}}},
		"size of the record": {Head: Head{Size: MaxSize + 1}, Directories: [][]byte{{1}}},
	} {
		if _, err := NewExporter(io.Discard, h); !errors.Is(err, ErrFormat) {
			t.Errorf("write, %s: got %v, want %v", name, err, ErrFormat)
		}
	}
	digits := strings.Repeat("00", MaxDirectory)
	for name, text := range map[string]string{
		"no directory":     first + "0}\n",
		"negative":         first + "-1}\n",
		"many directories": first + "257}\n",
		"large directory":  first + "1}\n" + `{"directory":0,"signed":"` + digits + "00\"}\n",
		"large entry": strings.Replace(first, `"size":0`, `"size":1`, 1) + "1}\n" + "{\"directory\":0,\"signed\":\"\"}\n" +
			`{"index":0,"entry":"` + strings.Repeat("00", MaxEntry+1) + "\"}\n",
		"endless line":       strings.Repeat(" ", 1<<20),
		"another version":    strings.Replace(first, `"version":1`, `"version":2`, 1) + "1}\n",
		"a receipt":          strings.Replace(first, "record", "record receipt", 1) + "1}\n",
		"unknown field":      first + "1,\"more\":1}\n",
		"size of the record": strings.Replace(first, `"size":0`, `"size":1099511627777`, 1) + "1}\n" + "{\"directory\":0,\"signed\":\"\"}\n",
	} {
		_, err := ReadExport(strings.NewReader(text), Audit{Authenticate: func(Header) error { return nil }})
		if !errors.Is(err, ErrFormat) {
			t.Errorf("read, %s: got %v, want %v", name, err, ErrFormat)
		}
	}
}

func TestTooManyDirectoriesAreRefusedBeforeTheyAreRead(t *testing.T) {
	line := fmt.Sprintf(`{"format":"interlock record","version":1,"genesis":"%064x","size":0,"root":"%064x","directories":257}`, 0, 0)
	more := iotest.ErrReader(errors.New("read on"))
	_, err := ReadExport(io.MultiReader(strings.NewReader(line+"\n"), more), Audit{Authenticate: func(Header) error { return nil }})
	if !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want %v", err, ErrFormat)
	}
}

// TestLinesEndWithinTheirLimit: the buffer below the reader has another size
// than the lines.
func TestLinesEndWithinTheirLimit(t *testing.T) {
	for _, limit := range []int{15, 16, 17, 100} {
		l := &lineReader{r: bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", limit)+"\n"+strings.Repeat("y", limit+1)+"\n"), 16)}
		if got, err := l.read(limit); err != nil || len(got) != limit {
			t.Errorf("limit %d: got %q, %v", limit, got, err)
		}
		if got, err := l.read(limit); !errors.Is(err, ErrFormat) {
			t.Errorf("limit %d: got %q, %v, want %v", limit, got, err, ErrFormat)
		}
	}
}

// TestTheFirstFormatIsReadForever: the files of version 1 stay.
func TestTheFirstFormatIsReadForever(t *testing.T) {
	c := newCentre()
	tree := ctTree(t)
	h := c.sign(tree.Head())
	text, err := os.ReadFile(filepath.Join("testdata", "v1", "export.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadExport(bytes.NewReader(text), Audit{Authenticate: c.authenticate}); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(export(t, tree, h), text) {
		t.Errorf("the export is now\n%s", export(t, tree, h))
	}
	text, err = os.ReadFile(filepath.Join("testdata", "v1", "receipt.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := ReadReceipt(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(c.authenticate); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(receipt(t, tree, h, 5), text) {
		t.Errorf("the receipt is now\n%s", receipt(t, tree, h, 5))
	}
}
