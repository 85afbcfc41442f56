package vault

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func lockFor(t *testing.T) (Lock, Recipient) {
	t.Helper()
	l, err := NewKeyFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	r, _ := l.Recipient()
	return l, r
}

func sealedStream(t *testing.T, plaintext []byte, to ...Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := SealTo(&out, to...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plaintext); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestEachRecipientOpensAStreamAndNobodyElse(t *testing.T) {
	one, to1 := lockFor(t)
	two, to2 := lockFor(t)
	other, _ := lockFor(t)
	want := bytes.Repeat([]byte("a registry "), 3*chunkSize/11)
	sealed := sealedStream(t, want, to1, to2)
	for _, l := range []Lock{one, two} {
		r, err := OpenFrom(bytes.NewReader(sealed), l)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes and %v, want %d", len(got), err, len(want))
		}
	}
	if _, err := OpenFrom(bytes.NewReader(sealed), other); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another key: got %v, want %v", err, ErrWrongKey)
	}
}

func TestAStreamThatWasCutOrAlteredIsDamaged(t *testing.T) {
	l, to := lockFor(t)
	sealed := sealedStream(t, make([]byte, 2*chunkSize), to)
	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	for what, b := range map[string][]byte{
		"cut at a chunk": sealed[:len(sealed)-chunkSize-chunkOverhead], "altered": altered, "empty": nil,
		"another file": []byte("age-encryption.org/v1\n--- x"), "endless header": []byte(strings.Repeat("-> x\n", streamHeaderLimit)),
	} {
		r, err := OpenFrom(bytes.NewReader(b), l)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v, want %v", what, err, ErrDamaged)
		}
	}
}

func TestAStreamIsSealedToSomebody(t *testing.T) {
	_, to := lockFor(t)
	many := make([]Recipient, MaxRecipients+1)
	for i := range many {
		many[i] = to
	}
	for what, list := range map[string][]Recipient{"nobody": nil, "the zero recipient": {{}}, "too many": many} {
		if _, err := SealTo(io.Discard, list...); err == nil {
			t.Errorf("sealed to %s", what)
		}
	}
}
