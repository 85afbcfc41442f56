package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func group(t testing.TB, name string) Audience {
	t.Helper()
	a, err := GroupAudience(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func list(t testing.TB, agencies ...AgencyID) Audience {
	t.Helper()
	a, err := ListAudience(agencies...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func many(n int) (agencies []AgencyID) {
	for i := range n {
		agencies = append(agencies, AgencyID(fmt.Sprintf("%s-%03d", strings.Repeat("a", 28), i)))
	}
	return agencies
}

func TestAnAudienceIsReadBackAsItWas(t *testing.T) {
	for text, want := range map[string]Audience{
		"":                                 Everyone,
		"group:border":                     group(t, "border"),
		"agencies:boulder-so":              list(t, "boulder-so"),
		"agencies:boulder-so,denver-pd":    list(t, "denver-pd", "boulder-so", "denver-pd"),
		list(t, many(MaxListed)...).text:   list(t, many(MaxListed)...),
		"group:" + strings.Repeat("a", 32): group(t, strings.Repeat("a", 32)),
	} {
		if got, err := ParseAudience(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseAudience(%q) = %q, %v; want %q", text, got, err, want)
		}
		b, err := json.Marshal(struct{ A Audience }{want})
		var back struct{ A Audience }
		if err := errors.Join(err, json.Unmarshal(b, &back)); err != nil || back.A != want {
			t.Errorf("from a record: %q, %v; want %q", back.A, err, want)
		}
	}
}

func TestTheOrderOfAListIsNotPartOfIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agencies := rapid.SliceOfNDistinct(rapid.SampledFrom(many(40)), 1, MaxListed, rapid.ID).Draw(t, "agencies")
		one, err := ListAudience(agencies...)
		if err != nil {
			t.Fatal(err)
		}
		other, err := ListAudience(append(rapid.Permutation(agencies).Draw(t, "order"), agencies[0])...)
		if err != nil || other != one {
			t.Fatalf("in another order it is %q, %v; want %q", other, err, one)
		}
		if got := one.Listed(); !slices.IsSorted(got) || len(got) != len(agencies) {
			t.Fatalf("Listed = %v, want the %d in order", got, len(agencies))
		}
	})
}

func TestWhatNamesNoAudienceIsRefused(t *testing.T) {
	for _, text := range []string{
		" ", "everyone", "group", "group:", "group:Border", "group: border", "group:x", "group:" + strings.Repeat("a", 33),
		"agencies:", "agencies:x", "agencies:denver-pd,boulder-so", "agencies:boulder-so,boulder-so", "agencies:boulder-so,",
		"agencies:,boulder-so", "agencies: boulder-so", "agencies:Boulder-so", "Agencies:boulder-so",
		"agencies:" + strings.TrimPrefix(list(t, many(MaxListed)...).text, listAudience) + ",zz",
		"agencies:" + strings.Repeat("a", 1<<20),
	} {
		if a, err := ParseAudience(text); !errors.Is(err, ErrAudience) {
			t.Errorf("ParseAudience(%.40q) = %.40q, %v; want %v", text, a, err, ErrAudience)
		}
	}
	for name, agencies := range map[string][]AgencyID{"nobody": nil, "too many": many(MaxListed + 1), "no agency": {"boulder-so", "x"}} {
		if _, err := ListAudience(agencies...); !errors.Is(err, ErrAudience) {
			t.Errorf("%s: ListAudience = %v, want %v", name, err, ErrAudience)
		}
	}
	var a Audience
	if err := json.Unmarshal([]byte(`"group:"`), &a); !errors.Is(err, ErrAudience) {
		t.Errorf("from a record: %v, want %v", err, ErrAudience)
	}
}

// TestWhoIsInAnAudience: denver announces; aurora and boulder are active, golden
// is suspended. The group border has boulder and denver, the group plains has
// aurora and boulder, and denver is not in it.
func TestWhoIsInAnAudience(t *testing.T) {
	d := example(t)
	for i, id := range []AgencyID{"aurora-pd", "golden-pd"} {
		d.Agencies = append(d.Agencies, Agency{ID: id, Key: peer(byte(30 + i)), Status: Active})
	}
	slices.SortFunc(d.Agencies, func(a, b Agency) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for i := range d.Agencies {
		if d.Agencies[i].ID == "golden-pd" {
			d.Agencies[i].Status = Suspended
		}
	}
	d.Policy.Groups = append(d.Policy.Groups, Group{Name: "plains", Agencies: []AgencyID{"aurora-pd", "boulder-so"}})
	border, plains := group(t, "border"), group(t, "plains")
	tests := []struct {
		name           string
		audience       Audience
		author, reader AgencyID
		want           bool
	}{
		{"every member", Everyone, "denver-pd", "aurora-pd", true},
		{"the author itself", Everyone, "denver-pd", "denver-pd", true},
		{"who is suspended", Everyone, "denver-pd", "golden-pd", false},
		{"of who is suspended", Everyone, "golden-pd", "denver-pd", false},
		{"its own, suspended", Everyone, "golden-pd", "golden-pd", false},
		{"a stranger", Everyone, "denver-pd", "vail-pd", false},
		{"of a stranger", Everyone, "vail-pd", "denver-pd", false},
		{"in the group", border, "denver-pd", "boulder-so", true},
		{"not in the group", border, "denver-pd", "aurora-pd", false},
		{"an author not in the group", plains, "denver-pd", "aurora-pd", false},
		{"that author itself", plains, "denver-pd", "denver-pd", true},
		{"a group that nobody is in", group(t, "nobody-yet"), "denver-pd", "boulder-so", false},
		{"a group that is not there", group(t, "mountains"), "denver-pd", "boulder-so", false},
		{"listed", list(t, "aurora-pd"), "denver-pd", "aurora-pd", true},
		{"not listed", list(t, "aurora-pd"), "denver-pd", "boulder-so", false},
		{"the author, not listed", list(t, "aurora-pd"), "denver-pd", "denver-pd", true},
		{"listed and suspended", list(t, "golden-pd"), "denver-pd", "golden-pd", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.audience.Admits(d, tt.author, tt.reader); got != tt.want {
				t.Errorf("Admits = %t, want %t", got, tt.want)
			}
			if tt.audience.Admits(nil, tt.author, tt.reader) {
				t.Error("without a directory somebody is admitted")
			}
		})
	}
}

func TestAnAudienceSaysWhatItIs(t *testing.T) {
	for _, tt := range []struct {
		a      Audience
		group  string
		listed []AgencyID
	}{
		{a: Everyone}, {a: group(t, "border"), group: "border"}, {a: list(t, "b2", "a1"), listed: []AgencyID{"a1", "b2"}},
	} {
		name, ok := tt.a.Group()
		if ok != (tt.group != "") || ok && name != tt.group || !slices.Equal(tt.a.Listed(), tt.listed) {
			t.Errorf("%q: Group = %q, %t, Listed = %v; want %q, %v", tt.a, name, ok, tt.a.Listed(), tt.group, tt.listed)
		}
	}
}

func FuzzParseAudience(f *testing.F) {
	for _, text := range []string{"", "group:border", "agencies:boulder-so,denver-pd", "agencies:b,a", "group:", "agencies:"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAudience(text)
		if err != nil {
			if !errors.Is(err, ErrAudience) {
				t.Fatalf("error %v is not ErrAudience", err)
			}
			return
		}
		if a.String() != text || len(a.Listed()) > MaxListed {
			t.Fatalf("%q is read as %q of %d agencies", text, a, len(a.Listed()))
		}
	})
}
