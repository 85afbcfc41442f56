package oprf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// leaks reports whether text shows the secret as hexadecimal, decimal or raw bytes.
func leaks(text string, secret []byte) bool {
	decimal := strings.Trim(fmt.Sprint(secret[:8]), "[]")
	comma := strings.ReplaceAll(decimal, " ", ",")
	lower := strings.ToLower(text)
	for _, form := range []string{hex.EncodeToString(secret[:8]), decimal, comma, strings.ReplaceAll(comma, ",", ", ")} {
		if strings.Contains(lower, form) {
			return true
		}
	}
	return strings.Contains(text, string(secret[:8]))
}

func TestNothingSecretIsEverPrinted(t *testing.T) {
	keys, shares := deal(t, 1, 1)
	r := blind(t, newClient(t, keys), inputs("j.doe@example.org"))
	token := Token(bytes.Repeat([]byte{0xa7, 0x31}, TokenSize/2))
	secret, blindBytes := scalarBytes(&shares[0].secret), scalarBytes(&r.blinds[0])
	for _, row := range []struct {
		name    string
		value   any
		secret  []byte
		printed string
	}{
		{"token", token, token[:], redactedToken},
		{"pointer to a token", &token, token[:], redactedToken},
		{"share", shares[0], secret[:], redactedShare},
		{"share by value", *shares[0], secret[:], redactedShare},
		{"request, its input", r, []byte("j.doe@example.org"), redactedRequest},
		{"request, its blind", r, blindBytes[:], redactedRequest},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "% x", "%t"} {
				got := fmt.Sprintf(verb, row.value)
				if leaks(got, row.secret) {
					t.Fatalf("%s shows the secret", verb)
				}
				if got != row.printed {
					t.Errorf("%s: got %q, want %q", verb, got, row.printed)
				}
			}
			for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
				"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
				"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			} {
				var b bytes.Buffer
				slog.New(handler(&b)).Info("seen", "value", row.value, "group", slog.GroupValue(slog.Any("inner", row.value)))
				if leaks(b.String(), row.secret) {
					t.Fatalf("a %s log shows the secret", name)
				}
				if !strings.Contains(b.String(), row.printed) {
					t.Errorf("%s log: got %q, want %q in it", name, b.String(), row.printed)
				}
			}
		})
	}
}

func TestATokenInsideOtherThingsIsNotPrintedEither(t *testing.T) {
	token := Token(bytes.Repeat([]byte{0xa7, 0x31}, TokenSize/2))
	if text := fmt.Sprintf("%v %x %+v", []Token{token}, map[string]Token{"a": token}, struct{ T Token }{token}); leaks(text, token[:]) {
		t.Error("a token in a list, a map or a field is shown")
	}
	if b, err := json.Marshal(struct{ T Token }{token}); err == nil {
		t.Errorf("a token went into JSON: %d bytes", len(b))
	}
}
