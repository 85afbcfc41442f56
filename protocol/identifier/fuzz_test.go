package identifier

import (
	"bytes"
	"strings"
	"testing"
)

// seeds are texts with something of everything.
var seeds = []string{
	"Call (416) 555-0142 or +44 (0)20 7946 0958, tel:+14165550142;ext=12",
	"hxxps://evil[.]example[.]com:443/a%2fb?c#d bad (at) example (dot) org",
	"\u200ejoe\u00a0＠example。com ＋１ ４１６ ５５５ ０１４２ &#64; &amp;amp;lt;",
	"Kik: foo_99, Discord - foo#1234, @joe@mastodon.social @joe:matrix.org u/some_name https://t.me/foobar",
	"9e107d9d372bb6826bd81d3542a419d6 SHA256: D7A8FBB307D7809469CA9ABCB0082E4F8D5651E46D3CDB762D02D0BF37C9E592",
	"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
	"[2606:4700::1111]:443 ::ffff:8.8.8.8 8.8.8.8/32 Chrome/120.0.0.0 1.2.3.4-beta",
	"Message-ID: <a@b.example.com>\r\n <c@d.example.com>\rReceived: from [8.8.8.8]",
	`{"a":"https:\/\/example.com\/","b":"\u0040x","c":"joe\u0040example.com"}`,
	"bücher@bücher.example.com https://例子.中国/ü \xff\xfe foo@\xc3\x28.com",
	"_example.com_ *416-555-0142* `code@example.com` [x](https://example.org/a_(b)) \"john doe\"@example.org",
}

func FuzzExtractFindsWhatParseReads(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed, "US")
		f.Add(seed, "GB")
	}
	f.Fuzz(func(t *testing.T, text, region string) {
		valid, err := ParseRegion(region)
		if err != nil {
			valid = ""
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, found := range Extract(text, valid) {
			id := found.Identifier
			if found.Line < 1 || found.Line > lines {
				t.Errorf("line %d of %d", found.Line, lines)
			}
			if found.Raw == "" || !strings.Contains(text, found.Raw) {
				t.Errorf("raw %q is not in the text", found.Raw)
			}
			again, err := Parse(id.Kind(), id.Value(), valid)
			if err != nil || again != id {
				t.Errorf("the value %q of kind %v parses to %q, %v", id.Value(), id.Kind(), again.Value(), err)
			}
			checkStored(t, id)
		}
	})
}

func FuzzParseGivesCanonicalForm(f *testing.F) {
	for _, kind := range Kinds() {
		for _, seed := range seeds {
			for word := range strings.FieldsSeq(seed) {
				f.Add(uint8(kind), word)
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, raw string) {
		id, err := Parse(Kind(kind), raw, "US")
		if err != nil {
			if _, ok := err.(Refusal); !ok {
				t.Errorf("error %v is no Refusal", err)
			}
			return
		}
		again, err := Parse(id.Kind(), id.Value(), "GB")
		if err != nil || again != id {
			t.Errorf("%q gives %q, which gives %q, %v", raw, id.Value(), again.Value(), err)
		}
		checkStored(t, id)
	})
}

func checkStored(t *testing.T, id Identifier) {
	t.Helper()
	stored, err := id.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Decode(stored); err != nil || again != id {
		t.Errorf("stored %q does not come back: %v", stored, err)
	}
}

func FuzzDecodeAcceptsOnlyWhatIsStored(f *testing.F) {
	for _, kind := range Kinds() {
		for _, seed := range seeds {
			for word := range strings.FieldsSeq(seed) {
				f.Add(append([]byte{Version, byte(kind)}, word...))
			}
		}
	}
	f.Add([]byte{})
	f.Add([]byte{Version + 1, byte(Email), 'x'})
	f.Fuzz(func(t *testing.T, stored []byte) {
		id, err := Decode(stored)
		if err != nil {
			return
		}
		again, err := id.MarshalBinary()
		if err != nil || !bytes.Equal(again, stored) {
			t.Errorf("%q is stored as %q, %v", stored, again, err)
		}
	})
}
