package vault

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// cheap is a passphrase at the least work that scrypt allows.
func cheap(p string) Lock { return Lock{passphrase: p, work: 1} }

func newKeyFile(t testing.TB) (Lock, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node.key")
	l, err := NewKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return l, path
}

func mustWrite(t testing.TB, path string, data []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestAPassphraseOrAKeyFileOpensASealedFile(t *testing.T) {
	made, path := newKeyFile(t)
	read, err := KeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	another, _ := newKeyFile(t)
	for name, c := range map[string]struct{ seal, open, wrong Lock }{
		"passphrase":    {cheap("correct horse"), cheap("correct horse"), cheap("correct hors")},
		"key file":      {made, read, another},
		"key file read": {read, made, cheap("correct horse")},
		"mixed up":      {cheap("correct horse"), cheap("correct horse"), made},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sealed")
			want := []byte("what is secret")
			if err := WriteSealed(path, c.seal, want); err != nil {
				t.Fatal(err)
			}
			got, err := ReadSealed(path, c.open)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if _, err := ReadSealed(path, c.wrong); !errors.Is(err, ErrWrongKey) || errors.Is(err, ErrDamaged) {
				t.Errorf("wrong lock: got %v, want ErrWrongKey alone", err)
			}
			onDisk, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(onDisk, want) {
				t.Error("the file shows its plaintext")
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := info.Mode().Perm(), fs.FileMode(0o600); got != want {
				t.Errorf("mode: got %v, want %v", got, want)
			}
			if got := names(t, filepath.Dir(path)); len(got) != 1 {
				t.Errorf("files left behind: %v", got)
			}
		})
	}
}

func TestPassphrasesCostScryptsDefaultWork(t *testing.T) {
	if got := Passphrase([]byte("p")).work; got != 18 {
		t.Errorf("got 2^%d, want 2^18", got)
	}
}

func TestAnEmptyPassphraseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sealed")
	for name, l := range map[string]Lock{"empty": Passphrase(nil), "zero": {}} {
		if err := WriteSealed(path, l, []byte("x")); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("write, %s: got %v, want fs.ErrInvalid", name, err)
		}
		if _, err := ReadSealed(path, l); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("read, %s: got %v, want fs.ErrInvalid", name, err)
		}
	}
}

func TestWritingNeverReplacesUnlessAsked(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sealed")
	lock := cheap("p")
	if err := WriteSealed(path, lock, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := WriteSealed(path, lock, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if got, err := ReadSealed(path, lock); err != nil || string(got) != "first" {
		t.Errorf("after the refusal: got %q, %v", got, err)
	}
	if err := ReplaceSealed(path, lock, []byte("third")); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSealed(path, lock); err != nil || string(got) != "third" {
		t.Errorf("after replacing: got %q, %v", got, err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("files left behind: %v", got)
	}
	if err := WriteSealed(filepath.Join(dir, "none", "sealed"), lock, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into a folder that is not there: got %v, want fs.ErrNotExist", err)
	}
	if err := ReplaceSealed(dir, lock, nil); err == nil {
		t.Error("a folder was replaced by a file")
	}
}

func TestDamageIsToldFromAWrongKey(t *testing.T) {
	lock, _ := newKeyFile(t)
	path := filepath.Join(t.TempDir(), "sealed")
	if err := WriteSealed(path, lock, []byte("what is secret")); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	hungry := bytes.Replace(passphraseFile(t), []byte(" 1\n"), []byte(" 21\n"), 1)
	for name, c := range map[string]struct {
		data []byte
		lock Lock
	}{
		"empty":             {nil, lock},
		"other text":        {[]byte("hello\n"), lock},
		"cut in the middle": {whole[:len(whole)/2], lock},
		"cut at the end":    {whole[:len(whole)-1], lock},
		"last byte altered": {flipped, lock},
		"one byte more":     {append(bytes.Clone(whole), 0), lock},
		"too much work":     {hungry, cheap("p")},
	} {
		mustWrite(t, path, c.data, 0o600)
		if _, err := ReadSealed(path, c.lock); !errors.Is(err, ErrDamaged) || errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: got %v, want ErrDamaged alone", name, err)
		}
	}
	mustWrite(t, path, append(bytes.Clone(whole), make([]byte, 2*SealedLimit)...), 0o600)
	if _, err := ReadSealed(path, lock); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a huge file: got %v, want ErrTooLarge", err)
	}
	if _, err := ReadSealed(path+".none", lock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v, want fs.ErrNotExist", err)
	}
}

func passphraseFile(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sealed")
	if err := WriteSealed(path, cheap("p"), nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSealedFilesHoldUpToTheirLimit(t *testing.T) {
	dir := t.TempDir()
	lock, _ := newKeyFile(t)
	if err := WriteSealed(filepath.Join(dir, "full"), lock, make([]byte, SealedLimit)); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSealed(filepath.Join(dir, "full"), lock); err != nil || len(got) != SealedLimit {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if err := WriteSealed(filepath.Join(dir, "over"), lock, make([]byte, SealedLimit+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("files: got %v, want the full one alone", got)
	}
}

func TestTheStockProgramsLibraryReadsSealedFiles(t *testing.T) {
	made, keyPath := newKeyFile(t)
	keyText, err := os.ReadFile(keyPath)
	if err != nil {
		t.Fatal(err)
	}
	fromKeyFile, err := age.ParseIdentities(bytes.NewReader(keyText))
	if err != nil {
		t.Fatal(err)
	}
	fromPassphrase, err := age.NewScryptIdentity("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		lock  Lock
		stock []age.Identity
	}{
		"key file":   {made, fromKeyFile},
		"passphrase": {cheap("correct horse"), []age.Identity{fromPassphrase}},
	} {
		path := filepath.Join(t.TempDir(), "sealed")
		if err := WriteSealed(path, c.lock, []byte("plain")); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := age.Decrypt(bytes.NewReader(data), c.stock...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got bytes.Buffer
		if _, err := got.ReadFrom(r); err != nil || got.String() != "plain" {
			t.Errorf("%s: got %q, %v", name, got.String(), err)
		}
	}
}

func TestANewKeyFileIsPrivateAndNeverReplaced(t *testing.T) {
	lock, path := newKeyFile(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), fs.FileMode(0o600); got != want {
		t.Errorf("mode: got %v, want %v", got, want)
	}
	if _, err := NewKeyFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: got %v, want fs.ErrExist", err)
	}
	again, err := KeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := lock.Recipient()
	if got, ok := again.Recipient(); !ok || got != want {
		t.Error("the key file was altered by the refused second write")
	}
	if _, ok := cheap("p").Recipient(); ok {
		t.Error("a passphrase has a recipient")
	}
}

func TestAKeyFileThatOthersCanReadIsRefused(t *testing.T) {
	_, path := newKeyFile(t)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o620, 0o666, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := KeyFile(path); !errors.Is(err, ErrExposed) || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: got %v, want ErrExposed that says what to do", mode, err)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := KeyFile(path); err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestAKeyFileHoldsOneHybridIdentity(t *testing.T) {
	secret := newIdentity(t).Reveal()
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "comments": "# nothing\n\n", "two": secret + "\n" + secret + "\n",
		"classic": classic.String() + "\n", "text": "hello\n", "long line": strings.Repeat("x", 10_000),
		"trailing text": secret + " denver\n",
	} {
		path := filepath.Join(t.TempDir(), "key")
		mustWrite(t, path, []byte(text), 0o600)
		if _, err := KeyFile(path); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		} else if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), classic.String()) {
			t.Errorf("%s: the error repeats the key", name)
		}
	}
	path := filepath.Join(t.TempDir(), "key")
	mustWrite(t, path, []byte(strings.Repeat("#\n", keyFileLimit)), 0o600)
	if _, err := KeyFile(path); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a huge key file: got %v, want ErrTooLarge", err)
	}
	mustWrite(t, path, []byte("# by age-keygen\r\n\r\n"+secret+"\r\n"), 0o600)
	if _, err := KeyFile(path); err != nil {
		t.Errorf("lines ending in carriage returns: %v", err)
	}
	if _, err := KeyFile(t.TempDir()); err == nil {
		t.Error("a folder was taken for a key file")
	}
}
