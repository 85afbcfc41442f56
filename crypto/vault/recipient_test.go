package vault

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/google/go-cmp/cmp"
)

func newIdentity(t testing.TB) *Identity {
	t.Helper()
	id, err := GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func sealTo(t testing.TB, r Recipient, plaintext []byte) []byte {
	t.Helper()
	sealed, err := r.Seal(plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestOnlyTheRecipientOpensWhatWasSealed(t *testing.T) {
	denver, boulder := newIdentity(t), newIdentity(t)
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 200_000} {
		want := bytes.Repeat([]byte{7}, size)
		sealed := sealTo(t, denver.Recipient(), want)
		got, err := denver.Open(sealed, size)
		if err != nil {
			t.Fatalf("open %d bytes: %v", size, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back altered", size)
		}
		if _, err := boulder.Open(sealed, size); !errors.Is(err, ErrWrongKey) {
			t.Errorf("another identity opening %d bytes: got %v, want ErrWrongKey", size, err)
		}
	}
}

func TestSealingTwiceGivesUnlinkableBytes(t *testing.T) {
	r := newIdentity(t).Recipient()
	if bytes.Equal(sealTo(t, r, []byte("share")), sealTo(t, r, []byte("share"))) {
		t.Error("two seals of one plaintext are equal")
	}
}

func TestAlteredBytesDoNotOpen(t *testing.T) {
	id := newIdentity(t)
	sealed := sealTo(t, id.Recipient(), []byte("a share of the key"))
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if got, err := id.Open(altered, 100); err == nil {
			t.Fatalf("byte %d altered: opened as %q", i, got)
		} else if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrWrongKey) {
			t.Fatalf("byte %d altered: got %v, want ErrDamaged or ErrWrongKey", i, err)
		}
	}
	payload := bytes.LastIndex(sealed, []byte("\n--- ")) + 1
	for n := range sealed {
		_, err := id.Open(sealed[:n], 100)
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d of %d bytes (payload from %d): got %v, want ErrDamaged", n, len(sealed), payload, err)
		}
	}
}

func TestOpenKeepsToTheLimit(t *testing.T) {
	id := newIdentity(t)
	sealed := sealTo(t, id.Recipient(), make([]byte, 1000))
	if _, err := id.Open(sealed, 999); !errors.Is(err, ErrTooLarge) {
		t.Errorf("1000 bytes under a limit of 999: got %v, want ErrTooLarge", err)
	}
	if _, err := id.Open(sealTo(t, id.Recipient(), make([]byte, 20_000)), 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("20000 bytes under a limit of 10: got %v, want ErrTooLarge", err)
	}
	crowd := make([]age.Recipient, 3)
	for i := range crowd {
		crowd[i] = newIdentity(t).hybrid.Recipient()
	}
	var many bytes.Buffer
	w, err := age.Encrypt(&many, crowd...)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := id.Open(many.Bytes(), 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a header with many recipients: got %v, want ErrTooLarge", err)
	}
}

func TestTheStockProgramsLibraryOpensASeal(t *testing.T) {
	id := newIdentity(t)
	want := []byte("share 3 of 5")
	stock, err := age.ParseHybridIdentity(id.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(sealTo(t, id.Recipient(), want)), stock)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := got.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(sealTo(t, id.Recipient(), want)), "-> mlkem768x25519 ") {
		t.Error("the seal is not to a post-quantum hybrid recipient")
	}
	if bytes.HasPrefix(sealTo(t, id.Recipient(), want), []byte(armor.Header)) {
		t.Error("the seal is armored, want binary")
	}
}

func TestRecipientsAndIdentitiesHaveOneText(t *testing.T) {
	id := newIdentity(t)
	text := id.Recipient().String()
	got, err := ParseRecipient(text)
	if err != nil {
		t.Fatal(err)
	}
	if got != id.Recipient() {
		t.Error("the parsed recipient is another one")
	}
	same, err := ParseIdentity(id.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if same.Recipient() != id.Recipient() {
		t.Error("the parsed identity is another one")
	}
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty": "", "upper case": strings.ToUpper(text), "space": text + " ", "line feed": text + "\n",
		"cut": text[:len(text)-1], "wrong checksum": text[:len(text)-1] + "b",
		"classic": classic.Recipient().String(), "secret": id.Reveal(),
	} {
		if _, err := ParseRecipient(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("recipient, %s: got %v, want ErrMalformed", name, err)
		} else if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("recipient, %s: the error repeats the text", name)
		}
	}
	secret := id.Reveal()
	for name, bad := range map[string]string{
		"empty": "", "lower case": strings.ToLower(secret), "space": " " + secret,
		"cut": secret[:len(secret)-1], "classic": classic.String(), "public": text,
	} {
		if _, err := ParseIdentity(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("identity, %s: got %v, want ErrMalformed", name, err)
		} else if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("identity, %s: the error repeats the text", name)
		}
	}
}

func TestTheZeroRecipientSealsNothing(t *testing.T) {
	if _, err := (Recipient{}).Seal([]byte("x")); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v, want ErrMalformed", err)
	}
}

func TestADestroyedIdentityOpensNothing(t *testing.T) {
	id := newIdentity(t)
	sealed := sealTo(t, id.Recipient(), []byte("x"))
	id.Destroy()
	if _, err := id.Open(sealed, 10); !errors.Is(err, ErrDestroyed) {
		t.Errorf("got %v, want ErrDestroyed", err)
	}
	if got := id.Reveal(); got != "" {
		t.Error("a destroyed identity reveals its key")
	}
	if got := id.Recipient(); got != (Recipient{}) {
		t.Error("a destroyed identity has a recipient")
	}
}

func TestFingerprintsAreEightGroupsOfDigitsAndCoverEveryKey(t *testing.T) {
	a, b := newIdentity(t).Recipient(), newIdentity(t).Recipient()
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	shape := regexp.MustCompile(`^(\d{5} ){7}\d{5}$`)
	seen := map[string]bool{}
	for _, f := range []string{
		a.Fingerprint(), b.Fingerprint(),
		Fingerprint(pub, a), Fingerprint(pub, b), Fingerprint(other, a), Fingerprint(nil, a),
	} {
		if !shape.MatchString(f) {
			t.Errorf("fingerprint %q has another shape", f)
		}
		if seen[f] {
			t.Errorf("fingerprint %q stands for two things", f)
		}
		seen[f] = true
	}
	// A committed value: what operators have noted down must stay true.
	if got, want := (Recipient{text: "age1pq1test"}).Fingerprint(), "92725 14741 21003 70657 23236 45941 61102 14003"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// printed is everything that fmt and slog make of a value.
func printed(v any) string {
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
	return out.String()
}

func TestSecretsPrintAsAPlaceholder(t *testing.T) {
	keys, err := GenerateKeys(bytes.NewReader(bytes.Repeat([]byte{0xab}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	secret := keys.Age.Reveal()
	for name, v := range map[string]any{
		"identity": keys.Age, "keys": keys, "keys by value": *keys,
		"passphrase": Passphrase([]byte("correct horse")), "key file": Lock{identity: keys.Age},
		"inside": struct{ L Lock }{Passphrase([]byte("correct horse"))},
	} {
		out := printed(v)
		for _, leak := range []string{secret, "correct horse", "636f7272656374", "abab", "171 171", "0xab", "17117"} {
			if strings.Contains(out, leak) {
				t.Errorf("%s prints %q:\n%s", name, leak, out)
			}
		}
		if !strings.Contains(out, redacted) {
			t.Errorf("%s prints no placeholder:\n%s", name, out)
		}
	}
	if out, err := keys.MarshalJSON(); err == nil {
		t.Errorf("keys became JSON: %s", out)
	}
}

func FuzzParseRecipient(f *testing.F) {
	id := newIdentity(f)
	f.Add(id.Recipient().String())
	f.Add(strings.ToUpper(id.Recipient().String()))
	f.Add(id.Reveal())
	f.Add("age1pq1")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRecipient(text); err == nil && r.String() != text {
			t.Errorf("%q parses but is written %q", text, r)
		}
		if id, err := ParseIdentity(text); err == nil && id.Reveal() != text {
			t.Error("an identity parses but is written otherwise")
		}
	})
}

func FuzzOpen(f *testing.F) {
	id := newIdentity(f)
	sealed := sealTo(f, id.Recipient(), []byte("a share"))
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Add([]byte("age-encryption.org/v1\n-> mlkem768x25519 \n\n--- \n"))
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\nAAAA\n--- AAAA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := id.Open(data, 64)
		switch {
		case err == nil && len(got) > 64:
			t.Errorf("opened %d bytes under a limit of 64", len(got))
		case err == nil, errors.Is(err, ErrWrongKey), errors.Is(err, ErrDamaged), errors.Is(err, ErrTooLarge):
		default:
			t.Errorf("got %v, want one of the package's errors", err)
		}
	})
}
