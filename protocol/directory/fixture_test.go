package directory

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/protocol/wire"
)

// sameRecipient lets cmp compare what holds recipients.
var sameRecipient = cmp.Comparer(func(a, b vault.Recipient) bool { return a == b })

func key(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func peer(b byte) wire.Peer { return wire.PeerOf(key(b)) }

func recipient(t testing.TB) vault.Recipient {
	t.Helper()
	id, err := vault.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient()
}

// epoch is a key of these servers, in force.
func epoch(t testing.TB, number token.Epoch, threshold int, servers ...oprf.Index) KeyEpoch {
	t.Helper()
	keys, _, err := oprf.Deal(rand.Reader, threshold, int(slices.Max(servers)))
	if err != nil {
		t.Fatal(err)
	}
	keys.Shares = slices.DeleteFunc(keys.Shares, func(s oprf.PublicShare) bool { return !slices.Contains(servers, s.Index) })
	return KeyEpoch{Epoch: number, Generation: 1, Keys: keys, Federation: token.Commitment{byte(number)}}
}

// servers are registry servers with these numbers; the number is the key's too.
func servers(t testing.TB, numbers ...oprf.Index) []Server {
	t.Helper()
	r := recipient(t)
	var list []Server
	for _, n := range numbers {
		list = append(list, Server{
			Index: n, Name: fmt.Sprintf("server-%d", n), Key: peer(byte(n)),
			Addresses: []string{"/ip4/127.0.0.1/tcp/1"}, Recipient: r,
		})
	}
	return list
}

// example is a directory of the servers 1, 2 and 4 (3 has left), a retiring
// key and one in force, two agencies, and a policy that fills every field.
func example(t testing.TB) *Directory {
	t.Helper()
	d := &Directory{
		Genesis: GenesisHash{9}, Version: 4, Servers: servers(t, 1, 2, 4), Policy: policy(),
		Epochs: []KeyEpoch{epoch(t, 1, 2, 1, 2, 4), epoch(t, 3, 2, 1, 2, 4)}, Record: Head{Size: 7, Root: [32]byte{8}},
	}
	d.Epochs[0].Retiring, d.Epochs[1].Generation = true, 5
	r := recipient(t)
	for i, id := range []AgencyID{"boulder-so", "denver-pd"} {
		d.Agencies = append(d.Agencies, Agency{
			ID: id, Name: string(id), Jurisdiction: "US-CO", Contact: "desk", Key: peer(byte(20 + i)),
			Recipient: r, Addresses: []string{"/ip4/127.0.0.1/tcp/2"}, Status: Active,
		})
	}
	return d
}

func policy() Policy {
	return Policy{
		Daily: 1_000, Retention: 365, SuspendForks: true, Refresh: 30,
		Groups: []Group{{Name: "border", Agencies: []AgencyID{"boulder-so", "denver-pd"}}, {Name: "nobody-yet"}},
		Muted:  []token.Tag{{1}, {2}}, Quotas: []Quota{{Agency: "boulder-so", Daily: 0}, {Agency: "denver-pd", Daily: 5_000}},
	}
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
