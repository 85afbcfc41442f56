package vault

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

func newKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := GenerateKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func encoded(t testing.TB, k *Keys) []byte {
	t.Helper()
	text, err := k.encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSavedKeysComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.keys")
	want := newKeys(t)
	if err := want.Save(path, cheap("p")); err != nil {
		t.Fatal(err)
	}
	got, err := LoadKeys(path, cheap("p"))
	if err != nil {
		t.Fatal(err)
	}
	if !got.Signing.Equal(want.Signing) || got.Disk != want.Disk || got.Age.Reveal() != want.Age.Reveal() {
		t.Error("the keys came back altered")
	}
	if !got.Public().Equal(want.Signing.Public()) {
		t.Error("the public key is another one")
	}
	if _, err := LoadKeys(path, cheap("q")); !errors.Is(err, ErrWrongKey) {
		t.Errorf("wrong passphrase: got %v, want ErrWrongKey", err)
	}
	if err := want.Save(path, cheap("p")); err == nil {
		t.Error("saved keys were replaced")
	}
}

func TestAFileThatHoldsNoKeysIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "share")
	if err := WriteSealed(path, cheap("p"), []byte("a share")); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(path, cheap("p")); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want ErrMalformed with the path", err)
	}
}

func TestKeysAreMadeFromTheGivenSource(t *testing.T) {
	k, err := GenerateKeys(bytes.NewReader(append(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)...)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := k.Signing, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)); !got.Equal(want) {
		t.Error("the signing key does not come from the source")
	}
	if got, want := k.Disk[:], bytes.Repeat([]byte{2}, 32); !bytes.Equal(got, want) {
		t.Error("the disk key does not come from the source")
	}
	for _, n := range []int{0, 31, 32, 63} {
		if _, err := GenerateKeys(bytes.NewReader(make([]byte, n))); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a source of %d bytes: got %v, want the end of it", n, err)
		}
	}
	a, b := newKeys(t), newKeys(t)
	if a.Signing.Equal(b.Signing) || a.Disk == b.Disk || a.Age.Recipient() == b.Age.Recipient() {
		t.Error("two sets of keys share one")
	}
}

func TestAKeysRecordIsAnAgeIdentityFile(t *testing.T) {
	k := newKeys(t)
	ids, err := age.ParseIdentities(bytes.NewReader(encoded(t, k)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(sealTo(t, k.Age.Recipient(), []byte("packet"))), ids...)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "packet" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDestroyedKeysAreZeroAndCannotBeSaved(t *testing.T) {
	k := newKeys(t)
	k.Destroy()
	if !bytes.Equal(k.Signing, make([]byte, ed25519.PrivateKeySize)) || k.Disk != [32]byte{} {
		t.Error("key bytes are left")
	}
	path := filepath.Join(t.TempDir(), "keys")
	if err := k.Save(path, cheap("p")); !errors.Is(err, ErrDestroyed) {
		t.Errorf("got %v, want ErrDestroyed", err)
	}
}

func TestOnlyTheCanonicalRecordIsRead(t *testing.T) {
	good := string(encoded(t, newKeys(t)))
	if _, err := decodeKeys([]byte(good)); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(good, "\n")
	for name, bad := range map[string]string{
		"empty":             "",
		"later version":     strings.Replace(good, "v1", "v2", 1),
		"upper case":        lines[0] + "# signing " + strings.Repeat("AB", 32) + "\n" + lines[2] + lines[3],
		"not hexadecimal":   lines[0] + "# signing " + strings.Repeat("zz", 32) + "\n" + lines[2] + lines[3],
		"short key":         lines[0] + "# signing abab\n" + lines[2] + lines[3],
		"long key":          lines[0] + "# signing " + strings.Repeat("ab", 33) + "\n" + lines[2] + lines[3],
		"other order":       lines[0] + lines[2] + lines[1] + lines[3],
		"carriage returns":  strings.ReplaceAll(good, "\n", "\r\n"),
		"no last line feed": strings.TrimSuffix(good, "\n"),
		"more after":        good + "\n",
		"without identity":  lines[0] + lines[1] + lines[2],
		"without disk key":  lines[0] + lines[1] + lines[3],
	} {
		if _, err := decodeKeys([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

func FuzzDecodeKeys(f *testing.F) {
	good := encoded(f, newKeys(f))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(bytes.ToUpper(good))
	f.Add([]byte(keysHeader))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := decodeKeys(text)
		if err != nil {
			return
		}
		if got := encoded(t, k); !bytes.Equal(got, text) {
			t.Errorf("record %q is written %q", text, got)
		}
	})
}
