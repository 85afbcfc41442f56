package directory

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/token"
	"interlock/protocol/wire"
)

func TestAPolicyReadsBackAsItWas(t *testing.T) {
	for name, want := range map[string]Policy{"first": FirstPolicy(), "full": policy(), "limits": {
		Daily: MaxDaily, Retention: MaxDays, Refresh: MaxDays, Quotas: []Quota{{Agency: "a1", Daily: MaxDaily}},
	}} {
		got, err := PolicyOf(want.Message())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// Tags have no text that a difference could show.
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: PolicyOf (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnAgencysOwnBudgetStandsInsteadOfEverybodys(t *testing.T) {
	p := policy()
	for id, want := range map[AgencyID]uint64{"boulder-so": 0, "denver-pd": 5_000, "golden-pd": 1_000} {
		if got := p.DailyOf(id); got != want {
			t.Errorf("DailyOf(%s) = %d, want %d", id, got, want)
		}
	}
}

func TestAPolicyHasLimits(t *testing.T) {
	tests := []struct {
		name string
		edit func(*wire.Policy)
		want string
	}{
		{"no budget", func(m *wire.Policy) { m.Daily = 0 }, "daily"},
		{"a budget without end", func(m *wire.Policy) { m.Daily = MaxDaily + 1 }, "daily"},
		{"retention", func(m *wire.Policy) { m.Retention = MaxDays + 1 }, "retention"},
		{"refresh", func(m *wire.Policy) { m.Refresh = MaxDays + 1 }, "refresh"},
		{"groups out of order", func(m *wire.Policy) { m.Groups[0], m.Groups[1] = m.Groups[1], m.Groups[0] }, "groups"},
		{"a group twice", func(m *wire.Policy) { m.Groups[1].Name = m.Groups[0].Name }, "groups"},
		{"a group's name in capitals", func(m *wire.Policy) { m.Groups[0].Name = "Border" }, "groups"},
		{"a group without a name", func(m *wire.Policy) { m.Groups[0].Name = "" }, "groups"},
		{"a group with who is no agency", func(m *wire.Policy) { m.Groups[1].Agencies = []string{"x"} }, "groups"},
		{"a group out of order", func(m *wire.Policy) { m.Groups[0].Agencies = []string{"denver-pd", "boulder-so"} }, "groups"},
		{"an agency twice in a group", func(m *wire.Policy) { m.Groups[0].Agencies = []string{"denver-pd", "denver-pd"} }, "groups"},
		{"too many groups", func(m *wire.Policy) {
			m.Groups = nil
			for i := range MaxGroups + 1 {
				m.Groups = append(m.Groups, &wire.Group{Name: fmt.Sprintf("group-%04d", i)})
			}
		}, "too many"},
		{"tags out of order", func(m *wire.Policy) { m.Muted[0], m.Muted[1] = m.Muted[1], m.Muted[0] }, "muted"},
		{"a tag twice", func(m *wire.Policy) { m.Muted[1] = m.Muted[0] }, "muted"},
		{"a short tag", func(m *wire.Policy) { m.Muted[0] = m.Muted[0][1:] }, "muted"},
		{"too many tags", func(m *wire.Policy) {
			m.Muted = nil
			for i := range MaxMuted + 1 {
				m.Muted = append(m.Muted, append(make([]byte, len(token.Tag{})-2), byte(i>>8), byte(i)))
			}
		}, "too many"},
		{"quotas out of order", func(m *wire.Policy) { m.Quotas[0], m.Quotas[1] = m.Quotas[1], m.Quotas[0] }, "quotas"},
		{"a quota twice", func(m *wire.Policy) { m.Quotas[1].Agency = m.Quotas[0].Agency }, "quotas"},
		{"a quota without end", func(m *wire.Policy) { m.Quotas[0].Daily = MaxDaily + 1 }, "quotas"},
		{"a quota of who is no agency", func(m *wire.Policy) { m.Quotas[0].Agency = "B" }, "quotas"},
		{"more bytes than travel with every directory", func(m *wire.Policy) {
			for i := range 1_600 {
				m.Quotas = append(m.Quotas, &wire.AgencyQuota{Agency: fmt.Sprintf("zz-%s-%04d", strings.Repeat("a", 20), i), Daily: 1})
			}
		}, "bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := policy().Message()
			tt.edit(m)
			if _, err := PolicyOf(m); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("PolicyOf = %v, want %v naming %q", err, ErrMalformed, tt.want)
			}
		})
	}
	if _, err := PolicyOf(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("no policy: %v, want %v", err, ErrMalformed)
	}
}

func TestADayIsTheUnixDay(t *testing.T) {
	east := time.FixedZone("east", 14*60*60)
	for want, at := range map[uint64]time.Time{
		0:      time.Unix(-1, 0),
		1:      time.Unix(24*60*60, 0),
		20_513: time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC),
		20_512: time.Date(2026, 3, 1, 13, 59, 59, 0, east),
	} {
		if got := Day(at); got != want {
			t.Errorf("Day(%v) = %d, want %d", at, got, want)
		}
	}
}

func FuzzPolicyOf(f *testing.F) {
	for _, p := range []Policy{FirstPolicy(), policy()} {
		b, err := wire.Marshal(p.Message())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m wire.Policy
		if wire.Unmarshal(b, &m) != nil {
			return
		}
		p, err := PolicyOf(&m)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		again, err := wire.Marshal(p.Message())
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("parsed and written again it differs, %v", err)
		}
	})
}
