package directory

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
)

// network is one of the servers 1 and 3.
func network() Network {
	return Network{Name: "Test network", Genesis: GenesisHash{1, 2}, Quorum: 2, Servers: []NetworkServer{
		{Index: 1, Name: "one", Key: peer(1), Addresses: []string{"/ip4/127.0.0.1/tcp/4001"}},
		{Index: 3, Name: "three", Key: peer(3), Addresses: []string{"/dns4/three.example/tcp/4001", "/ip4/127.0.0.1/tcp/1"}},
	}}
}

func encoded(t testing.TB) string {
	t.Helper()
	b, err := network().Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestANetworkFileReadsBackAsItWas(t *testing.T) {
	got, err := ParseNetwork([]byte(encoded(t)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(network(), got); diff != "" {
		t.Errorf("ParseNetwork (-want +got):\n%s", diff)
	}
}

func TestWhatIsPinnedIsWhatTheDirectorySays(t *testing.T) {
	d := example(t)
	n := d.Network("Test network")
	if err := n.Check(); err != nil {
		t.Fatal(err)
	}
	if n.Genesis != d.Genesis || n.Quorum != 2 || len(n.Servers) != 3 || n.Servers[2].Index != 4 || n.Servers[2].Key != peer(4) {
		t.Errorf("Network = %+v", n)
	}
	if _, err := n.Trust().Verify(endorsed(t, d, 2, 4)); err != nil {
		t.Errorf("who has pinned it refuses the directory: %v", err)
	}
}

func TestAWrongNetworkFileIsRefusedByName(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"unknown key", "name = 'Test network'", "name = 'Test network'\nthreshold = 2", "threshold"},
		{"no name", "name = 'Test network'", "name = ''", "name"},
		{"a name of two lines", "name = 'Test network'", `name = "Test\nnetwork"`, "name"},
		{"short genesis", "genesis = '0102", "genesis = '01", "genesis"},
		{"quorum over the servers", "quorum = 2", "quorum = 3", "quorum"},
		{"quorum without a majority", "quorum = 2", "quorum = 1", "quorum"},
		{"no quorum", "quorum = 2", "quorum = 0", "quorum"},
		{"key in capitals", "\nkey = '8a", "\nkey = '8A", "key"},
		{"index out of order", "index = 3", "index = 1", "server 2"},
		{"no index", "index = 1", "index = 0", "server 1"},
		{"index too large", "index = 3", "index = 65537", "line"},
		{"no server name", "name = 'one'", "name = ''", "server 1"},
		{"no addresses", "addresses = ['/ip4/127.0.0.1/tcp/4001']", "addresses = []", "server 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := strings.Replace(encoded(t), tt.old, tt.new, 1)
			if file == encoded(t) {
				t.Fatalf("%q is not in the file:\n%s", tt.old, file)
			}
			if _, err := ParseNetwork([]byte(file)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseNetwork = %v, want an error naming %q", err, tt.want)
			}
		})
	}
}

func TestANetworkThatCannotBePinnedIsRefused(t *testing.T) {
	tests := []struct {
		name, want string
		edit       func(*Network)
	}{
		{"no servers", "server", func(n *Network) { n.Servers = nil }},
		{"one key twice", "server 2: key", func(n *Network) { n.Servers[1].Key = n.Servers[0].Key }},
		{"a key that anybody signs for", "server 1: key", func(n *Network) { n.Servers[0].Key = wire.Peer{1} }},
		{"an address that is too long", "server 1", func(n *Network) { n.Servers[0].Addresses[0] = strings.Repeat("a", MaxText+1) }},
		{"too many addresses", "server 1", func(n *Network) { n.Servers[0].Addresses = slices.Repeat([]string{"/a"}, MaxAddresses+1) }},
		{"too many servers", "server", func(n *Network) {
			for i := oprf.Index(4); len(n.Servers) <= MaxServers; i++ {
				n.Servers = append(n.Servers, NetworkServer{Index: i, Name: "n", Key: peer(byte(i)), Addresses: []string{"/a"}})
			}
			n.Quorum = len(n.Servers)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := network()
			tt.edit(&n)
			if err := n.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check = %v, want an error naming %q", err, tt.want)
			}
		})
	}
}

func FuzzParseNetwork(f *testing.F) {
	f.Add([]byte(encoded(f)))
	f.Add([]byte("name = 'x'"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNetwork(b)
		if err != nil {
			return
		}
		again, err := n.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseNetwork(again)
		if err != nil || !cmp.Equal(n, back) {
			t.Fatalf("encoded and read again: %v, %v; want %v", back, err, n)
		}
	})
}
