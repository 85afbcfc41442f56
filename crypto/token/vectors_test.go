package token

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vector is one line of testdata/vectors.json, made outside this package (Python's hmac and the
// cryptography module) from the derivation that DESIGN.md describes.
type vector struct {
	Name       string
	Token      string
	Secret     string
	Epoch      uint32
	Author     string
	Number     uint64
	Case       string
	Kind       uint8
	Handling   uint8
	Nonce      string
	PRK        string `json:"prk"`
	Tag        string
	PointerKey string `json:"pointer_key"`
	Sealed     string
}

func vectors(t testing.TB) (out []vector) {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	if len(out) < 8 {
		t.Fatalf("%d vectors, want at least 8", len(out))
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (v vector) key(t testing.TB) *Key {
	t.Helper()
	return Derive([Size]byte(unhex(t, v.Token)), Secret(unhex(t, v.Secret)), Epoch(v.Epoch))
}

func TestTheVectorsHold(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			k, author := v.key(t), Author(v.Author)
			for range 2 { // a key must give the same after it was used
				tag := k.Tag(author)
				if got := hex.EncodeToString(tag[:]); got != v.Tag {
					t.Errorf("tag: got %s, want %s", got, v.Tag)
				}
				key := k.pointerKey(author)
				if got := hex.EncodeToString(key[:]); got != v.PointerKey {
					t.Errorf("pointer key: got %s, want %s", got, v.PointerKey)
				}
				want := Pointer{Case: CasePointer(unhex(t, v.Case)), Kind: v.Kind, Handling: Handling(v.Handling)}
				sealed, err := k.Seal(bytes.NewReader(unhex(t, v.Nonce)), author, v.Number, want)
				if err != nil {
					t.Fatal(err)
				}
				if got := hex.EncodeToString(sealed[:]); got != v.Sealed {
					t.Errorf("sealed pointer: got %s, want %s", got, v.Sealed)
				}
				got, err := k.Open(author, v.Number, SealedPointer(unhex(t, v.Sealed)))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestTheVectorsAreHKDF(t *testing.T) {
	for _, v := range vectors(t) {
		epoch := binary.BigEndian.AppendUint32(nil, v.Epoch)
		salt := append(append([]byte("interlock token v1"), epoch...), unhex(t, v.Secret)...)
		prk, err := hkdf.Extract(sha256.New, unhex(t, v.Token), salt)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(prk); got != v.PRK {
			t.Errorf("%s: pseudorandom key: got %s, want %s", v.Name, got, v.PRK)
		}
		scope := string(binary.BigEndian.AppendUint32(nil, uint32(len(v.Author)))) + v.Author + string(epoch)
		for _, c := range []struct {
			label string
			size  int
			want  string
		}{{"interlock tag v1", 16, v.Tag}, {"interlock pointer v1", 32, v.PointerKey}} {
			out, err := hkdf.Expand(sha256.New, prk, c.label+scope, c.size)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(out); got != c.want {
				t.Errorf("%s: %s: got %s, want %s", v.Name, c.label, got, c.want)
			}
		}
	}
}
