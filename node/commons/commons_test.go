package commons

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"interlock/protocol/identifier"
)

func shipped(t testing.TB) Lists {
	t.Helper()
	ls, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

func parse(t testing.TB, kind identifier.Kind, raw string) identifier.Identifier {
	t.Helper()
	i, err := identifier.Parse(kind, raw, "US")
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return i
}

func TestEachListSaysWhatItIsAndWhereItIsFrom(t *testing.T) {
	for _, a := range shipped(t).All() {
		for what, text := range map[string]string{"title": a.Title, "says": a.Says, "source": a.Source, "date": a.Date, "licence": a.Licence} {
			if text == "" {
				t.Errorf("%s has no %s", a.Name, what)
			}
		}
		if !strings.HasSuffix(a.Says, ".") || len(a.Says) > 140 || a.Own {
			t.Errorf("%s says %q, want one short sentence", a.Name, a.Says)
		}
		if (a.Entries == 0) != (a.Name == "tor-exits") {
			t.Errorf("%s has %d entries", a.Name, a.Entries)
		}
	}
}

func TestCommonValuesAreWarnedOfAndOthersAreNot(t *testing.T) {
	ls := shipped(t)
	for _, tt := range []struct {
		kind identifier.Kind
		raw  string
		want string // the list
	}{
		{identifier.Domain, "gmail.com", "free-mail"},
		{identifier.Domain, "www.gmail.com", "free-mail"},
		{identifier.URL, "https://gmail.com/", "free-mail"},
		{identifier.URL, "https://gmail.com/u/0/inbox", ""},
		{identifier.Email, "j.doe@gmail.com", ""},
		{identifier.Domain, "mailinator.com", "disposable-mail"},
		{identifier.Domain, "any.33mail.com", "disposable-mail"},
		{identifier.Email, "j.doe@mailinator.com", "disposable-mail"},
		{identifier.Email, "j.doe@any.33mail.com", "disposable-mail"},
		{identifier.Domain, "mailinator.com.school.example", ""},
		{identifier.Email, "noreply@school.example", "role-mailboxes"},
		{identifier.Email, "postmaster@gmail.com", "role-mailboxes"},
		{identifier.Email, "notpostmaster@gmail.com", ""},
		{identifier.Email, "test@example.com", "placeholders"},
		{identifier.Email, "j.doe@example.com", ""},
		{identifier.Domain, "example.com", "placeholders"},
		{identifier.Domain, "facebook.com", "big-sites"},
		{identifier.URL, "https://www.facebook.com", "big-sites"},
		{identifier.URL, "https://www.facebook.com/j.doe", ""},
		{identifier.Account, "kik:username", "placeholders"},
		{identifier.Account, "kik:j.doe", ""},
		{identifier.Phone, "+1 303 555 0142", "fiction"},
		{identifier.Phone, "+1 303 555 0199", "fiction"},
		{identifier.Phone, "+44 20 7946 0123", "fiction"},
		{identifier.Phone, "+44 7700 900123", "fiction"},
		{identifier.Phone, "+33 6 39 98 12 34", "fiction"},
		{identifier.Phone, "+44 20 7930 4832", ""},
		{identifier.Phone, "+1 303 861 0199", ""},
		{identifier.IP, "8.8.8.8", "resolvers"},
		{identifier.IP, "2606:4700:4700:0::1111", "resolvers"},
		{identifier.IP, "192.31.196.7", "special-networks"},
		{identifier.IP, "2002:808:808::1", "special-networks"},
		{identifier.IP, "8.8.8.9", ""},
		{identifier.SHA256, strings.Repeat("ab", 32), ""},
	} {
		got, warned := ls.Warn(parse(t, tt.kind, tt.raw))
		if got.List != tt.want || warned != (tt.want != "") || warned && (got.Says == "" || got.Source == "") {
			t.Errorf("%s: warned by %q, want %q", tt.raw, got.List, tt.want)
		}
	}
}

// refusedOrWarned: what is common is either no identifier or warned of.
func refusedOrWarned(t *testing.T, ls Lists, kind identifier.Kind, raw, what string) {
	t.Helper()
	i, err := identifier.Parse(kind, raw, "US")
	if err != nil {
		return
	}
	if _, warned := ls.Warn(i); !warned {
		t.Errorf("%s is neither refused nor warned of", what)
	}
}

func TestEverySpecialNetworkIsRefusedOrWarnedOf(t *testing.T) {
	ls, n := shipped(t), 0
	for _, line := range entries(t, "special-networks") {
		p, err := netip.ParsePrefix(line)
		if err != nil {
			t.Fatalf("%q is no network", line)
		}
		last := p.Addr().AsSlice()
		for bit := p.Bits(); bit < len(last)*8; bit++ {
			last[bit/8] |= 1 << (7 - bit%8)
		}
		end, _ := netip.AddrFromSlice(last)
		for _, a := range []netip.Addr{p.Addr(), p.Addr().Next(), end} {
			if p.Contains(a) {
				n++
				refusedOrWarned(t, ls, identifier.IP, a.String(), a.String())
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d addresses were looked at", n)
	}
}

func TestTheHashOfABlankFileIsRefusedOrWarnedOf(t *testing.T) {
	ls := shipped(t)
	blank := map[string][]byte{"empty": nil, "a line feed": []byte("\n"), "a line end": []byte("\r\n"), "a space": []byte(" ")}
	for size := 1; size <= 16<<20; size *= 2 {
		blank[fmt.Sprintf("%d zero bytes", size)] = make([]byte, size)
	}
	for what, b := range blank {
		m, s, l := md5.Sum(b), sha1.Sum(b), sha256.Sum256(b)
		refusedOrWarned(t, ls, identifier.MD5, hex.EncodeToString(m[:]), what)
		refusedOrWarned(t, ls, identifier.SHA1, hex.EncodeToString(s[:]), what)
		refusedOrWarned(t, ls, identifier.SHA256, hex.EncodeToString(l[:]), what)
	}
}

func entries(t testing.TB, list string) []string {
	t.Helper()
	for _, l := range shipped(t).all {
		if l.About.Name == list {
			return strings.Fields(l.text)
		}
	}
	t.Fatalf("there is no list %s", list)
	return nil
}

// TestEveryDomainStandsAsAnIdentifierHasIt: else it would warn of nothing.
func TestEveryDomainStandsAsAnIdentifierHasIt(t *testing.T) {
	for _, name := range []string{"free-mail", "big-sites", "disposable-mail"} {
		lines := entries(t, name)
		if name == "disposable-mail" {
			lines = lines[len(lines)-len(lines)/8:] // the whole takes seconds
		}
		for _, line := range lines {
			i, err := identifier.Parse(identifier.Domain, strings.Replace(line, "*.", "a.", 1), "")
			if err != nil || !strings.HasSuffix(i.Value(), strings.TrimPrefix(line, "*")) {
				t.Errorf("%s: %q is no domain in canonical form", name, line)
			}
		}
	}
}

func TestAListOfTheAgencysOwnTakesThePlaceOfTheShippedOne(t *testing.T) {
	exit := parse(t, identifier.IP, "192.42.116.16")
	ls := shipped(t)
	if _, warned := ls.Warn(exit); warned {
		t.Fatal("an exit is known before the list is loaded")
	}
	for form, text := range map[string]string{
		"bulk":      "192.42.116.16\n185.220.101.1\n",
		"addresses": "ExitNode 0011BD2485AD45D984EC4159C88FC066E5E3300E\nPublished 2026-11-24 10:00:00\nLastStatus 2026-11-24 11:00:00\nExitAddress 192.42.116.16 2026-11-24 10:00:00\n",
		"networks":  "192.42.116.0/24\n",
	} {
		own, err := Open("tor-exits", text)
		if err != nil {
			t.Fatal(err)
		}
		with := ls.With(own)
		if got, warned := with.Warn(exit); !warned || got.List != "tor-exits" {
			t.Errorf("%s: not warned of", form)
		}
		if got, want := len(with.All()), len(ls.All()); got != want {
			t.Errorf("%s: %d lists, want %d", form, got, want)
		}
	}
	empty, err := Open("fiction", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, warned := ls.With(empty).Warn(parse(t, identifier.Phone, "+13035550142")); warned {
		t.Error("a list that was put out of use warns")
	}
}

func TestAListThatIsNoneIsRefusedWithItsLine(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		line       int
	}{
		{"x", "", 0}, {"Upper", "", 0}, {"a/b", "", 0},
		{"long", strings.Repeat("a", MaxText+1), 0}, {"bytes", "\xff", 0},
		{"network", "# title: x\n10.0.0.1/8\n", 2}, {"address", "a/b\n", 1}, {"spaces", "two words\n", 1},
		{"number", "example.com\n\n+1 303\n", 3}, {"entry", strings.Repeat("a", maxEntry+1), 1}, {"heading", "# says: " + strings.Repeat("a", maxHeading+1), 1},
	} {
		_, err := Open(tt.name, tt.text)
		var e *Error
		if !errors.As(err, &e) || e.Line != tt.line {
			t.Errorf("%s: %v, want an error on line %d", tt.name, err, tt.line)
		}
	}
}

func TestALookUpFindsWhatTheListHasAndNothingElse(t *testing.T) {
	word := rapid.StringMatching(`[a-c]{1,3}\.[a-c]{1,2}`)
	rapid.Check(t, func(rt *rapid.T) {
		lines := rapid.SliceOf(word).Draw(rt, "lines")
		l, err := Open("random", strings.Join(lines, "\n"))
		if err != nil {
			rt.Fatal(err)
		}
		for _, w := range append(rapid.SliceOf(word).Draw(rt, "others"), lines...) {
			if got, want := l.has(w), slices.Contains(lines, w); got != want {
				rt.Errorf("%q in %q: %t, want %t", w, l.text, got, want)
			}
		}
	})
}

func FuzzOpen(f *testing.F) {
	for _, s := range []string{"", "example.com\n", "# title: x\n# mailboxes: yes\nb.com\na.com\n", "10.0.0.0/8\n1.1.1.1\n::1/128", "+1xxx55501xx\n:test\npostmaster@", "ExitAddress 1.2.3.4 x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Open("fuzz", text)
		if err != nil {
			return
		}
		again, err := Open("fuzz", l.text)
		if err != nil || again.text != l.text || again.entries != l.entries {
			t.Fatalf("opened again: %v, %d entries, want %d", err, again.entries, l.entries)
		}
		for line := range strings.Lines(l.text) {
			if !l.has(strings.TrimSuffix(line, "\n")) {
				t.Fatalf("%q is not found", line)
			}
		}
		if diff := cmp.Diff(l.bits4, again.bits4, cmp.Transformer("sorted", func(b []int) []int { return slices.Sorted(slices.Values(b)) })); diff != "" {
			t.Fatal(diff)
		}
	})
}

func BenchmarkShipped(b *testing.B) {
	for b.Loop() {
		if _, err := Shipped(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWarn(b *testing.B) {
	ls := shipped(b)
	for name, i := range map[string]identifier.Identifier{
		"mailbox": parse(b, identifier.Email, "j.doe@school.example"), "address": parse(b, identifier.IP, "8.8.8.9"),
		"number": parse(b, identifier.Phone, "+442079304832"),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ls.Warn(i)
			}
		})
	}
}
