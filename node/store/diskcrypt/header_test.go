package diskcrypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// countingKey is the bytes 0, 1, 2, …
func countingKey() (key [32]byte) {
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

// testdata/v1/file was computed outside this package (Python's hmac and the cryptography module)
// from the description in header.go.
func TestFilesOfVersion1AreRead(t *testing.T) {
	f, err := New(vfs.Default, countingKey()).Open("testdata/v1/file")
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, f)
	var want bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&want, "line %04d of what was written\n", i)
	}
	got, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got %.60q…, want %.60q…", got, want.Bytes())
	}
	part := make([]byte, 29)
	if _, err := f.ReadAt(part, 777*30); err != nil {
		t.Fatal(err)
	}
	if got, want := string(part), "line 0777 of what was written"; got != want {
		t.Errorf("in the middle: got %q, want %q", got, want)
	}
}

func closing(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func v1Header(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/v1/file")
	if err != nil {
		t.Fatal(err)
	}
	return data[:headerSize]
}

func TestHeadersTellWhatIsWrong(t *testing.T) {
	good := v1Header(t)
	altered := func(i int) []byte {
		b := bytes.Clone(good)
		b[i] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		key    [32]byte
		header []byte
		want   error
	}{
		"good":                 {countingKey(), good, nil},
		"another key":          {[32]byte{1}, good, ErrWrongKey},
		"zero key":             {[32]byte{}, good, ErrWrongKey},
		"later version":        {countingKey(), altered(15), ErrNotEncrypted},
		"other file":           {countingKey(), bytes.Repeat([]byte("x"), headerSize), ErrNotEncrypted},
		"short other file":     {countingKey(), []byte("hello"), ErrNotEncrypted},
		"nonce altered":        {countingKey(), altered(20), ErrDamaged},
		"check altered":        {countingKey(), altered(40), ErrDamaged},
		"sum altered":          {countingKey(), altered(63), ErrDamaged},
		"empty file":           {countingKey(), nil, errTorn},
		"zeros":                {countingKey(), make([]byte, headerSize), errTorn},
		"few zeros":            {countingKey(), make([]byte, 7), errTorn},
		"cut in the magic":     {countingKey(), good[:5], errTorn},
		"cut after the magic":  {countingKey(), good[:16], errTorn},
		"cut before the end":   {countingKey(), good[:63], errTorn},
		"cut and another file": {countingKey(), altered(3)[:40], ErrNotEncrypted},
	} {
		if _, err := parseHeader(c.key, c.header); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	good := v1Header(f)
	f.Add(good)
	f.Add(good[:30])
	f.Add(make([]byte, headerSize))
	f.Add([]byte("interlock disk 2"))
	f.Fuzz(func(t *testing.T, h []byte) {
		h = h[:min(len(h), headerSize)]
		k, err := parseHeader(countingKey(), h)
		if err != nil {
			return
		}
		if got := k.header(nonce(h[16:32])); !bytes.Equal(got, h) {
			t.Errorf("header %x is written %x", h, got)
		}
	})
}
