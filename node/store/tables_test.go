package store

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"interlock/crypto/token"
)

// TestTheOrderOfKeysIsTheOrderOfTheirPrefixes is what Pebble asks of a comparer
// whose filters know only a part of a key.
func TestTheOrderOfKeysIsTheOrderOfTheirPrefixes(t *testing.T) {
	c := comparer()
	keys := rapid.Custom(func(t *rapid.T) []byte {
		f := feedNumber{rapid.Uint32Range(0, 2).Draw(t, "author"), rapid.Uint16Range(0, 2).Draw(t, "audience")}
		k := entryKey(f, rapid.Uint64Range(0, 1<<17).Draw(t, "number"))
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			return k[:rapid.IntRange(1, entryPrefixSize).Draw(t, "length")]
		case 1:
			tag := keyOfTag(tableTagged, f.author, 1, token.Tag{byte(f.audience)})
			return tag[:]
		}
		return k
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := keys.Draw(t, "a"), keys.Draw(t, "b")
		pa, pb := a[:c.Split(a)], b[:c.Split(b)]
		order, prefixes := c.Compare(a, b), c.Compare(pa, pb)
		switch {
		case prefixes != 0 && prefixes != order:
			t.Errorf("%x and %x compare as %d, their prefixes as %d", a, b, order, prefixes)
		case prefixes == 0 && order != c.ComparePointSuffixes(a[len(pa):], b[len(pb):]):
			t.Errorf("%x and %x compare as %d, and their suffixes otherwise", a, b, order)
		case len(pa) < len(a) && c.Compare(pa, a) >= 0:
			t.Errorf("prefix of %x does not come first", a)
		case c.Split(pa) != len(pa):
			t.Errorf("prefix of prefix %x is shorter", pa)
		}
		if order >= 0 {
			return
		}
		between := c.Separator(nil, a, b)
		if c.Compare(a, between) > 0 || c.Compare(between, b) >= 0 || c.Compare(pa, between[:c.Split(between)]) > 0 || c.Compare(between[:c.Split(between)], pb) > 0 {
			t.Errorf("%x is not between %x and %x", between, a, b)
		}
	})
}

func TestTablesWithoutBoundHaveFilesOfTheirOwn(t *testing.T) {
	var ends []byte
	for start := []byte{0}; start != nil; {
		policy, end, err := spans(start)
		if err != nil {
			t.Fatal(err)
		}
		if own := bytes.ContainsAny(start[:1], "EFT"); policy.DisableValueSeparationBySuffix != own {
			t.Errorf("span from %q on: own %t, want %t", start, !own, own)
		}
		if end != nil && bytes.Compare(end, start) <= 0 {
			t.Fatalf("span from %q on ends at %q", start, end)
		}
		ends, start = append(ends, end...), end
	}
	if !slices.Equal(ends, []byte("EFGTU")) {
		t.Errorf("spans end at %q, want EFGTU", ends)
	}
}
