package invitation

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

const lastDay = 20_600

// network has servers at agencies of different names, each with an address for
// TCP and one for QUIC.
func network(servers int) directory.Network {
	n := directory.Network{Name: "National deconfliction network", Genesis: sha256.Sum256([]byte("genesis")), Quorum: directory.Majority(servers)}
	for i := range servers {
		seed := sha256.Sum256(fmt.Appendf(nil, "server %d", i))
		host := fmt.Sprintf("interlock.%s-%d.example.org", []string{"denver", "boulder", "golden", "pueblo"}[i%4], i)
		n.Servers = append(n.Servers, directory.NetworkServer{
			Index: oprf.Index(2*i + 1), Name: fmt.Sprintf("centre-%d", i+1), Key: wire.PeerOf(ed25519.NewKeyFromSeed(seed[:])),
			Addresses: []string{"/dns/" + host + "/tcp/4001", "/dns/" + host + "/udp/4001/quic-v1"},
		})
	}
	return n
}

// seeds reads one byte again and again.
type seeds byte

func (s seeds) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s)
	}
	return len(b), nil
}

func invite(t testing.TB, n directory.Network) Invitation {
	t.Helper()
	i, err := New(seeds(0xab), n, lastDay)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func text(t testing.TB, i Invitation) string {
	t.Helper()
	s, err := i.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnInvitationReadsBackAsItWas(t *testing.T) {
	plain := network(1)
	plain.Servers[0].Addresses = plain.Servers[0].Addresses[:1]
	odd := network(4)
	odd.Name, odd.Quorum, odd.Servers[2].Name = "Zürich – Réseau", 4, "é"
	odd.Servers[3].Index, odd.Servers[1].Name = 65_535, odd.Servers[0].Name
	odd.Servers[3].Addresses = slices.Repeat([]string{strings.Repeat("x", directory.MaxText)}, directory.MaxAddresses)
	for name, n := range map[string]directory.Network{"one server": plain, "three": network(3), "all there can be": network(31), "odd": odd} {
		t.Run(name, func(t *testing.T) {
			want := invite(t, n)
			got, err := Parse(text(t, want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(n, got.Network); diff != "" {
				t.Errorf("network (-want +got):\n%s", diff)
			}
			if got.Expires != lastDay || !got.Key().Equal(want.Key()) || got.Public() != want.Public() || !got.Equal(want) {
				t.Error("the day or the key is another")
			}
		})
	}
}

// TestTheFormOfAnInvitationStays: what one version wrote every later one reads.
func TestTheFormOfAnInvitationStays(t *testing.T) {
	file, err := os.ReadFile("testdata/v1/invitation.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := invite(t, network(3))
	if got := text(t, want) + "\n"; got != string(file) {
		t.Errorf("Encode\ngot  %swant %s", got, file)
	}
	if got, err := Parse(string(file)); err != nil || !got.Equal(want) {
		t.Errorf("Parse = %v, equal %t", err, got.Equal(want))
	}
}

func TestEachInvitationHasAKeyOfItsOwn(t *testing.T) {
	a, errA := New(nil, network(3), lastDay)
	b, errB := New(nil, network(3), lastDay)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if a.Public() == b.Public() || a.Equal(b) {
		t.Error("two invitations have one key")
	}
	if _, err := New(iotest.ErrReader(errors.New("no entropy")), network(3), lastDay); err == nil {
		t.Error("an invitation was made without entropy")
	}
}

func TestWhatCannotBeInvitedToIsRefused(t *testing.T) {
	long := network(31)
	for i := range long.Servers {
		long.Servers[i].Addresses = nil
		for j := range 2 {
			h := sha256.Sum256([]byte{byte(i), byte(j)})
			long.Servers[i].Addresses = append(long.Servers[i].Addresses, fmt.Sprintf("%x%x%x", h, h, h))
		}
	}
	unnamed := network(3)
	unnamed.Name = ""
	for name, tt := range map[string]struct {
		network directory.Network
		expires uint64
		want    string
	}{
		"a network without servers":      {directory.Network{Name: "n", Quorum: 1}, lastDay, "server"},
		"a network without a name":       {unnamed, lastDay, "name"},
		"no day":                         {network(3), 0, "expires"},
		"a day that no calendar reaches": {network(3), 1 << 32, "expires"},
		"more than people can hand over": {long, lastDay, ErrTooLong.Error()},
	} {
		if _, err := New(nil, tt.network, tt.expires); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New = %v, want an error with %q", name, err, tt.want)
		}
	}
}

func TestAnInvitationIsGoodUntilTheEndOfItsLastDay(t *testing.T) {
	i := invite(t, network(3))
	end := time.Unix((lastDay+1)*24*60*60, 0)
	if i.Expired(end.Add(-time.Second)) {
		t.Error("expired on its last day")
	}
	if !i.Expired(end) {
		t.Error("good on the day after")
	}
}

func TestADestroyedInvitationInvitesNobody(t *testing.T) {
	i := invite(t, network(3))
	copied, seed := i, i.secret.seed
	i.Destroy()
	i.Destroy()
	if *seed != [ed25519.SeedSize]byte{} {
		t.Error("the seed is still in memory")
	}
	for name, gone := range map[string]Invitation{"itself": i, "a copy": copied, "none": {}} {
		if _, err := gone.Encode(); !errors.Is(err, ErrDestroyed) {
			t.Errorf("%s: Encode = %v, want %v", name, err, ErrDestroyed)
		}
		if gone.Key() != nil || gone.Public() != (wire.Peer{}) || gone.Equal(gone) {
			t.Errorf("%s: still has a key", name)
		}
	}
}

func TestAnInvitationPrintsAsAPlaceholder(t *testing.T) {
	i := invite(t, network(3))
	key := i.Key()
	for name, v := range map[string]any{
		"itself": i, "pointer": &i, "list": []Invitation{i}, "field": struct{ I Invitation }{i}, "hidden field": struct{ i Invitation }{i},
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
		for _, leak := range []string{"abab", "ABAB", "171 171 171", "171,171,171", "0xab, 0xab, 0xab", string(key[:4]), text(t, i)[len(prefix):30]} {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%s prints %q:\n%s", name, leak, out.String())
			}
		}
	}
	if got := fmt.Sprint(i); got != redacted {
		t.Errorf("got %q, want %q", got, redacted)
	}
	if b, err := json.Marshal(i); err == nil {
		t.Errorf("it became JSON: %s", b)
	}
}
