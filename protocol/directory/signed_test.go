package directory

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"interlock/crypto/oprf"
	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

func key(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func recipient(t testing.TB) vault.Recipient {
	t.Helper()
	id, err := vault.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient()
}

// example is a directory of three servers and two agencies.
func example(t testing.TB) *Directory {
	t.Helper()
	keys, shares, err := oprf.Deal(rand.Reader, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	r := recipient(t)
	d := &Directory{Genesis: GenesisHash{9}, Version: 4, Epoch: 1, Keys: keys}
	for i, s := range shares {
		d.Servers = append(d.Servers, Server{
			Index: s.Index(), Name: fmt.Sprintf("server-%d", i+1), Key: wire.PeerOf(key(byte(i + 1))),
			Addresses: []string{"/ip4/127.0.0.1/tcp/1"}, Recipient: r, Share: s.Public(),
		})
	}
	for i, id := range []AgencyID{"boulder-so", "denver-pd"} {
		d.Agencies = append(d.Agencies, Agency{
			ID: id, Name: string(id), Jurisdiction: "US-CO", Contact: "desk", Key: wire.PeerOf(key(byte(20 + i))),
			Recipient: r, Addresses: []string{"/ip4/127.0.0.1/tcp/2"}, Status: Active,
		})
	}
	return d
}

func encode(t testing.TB, d *Directory) []byte {
	t.Helper()
	b, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// endorsed is d under the signatures of these servers.
func endorsed(t testing.TB, d *Directory, servers ...byte) *wire.SignedDirectory {
	t.Helper()
	s := &wire.SignedDirectory{Directory: encode(t, d)}
	for _, n := range servers {
		s.Endorsements = append(s.Endorsements, &wire.Endorsement{Server: uint32(n), Signature: Endorse(key(n), s.Directory)})
	}
	return s
}

func TestADirectoryReadsBackAsItWas(t *testing.T) {
	d := example(t)
	got, err := Decode(encode(t, d))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got, cmp.Comparer(func(a, b vault.Recipient) bool { return a == b })); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
}

func TestADirectoryCountsWithAMajorityOfThePinnedServers(t *testing.T) {
	d := example(t)
	trust := d.Trust()
	stranger := endorsed(t, d, 1)
	stranger.Endorsements = append(stranger.Endorsements, &wire.Endorsement{Server: 2, Signature: Endorse(key(77), stranger.Directory)})
	altered := endorsed(t, d, 1, 2, 3)
	altered.Directory = bytes.Clone(altered.Directory)
	altered.Directory[len(altered.Directory)-1] ^= 1
	twice := endorsed(t, d, 1, 1)
	descending := endorsed(t, d, 2, 1)
	unknown := endorsed(t, d, 1)
	unknown.Endorsements = append(unknown.Endorsements, &wire.Endorsement{Server: 4, Signature: Endorse(key(4), unknown.Directory)})
	other := example(t)
	other.Genesis = GenesisHash{8}
	tests := []struct {
		name   string
		signed *wire.SignedDirectory
		want   error
	}{
		{"all three", endorsed(t, d, 1, 2, 3), nil},
		{"two", endorsed(t, d, 1, 3), nil},
		{"one", endorsed(t, d, 2), ErrNotEndorsed},
		{"none", endorsed(t, d), ErrNotEndorsed},
		{"one twice", twice, ErrMalformed},
		{"out of order", descending, ErrMalformed},
		{"one and a stranger", stranger, ErrNotEndorsed},
		{"one and a server that is not", unknown, ErrNotEndorsed},
		{"altered after signing", altered, ErrNotEndorsed},
		{"another network's", endorsed(t, other, 1, 2, 3), ErrOtherNetwork},
		{"nothing", &wire.SignedDirectory{}, ErrNotEndorsed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := trust.Verify(tt.signed)
			if !errors.Is(err, tt.want) || (err == nil) != (got != nil) {
				t.Errorf("Verify = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestASignatureForAnotherPurposeDoesNotEndorse(t *testing.T) {
	d := example(t)
	s := &wire.SignedDirectory{Directory: encode(t, d)}
	for n := byte(1); n <= 3; n++ {
		s.Endorsements = append(s.Endorsements, &wire.Endorsement{
			Server: uint32(n), Signature: vault.Sign(key(n), vault.ContextFeed, s.Directory),
		})
	}
	if _, err := d.Trust().Verify(s); !errors.Is(err, ErrNotEndorsed) {
		t.Errorf("Verify = %v, want %v", err, ErrNotEndorsed)
	}
}

func TestADirectoryThatDoesNotHoldTogetherIsRefused(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Directory)
	}{
		{"agencies out of order", func(d *Directory) { d.Agencies[0], d.Agencies[1] = d.Agencies[1], d.Agencies[0] }},
		{"one key for two agencies", func(d *Directory) { d.Agencies[1].Key = d.Agencies[0].Key }},
		{"a pending agency's status", func(d *Directory) { d.Agencies[0].Status = 7 }},
		{"a control character in a name", func(d *Directory) { d.Agencies[0].Name = "Denver\x1b[2J" }},
		{"a control sequence of eight bits", func(d *Directory) { d.Agencies[0].Addresses = []string{"/dns4/a\u009b31mb/tcp/1"} }},
		{"a change of direction", func(d *Directory) { d.Agencies[0].Contact = "desk \u202e1234" }},
		{"an id in capitals", func(d *Directory) { d.Agencies[0].ID = "Boulder" }},
		{"servers that are not numbered on", func(d *Directory) { d.Servers[1].Index = 3 }},
		{"a share that is not the key's", func(d *Directory) { d.Servers[0].Share.Key = d.Servers[1].Share.Key }},
		{"a threshold of none", func(d *Directory) { d.Keys.Threshold = 0 }},
		{"no servers", func(d *Directory) { d.Servers = nil }},
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

func TestAnApplicationIsWhatItsKeySigned(t *testing.T) {
	a := example(t).Agencies[0]
	genesis := GenesisHash{9}
	good, err := SignApplication(key(20), genesis, a, 1)
	if err != nil {
		t.Fatal(err)
	}
	got, hash, err := CheckApplication(good, genesis)
	if err != nil || got.ID != a.ID || got.Status != Pending {
		t.Fatalf("CheckApplication = %v, %v", got.ID, err)
	}
	again, err := SignApplication(key(20), genesis, a, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, other, err := CheckApplication(again, genesis); err != nil || other == hash {
		t.Errorf("two applications have one hash, %v", err)
	}
	if _, _, err := CheckApplication(good, GenesisHash{8}); !errors.Is(err, ErrOtherNetwork) {
		t.Errorf("to another network: %v, want %v", err, ErrOtherNetwork)
	}
	for name, edit := range map[string]func(*wire.Application){
		"contact":   func(m *wire.Application) { m.Contact = "another desk" },
		"addresses": func(m *wire.Application) { m.Addresses = []string{"/ip4/127.0.0.9/tcp/2"} },
		"key":       func(m *wire.Application) { m.Key = key(21).Public().(ed25519.PublicKey) },
		"signature": func(m *wire.Application) { m.Signature[0] ^= 1 },
		"time":      func(m *wire.Application) { m.Time++ },
	} {
		m := proto.Clone(good).(*wire.Application)
		edit(m)
		if _, _, err := CheckApplication(m, genesis); !errors.Is(err, ErrSignature) {
			t.Errorf("altered %s: %v, want %v", name, err, ErrSignature)
		}
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

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, example(f)))
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
