package invitation

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"interlock/protocol/directory"
)

func TestAnInvitationIsOneWordThatAQRCodeHolds(t *testing.T) {
	for servers, want := range map[int]int{1: 363, 3: 535, 5: 704, 7: 875, 15: 1_567, 31: 2_959} {
		s := text(t, invite(t, network(servers)))
		if len(s) != want {
			t.Errorf("%d servers: %d characters, want %d", servers, len(s), want)
		}
		if strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			t.Errorf("%d servers: holds what is not a capital letter, a digit or a hyphen", servers)
		}
		if len(s) > MaxQR {
			t.Errorf("%d servers: %d characters, too many for a QR code", servers, len(s))
		}
	}
}

func TestWhatAMailProgramAddsIsLeftOut(t *testing.T) {
	want := invite(t, network(3))
	s := text(t, want)
	var lines strings.Builder
	for i := 0; i < len(s); i += 76 {
		lines.WriteString("  " + s[i:min(i+76, len(s))] + " \r\n")
	}
	for name, changed := range map[string]string{
		"broken into lines":    lines.String(),
		"a space in every gap": strings.Join(strings.Split(s, ""), " "),
		"spaces around":        "\n\t " + s + "\n\n",
		"non-breaking spaces":  s[:4] + "\u00a0" + s[4:99] + "\u2028" + s[99:],
	} {
		if got, err := Parse(changed); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// remade is an invitation with an altered payload under a right checksum.
func remade(t testing.TB, edit func(b []byte) []byte) string {
	t.Helper()
	b, err := invite(t, network(3)).payload()
	if err != nil {
		t.Fatal(err)
	}
	b = edit(b[:len(b)-checksum])
	return prefix + alphabet.EncodeToString(append(b, sum(b)...))
}

func TestAWrongInvitationIsRefused(t *testing.T) {
	good := text(t, invite(t, network(3)))
	const (
		atQuorum = 32 + 4 + 32
		atName   = atQuorum + 1
	)
	atServers := atName + 3 + len(network(3).Name)
	tests := []struct {
		name, text string
		want       error // nil: any
	}{
		{"nothing", "", ErrNotInvitation},
		{"spaces", " \n", ErrNotInvitation},
		{"something else", "https://example.org/", ErrNotInvitation},
		{"its start is cut", good[1:], ErrNotInvitation},
		{"words before it", "Invitation: " + good, ErrNotInvitation},
		{"in small letters", strings.ToLower(good), ErrNotInvitation},
		{"another version", strings.Replace(good, "1-", "2-", 1), ErrVersion},
		{"a later version", strings.Replace(good, "1-", "12-", 1), ErrVersion},
		{"no version", strings.Replace(good, "1-", "-", 1), ErrNotInvitation},
		{"the prefix alone", prefix, ErrDamaged},
		{"its end is cut", good[:len(good)-1], ErrDamaged},
		{"half of it", good[:len(good)/2], ErrDamaged},
		{"twice", good + good, ErrDamaged},
		{"one character more", good + "A", ErrDamaged},
		{"padding", good + "======", ErrDamaged},
		{"a small letter", good[:50] + strings.ToLower(good[50:51]) + good[51:], ErrDamaged},
		{"two characters exchanged", good[:12] + good[13:14] + good[12:13] + good[14:], ErrDamaged},
		{"too long", prefix + strings.Repeat("A", MaxLength), ErrTooLong},
		{"spaces without end", good + strings.Repeat(" ", maxText), ErrTooLong},
		{"no key", remade(t, func(b []byte) []byte { clear(b[:32]); return b }), ErrDestroyed},
		{"no day", remade(t, func(b []byte) []byte { clear(b[32:36]); return b }), nil},
		{"a quorum without a majority", remade(t, func(b []byte) []byte { b[atQuorum] = 1; return b }), nil},
		{"a quorum over the servers", remade(t, func(b []byte) []byte { b[atQuorum] = 4; return b }), nil},
		{"no servers", remade(t, func(b []byte) []byte { b[atServers] = 0; return b[:atServers+1] }), nil},
		{"a server fewer than counted", remade(t, func(b []byte) []byte { b[atServers]++; return b }), errCut},
		{"a server more than counted", remade(t, func(b []byte) []byte { b[atServers]--; return b }), errCut},
		{"a text that begins as nothing before it", remade(t, func(b []byte) []byte { b[atName] = 1; return b }), errCut},
		{"a text that ends as nothing before it", remade(t, func(b []byte) []byte { b[atName+1] = 1; return b }), errCut},
		{"a control character", remade(t, func(b []byte) []byte { b[atName+3] = '\x1b'; return b }), nil},
		{"empty", remade(t, func([]byte) []byte { return nil }), errCut},
		{"bytes after its end", remade(t, func(b []byte) []byte { return append(b, 0) }), errCut},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.text)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("Parse = %v, want %v", err, tt.want)
			}
			if got.Key() != nil || len(got.Network.Servers) > 0 {
				t.Error("something was returned with the error")
			}
			if message := err.Error(); strings.Contains(message, "\n") || len(tt.text) > 40 && strings.Contains(message, tt.text[20:40]) {
				t.Errorf("the error has lines, or repeats the invitation: %s", message)
			}
		})
	}
}

// TestATextHasOneForm: the second of two server names spelled in full, where it
// shares its beginning with the first.
func TestATextHasOneForm(t *testing.T) {
	n := network(1)
	n.Servers[0].Name = n.Name
	b, err := invite(t, n).payload()
	if err != nil {
		t.Fatal(err)
	}
	b = b[:len(b)-checksum]
	at := 32 + 4 + 32 + 1 + 3 + len(n.Name) + 1 + 2 + 32
	if b[at] != byte(len(n.Name)) || b[at+1] != 0 || b[at+2] != 0 {
		t.Fatalf("the name stands elsewhere: %d", b[at:at+3])
	}
	full := append([]byte{0, 0, byte(len(n.Name))}, n.Name...)
	b = append(b[:at:at], append(full, b[at+3:]...)...)
	if _, err := parsePayload(b); err != nil {
		t.Fatalf("the test shows nothing: %v", err)
	}
	if _, err := Parse(prefix + alphabet.EncodeToString(append(b, sum(b)...))); !errors.Is(err, ErrDamaged) {
		t.Errorf("Parse = %v, want %v", err, ErrDamaged)
	}
}

// TestEveryMistypedCharacterIsSeen: any one character by the next of the
// alphabet, and any one left out.
func TestEveryMistypedCharacterIsSeen(t *testing.T) {
	const symbols = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	good := text(t, invite(t, network(3)))
	for at := len(prefix); at < len(good); at++ {
		next := symbols[(strings.IndexByte(symbols, good[at])+1)%len(symbols)]
		for what, wrong := range map[string]string{
			"mistyped": good[:at] + string(next) + good[at+1:],
			"left out": good[:at] + good[at+1:],
		} {
			if _, err := Parse(wrong); !errors.Is(err, ErrDamaged) {
				t.Fatalf("character %d %s: %v, want %v", at, what, err, ErrDamaged)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, servers := range []int{1, 3, 31} {
		f.Add(text(f, invite(f, network(servers))))
	}
	f.Add(prefix)
	f.Add("INTERLOCK2-AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		i, err := Parse(s)
		if err != nil {
			return
		}
		again := text(t, i)
		if len(again) > MaxLength || !utf8.ValidString(again) || again != strings.Join(strings.Fields(s), "") {
			t.Fatalf("read and written again it differs:\n%q\n%q", s, again)
		}
	})
}

// FuzzPayload draws what stands under the checksum.
func FuzzPayload(f *testing.F) {
	for _, servers := range []int{1, 3, directory.MaxServers} {
		b, err := invite(f, network(servers)).payload()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:len(b)-checksum])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := prefix + alphabet.EncodeToString(append(b[:len(b):len(b)], sum(b)...))
		i, err := Parse(s)
		if err != nil {
			return
		}
		if got := text(t, i); got != s {
			t.Fatalf("read and written again it differs:\n%s\n%s", s, got)
		}
		if err := i.Network.Check(); err != nil {
			t.Fatalf("a network that cannot be pinned: %v", err)
		}
	})
}
