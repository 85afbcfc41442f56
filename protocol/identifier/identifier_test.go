package identifier

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWaysOfWritingOneThingGiveOneValue(t *testing.T) {
	for _, c := range []struct {
		kind   Kind
		region Region
		want   string
		raws   []string
	}{
		{Phone, "US", "+14165550142", []string{"+1 (416) 555-0142", "416-555-0142", "tel:+14165550142", "4165550142", "1 416 555 0142", "(416) 555-0142 x12", "14165550142", "001 416 555 0142", "+1.416.555.0142;ext=9", "14165550142@s.whatsapp.net", "https://wa.me/14165550142?text=x", "＋１ ４１６ ５５５ ０１４２", "'4165550142'"}},
		{Phone, "GB", "+442079460958", []string{"020 7946 0958", "+44 (0)20 7946 0958", "0044 20 7946 0958", "(020) 7946 0958", "+44 20 7946 0958", "442079460958"}},
		{Phone, "GB", "+447700900123", []string{"07700 900123", "+44 7700 900 123", "447700900123"}},
		{Phone, "DE", "+4930901820", []string{"030 901820", "030/901820", "+49 (0)30 901820", "0049 30 90 18 20"}},
		{Phone, "FR", "+33612345678", []string{"06 12 34 56 78", "06.12.34.56.78", "+33 (0)6 12 34 56 78"}},
		{Phone, "IN", "+919876543210", []string{"98765 43210", "098765 43210", "+91-98765-43210"}},
		{Phone, "AU", "+61412345678", []string{"0412 345 678", "+61 (0)412 345 678"}},
		{Phone, "PH", "+639171234567", []string{"0917 123 4567", "+63 917-123-4567"}},
		{Phone, "BR", "+5511987654321", []string{"(11) 98765-4321", "+55 11 98765 4321"}},
		{Phone, "JP", "+819012345678", []string{"090-1234-5678", "+81 90 1234 5678"}},
		{Phone, "", "+14165550142", []string{"+1 416 555 0142", "0014165550142"}},
		{Email, "", "j.doe+x@example.org", []string{"J.Doe+x@Example.ORG", "<j.doe+x@example.org>", "mailto:j.doe+x@example.org?subject=hi", "J Doe <j.doe+x@example.org>", "j.doe+x[at]example[dot]org", "j.doe+x (at) example (dot) org", "j.doe+x&#64;example.org", "j.doe+x＠example.org", "j.doe\u200b+x@example.org", `"j.doe+x"@example.org`, "j.doe+x@example.org."}},
		{Email, "", "info@xn--mnchen-3ya.example", []string{"info@münchen.example", "INFO@MÜNCHEN.EXAMPLE", "info@xn--mnchen-3ya.example"}},
		{Email, "", `"john doe"@example.org`, []string{`"John Doe"@example.org`}},
		{IP, "", "8.8.8.8", []string{"8.8.8.8", "8.8.8.8:443", "::ffff:8.8.8.8", "[::ffff:8.8.8.8]:80", "8[.]8[.]8[.]8", "8.8.8.8/32", "8.8.8.8/24"}},
		{IP, "", "2001:4860:4860::8888", []string{"2001:4860:4860::8888", "2001:4860:4860:0:0:0:0:8888", "[2001:4860:4860::8888]:443", "2001:4860:4860::8888%eth0", "2001:4860:4860::8888/128"}},
		{Domain, "", "evil.example.org", []string{"evil.example.org", "EVIL.example.org.", "evil[.]example[.]org", "evil(dot)example(dot)org", "*.evil.example.org"}},
		{Domain, "", "xn--bcher-kva.example", []string{"bücher.example", "BÜCHER.example", "xn--bcher-kva.example"}},
		{URL, "", "https://example.org/Path%2Fx?Q=%3A", []string{"https://example.org/Path%2fx?Q=%3a", "HTTPS://EXAMPLE.org:443/Path%2fx?Q=%3a#part", "hxxps://example[.]org/Path%2fx?Q=%3a", "https[:]//example.org/Path%2Fx?Q=%3A", "example.org/Path%2fx?Q=%3a", "https://me:secret@example.org/Path%2fx?Q=%3a"}},
		{URL, "", "http://example.org/", []string{"http://example.org", "http://example.org:80/", "hxxp://example.org", "http://example.org#top"}},
		{URL, "", "http://[2606:4700::1111]:8080/x", []string{"http://[2606:4700:0::1111]:8080/x"}},
		{URL, "", "https://xn--bcher-kva.example/%C3%BC", []string{"https://bücher.example/ü", "https://bücher.example/%c3%bc"}},
		{Account, "", "instagram:j.doe", []string{"instagram:J.Doe", "IG: j.doe", "insta @j.doe", "Instagram - j.doe", "https://www.instagram.com/J.Doe/?hl=en", "instagram.com/j.doe", "Instagram username: j.doe", "ｉｎｓｔａｇｒａｍ:j.doe"}},
		{Account, "", "kik:foo_99", []string{"Kik: foo_99", "kik:foo_99", "kik.me/foo_99", "foo_99 on Kik", "foo_99 (kik)", `Kik username is "foo_99"`}},
		{Account, "", "discord:Foo#1234", []string{"Discord Foo#1234", "discord:Foo#1234"}},
		{Account, "", "telegram:foobar", []string{"telegram @FooBar", "t.me/foobar", "tg://resolve?domain=foobar", "Telegram: @foobar"}},
		{Account, "", "facebook:100004567890123", []string{"https://www.facebook.com/profile.php?id=100004567890123", "facebook:100004567890123"}},
		{Account, "", "youtube:UCabcdefghijklmnopqrstuv", []string{"https://www.youtube.com/channel/UCabcdefghijklmnopqrstuv"}},
		{Account, "", "mastodon:jo@mastodon.social", []string{"@jo@mastodon.social", "mastodon:jo@mastodon.social"}},
		{Account, "", "reddit:some_name", []string{"u/some_name", "/u/Some_Name", "https://old.reddit.com/user/some_name/comments"}},
		{Account, "", "chatstep:some name", []string{"Chatstep:some name"}},
		{MD5, "", "9e107d9d372bb6826bd81d3542a419d6", []string{"9E107D9D372BB6826BD81D3542A419D6", "md5:9e107d9d372bb6826bd81d3542a419d6", "MD5 = 9e107d9d372bb6826bd81d3542a419d6"}},
		{SHA1, "", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", []string{"2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12"}},
		{SHA256, "", "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592", []string{"sha256:D7A8FBB307D7809469CA9ABCB0082E4F8D5651E46D3CDB762D02D0BF37C9E592"}},
		{Wallet, "", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", []string{"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "ethereum:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}},
		{Wallet, "", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", []string{"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4?amount=1"}},
	} {
		for _, raw := range c.raws {
			id, err := Parse(c.kind, raw, c.region)
			if err != nil || id.Value() != c.want || id.Kind() != c.kind {
				t.Errorf("%v %q in %q: got %q, %v; want %q", c.kind, raw, c.region, id.Value(), err, c.want)
			}
		}
	}
}

func TestWhatIsNoIdentifierIsRefusedInASentence(t *testing.T) {
	for kind, raws := range map[Kind][]string{
		Phone:   {"", "911", "555-0142", "12345678901234567890", "+1 416 555", "2024-01-15", "hello", "+999 123 456", "416-555-0142 or later", "10.0.0.1", "1-800-FLOWERS"},
		Email:   {"j.doe", "@example.org", "j.doe@", "j.doe@localhost", "j.doe@example", "a b@example.org", "a..b@example.org", "j@co.uk", "j@[8.8.8.8]", strings.Repeat("x", 65) + "@example.org"},
		IP:      {"10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.0.1", "100.64.0.1", "203.0.113.5", "198.51.100.5", "192.0.2.5", "224.0.0.1", "255.255.255.255", "0.0.0.0", "8.8.8.0/24", "256.1.1.1", "1.2.3", "08.8.8.8", "::1", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1", "3fff::1", "8.8.8.8:x", "8.8.8.8/33", "[::1"},
		Domain:  {"com", "co.uk", "localhost", "host.local", "report.docx", "a b.com", "-x-.com", "1.2.3.4", "4.3.2.1.in-addr.arpa", "foo_bar.com", "x..com", strings.Repeat("a", 64) + ".com", "x.onion", "例.invalid"},
		URL:     {"https://", "https://localhost/x", "http://10.0.0.1/", "http://intranet/x", "file:///etc/passwd", "javascript:alert(1)", "https://example.org:99999/", "https://example.org:x/", "http://2606:4700::1111/", "http://[8.8.8.8]/", "https://co.uk/x", "https://com.x"},
		Account: {"j.doe", "@jdoe", "kik:", "kik:foo bar", "12:30", "https://www.instagram.com/p/abc/", "http:foo", "kik:" + strings.Repeat("x", 65), "snapchat:a/b"},
		MD5:     {"9e107d9d372bb6826bd81d3542a419d", "d41d8cd98f00b204e9800998ecf8427e", strings.Repeat("0", 32), "xyz07d9d372bb6826bd81d3542a419d6"},
		SHA1:    {"9e107d9d372bb6826bd81d3542a419d6", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		SHA256:  {"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"},
		Wallet:  {"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "Bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3B"},
		0:       {"x"},
		99:      {"x"},
	} {
		for _, raw := range raws {
			id, err := Parse(kind, raw, "US")
			var refusal Refusal
			if !errors.As(err, &refusal) {
				t.Errorf("%v %q: got %q, %v; want a Refusal", kind, raw, id.Value(), err)
				continue
			}
			if !slices.Contains(refusals, refusal) {
				t.Errorf("%v %q: %q is not one of the sentences", kind, raw, refusal)
			}
		}
	}
	for _, refusal := range refusals {
		if sentence := refusal.Error(); !strings.HasSuffix(sentence, ".") || sentence[0] < 'A' || sentence[0] > 'Z' {
			t.Errorf("%q is no sentence", sentence)
		}
	}
}

// refusals are all sentences that Parse has. They are constants, so none can hold what was parsed.
var refusals = []Refusal{
	RefusedEmpty, RefusedTooLong, RefusedKind, RefusedEmail, RefusedPhone, RefusedIP, RefusedPrivateIP, RefusedNetwork,
	RefusedDomain, RefusedURL, RefusedAccount, RefusedHash, RefusedEmptyHash, RefusedWallet,
}

func TestRawTextBeyondTheLimitIsRefused(t *testing.T) {
	if _, err := Parse(URL, "https://example.org/"+strings.Repeat("x", MaxRaw), ""); err != RefusedTooLong {
		t.Errorf("got %v, want %v", err, RefusedTooLong)
	}
	if _, err := Parse(URL, "https://example.org/"+strings.Repeat("x", MaxValue), ""); err != RefusedTooLong {
		t.Errorf("got %v, want %v", err, RefusedTooLong)
	}
}

func TestNoFormOfPrintingShowsTheValue(t *testing.T) {
	id := mustParse(t, Email, "secret@example.org")
	holder := struct{ inner Identifier }{id}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "id", id, "holder", holder)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "id", id, "holder", holder)
	asJSON, err := json.Marshal(map[string]any{"id": id})
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p", "%T"} {
		printed += fmt.Sprintf(verb, id) + fmt.Sprintf(verb, holder) + fmt.Sprintf(verb, []Identifier{id}) + fmt.Sprintf(verb, &id)
	}
	if strings.Contains(printed, "secret") || strings.Contains(printed, "736563726574") {
		t.Errorf("printed: %s", printed)
	}
	if got, want := id.String(), "email(redacted)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (Identifier{}).String(), "none"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInputIsTagVersionKindAndValue(t *testing.T) {
	id := mustParse(t, Email, "J.Doe@example.org")
	want := "interlock/identifier\x00\x01\x01j.doe@example.org"
	if diff := cmp.Diff(want, string(id.Input())); diff != "" {
		t.Error(diff)
	}
	if (Identifier{}).Input() != nil {
		t.Error("the zero Identifier has an input")
	}
	// One text as two kinds is two inputs.
	account := mustParse(t, Account, "x:example.org")
	domain := mustParse(t, Domain, "example.org")
	if string(account.Input()) == string(domain.Input()) {
		t.Error("two identifiers share an input")
	}
}

func TestOnlyTheStoredFormDecodes(t *testing.T) {
	for _, stored := range []string{"", "\x01", "\x01\x01", "\x01\x01J.Doe@example.org", "\x01\x01j.doe@example.org ", "\x01\x02+1 416 555 0142", "\x01\x02+04165550142", "\x01\x03::ffff:8.8.8.8", "\x01\x03010.1.1.1", "\x01\x04Example.org", "\x01\x05https://example.org", "\x01\x05https://example.org:443/", "\x01\x06Kik:foo", "\x01\x06kik:FOO", "\x01\x079E107D9D372BB6826BD81D3542A419D6", "\x01\x00x", "\x01\x0bx", "\x01\x01j.doe@example.org\xff"} {
		if id, err := Decode([]byte(stored)); err != ErrStored || id != (Identifier{}) {
			t.Errorf("%q: got %v, %v; want ErrStored", stored, id, err)
		}
	}
	if _, err := Decode([]byte("\x02\x01j.doe@example.org")); err != ErrVersion {
		t.Errorf("got %v, want ErrVersion", err)
	}
	if _, err := (Identifier{}).MarshalBinary(); err == nil {
		t.Error("the zero Identifier has a stored form")
	}
	// What another build's tables accepted stays readable.
	for _, stored := range []string{"\x01\x02+15550000000", "\x01\x04name.newtop", "\x01\x01x@name.newtop", "\x01\x05https://name.newtop/"} {
		if _, err := Decode([]byte(stored)); err != nil {
			t.Errorf("%q: %v", stored, err)
		}
	}
}

func TestKindsHaveNamesAndFixedNumbers(t *testing.T) {
	var names []string
	for i, kind := range Kinds() {
		if int(kind) != i+1 {
			t.Errorf("%v has number %d, want %d", kind, kind, i+1)
		}
		again, err := ParseKind(kind.String())
		if err != nil || again != kind {
			t.Errorf("%v does not come back from its name: %v", kind, err)
		}
		names = append(names, kind.String())
	}
	want := "email phone ip domain url account md5 sha1 sha256 wallet"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := ParseKind("mail"); err == nil {
		t.Error("mail is a kind")
	}
}

func TestRegionsAreCountries(t *testing.T) {
	for raw, want := range map[string]Region{"CA": "CA", "gb": "GB", " us ": "US"} {
		if got, err := ParseRegion(raw); err != nil || got != want {
			t.Errorf("%q: got %q, %v", raw, got, err)
		}
	}
	for _, raw := range []string{"", "XX", "USA", "001", "U"} {
		if got, err := ParseRegion(raw); err != RefusedRegion {
			t.Errorf("%q: got %q, %v", raw, got, err)
		}
	}
}

func mustParse(t *testing.T, kind Kind, raw string) Identifier {
	t.Helper()
	id, err := Parse(kind, raw, "US")
	if err != nil {
		t.Fatalf("%v %q: %v", kind, raw, err)
	}
	return id
}
