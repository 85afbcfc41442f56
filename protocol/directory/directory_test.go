package directory

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
)

func TestADirectoryReadsBackAsItWas(t *testing.T) {
	founded := example(t)
	founded.Epochs = nil
	for name, d := range map[string]*Directory{"with keys": example(t), "before the first ceremony": founded} {
		got, err := Decode(encode(t, d))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(d, got, sameRecipient); diff != "" {
			t.Errorf("%s: Decode (-want +got):\n%s", name, diff)
		}
	}
}

func TestADirectoryThatDoesNotHoldTogetherIsRefused(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Directory)
	}{
		{"agencies out of order", func(d *Directory) { slices.Reverse(d.Agencies) }},
		{"an agency twice", func(d *Directory) { d.Agencies[1] = d.Agencies[0] }},
		{"one key for two agencies", func(d *Directory) { d.Agencies[1].Key = d.Agencies[0].Key }},
		{"a status that is none", func(d *Directory) { d.Agencies[0].Status = 7 }},
		{"an agency that can be reached nowhere", func(d *Directory) { d.Agencies[0].Addresses = nil }},
		{"a control character in a name", func(d *Directory) { d.Agencies[0].Name = "Denver\x1b[2J" }},
		{"a control sequence of eight bits", func(d *Directory) { d.Agencies[0].Addresses = []string{"/dns4/a\u009b31mb/tcp/1"} }},
		{"a change of direction", func(d *Directory) { d.Agencies[0].Contact = "desk \u202e1234" }},
		{"an id in capitals", func(d *Directory) { d.Agencies[0].ID = "Boulder" }},
		{"servers out of order", func(d *Directory) { slices.Reverse(d.Servers) }},
		{"one number for two servers", func(d *Directory) { d.Servers[1].Index = 1 }},
		{"a server without a number", func(d *Directory) { d.Servers[0].Index = 0 }},
		{"one key for two servers", func(d *Directory) { d.Servers[1].Key = d.Servers[0].Key }},
		{"a server's key that anybody signs for", func(d *Directory) { d.Servers[0].Key = wire.Peer{1} }},
		{"a server without a name", func(d *Directory) { d.Servers[0].Name = "" }},
		{"an address that is too long", func(d *Directory) { d.Servers[0].Addresses[0] = strings.Repeat("a", MaxText+1) }},
		{"too many addresses", func(d *Directory) { d.Servers[0].Addresses = slices.Repeat([]string{"/a"}, MaxAddresses+1) }},
		{"no servers", func(d *Directory) { d.Servers = nil }},
		{"too many servers", func(d *Directory) {
			for n := oprf.Index(5); len(d.Servers) <= MaxServers; n++ {
				s := d.Servers[0]
				s.Index, s.Key = n, peer(byte(n))
				d.Servers = append(d.Servers, s)
			}
		}},
		{"two keys in force", func(d *Directory) { d.Epochs[0].Retiring = false }},
		{"a policy without a budget", func(d *Directory) { d.Policy.Daily = 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := example(t)
			tt.edit(d)
			if _, err := Decode(encode(t, d)); !errors.Is(err, ErrMalformed) {
				t.Errorf("Decode = %v, want %v", err, ErrMalformed)
			}
		})
	}
}

func TestHashesInADirectoryHaveOneSize(t *testing.T) {
	for name, edit := range map[string]func(*wire.Directory){
		"genesis":       func(m *wire.Directory) { m.Genesis = m.Genesis[:31] },
		"record's root": func(m *wire.Directory) { m.RecordRoot = append(m.RecordRoot, 0) },
		"no root":       func(m *wire.Directory) { m.RecordRoot = nil },
		"no policy":     func(m *wire.Directory) { m.Policy = nil },
		"server beyond": func(m *wire.Directory) { m.Servers[2].Index = 1<<16 + 4 },
	} {
		var m wire.Directory
		if err := wire.Unmarshal(encode(t, example(t)), &m); err != nil {
			t.Fatal(err)
		}
		edit(&m)
		b, err := wire.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Decode = %v, want %v", name, err, ErrMalformed)
		}
	}
}

func TestWhoIsListedIsFound(t *testing.T) {
	d := example(t)
	d.Agencies[0].Status = Suspended
	if a, ok := d.Agency("denver-pd"); !ok || a.Key != peer(21) {
		t.Errorf("Agency(denver-pd) = %v, %t", a.ID, ok)
	}
	if a, ok := d.AgencyOf(peer(20)); !ok || a.ID != "boulder-so" {
		t.Errorf("AgencyOf = %v, %t, want boulder-so", a.ID, ok)
	}
	if s, ok := d.ServerOf(peer(4)); !ok || s.Index != 4 {
		t.Errorf("ServerOf = %d, %t, want 4", s.Index, ok)
	}
	if active := d.Active(); len(active) != 1 || active[0].ID != "denver-pd" {
		t.Errorf("Active has %d agencies, want denver-pd alone", len(active))
	}
	_, agency := d.Agency("nobody")
	_, agencyKey := d.AgencyOf(peer(4))
	_, server := d.ServerOf(peer(20))
	if agency || agencyKey || server {
		t.Errorf("found who is not listed: %t, %t, %t", agency, agencyKey, server)
	}
}

func TestAnAgencysIDHasOneForm(t *testing.T) {
	for id, ok := range map[string]bool{
		"denver-pd": true, "a1": true, "x": false, "": false, "-a": false, "a-": false, "Denver": false, "a b": false,
		"a.b": false, "é1": false, "abcdefghijklmnopqrstuvwxyz0123456789": false,
	} {
		if _, err := ParseAgencyID(id); (err == nil) != ok {
			t.Errorf("ParseAgencyID(%q) = %v, want accepted %t", id, err, ok)
		}
	}
}

func TestAStatusHasAName(t *testing.T) {
	for s, want := range map[Status]string{Unknown: "unknown", Pending: "pending", Active: "active", Suspended: "suspended", Refused: "refused", 9: "status 9"} {
		if got := fmt.Sprint(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	founded := example(f)
	founded.Epochs, founded.Policy, founded.Agencies = nil, FirstPolicy(), nil
	f.Add(encode(f, example(f)))
	f.Add(encode(f, founded))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		if again := encode(t, d); !bytes.Equal(again, b) {
			t.Fatal("decoded and encoded again it differs")
		}
	})
}
