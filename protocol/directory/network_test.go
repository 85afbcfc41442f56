package directory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func network() Network {
	return Network{Name: "Test network", Genesis: GenesisHash{1, 2}, PublicKey: [32]byte{3}, Threshold: 2, Federation: [32]byte{4}, Servers: []NetworkServer{
		{Index: 1, Name: "one", Key: [32]byte{1}, Addresses: []string{"/ip4/127.0.0.1/tcp/4001"}},
		{Index: 2, Name: "two", Key: [32]byte{2}, Addresses: []string{"/dns4/two.example/tcp/4001", "/ip4/127.0.0.1/tcp/1"}},
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

func TestAWrongNetworkFileIsRefusedByName(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"unknown key", "name = 'Test network'", "name = 'Test network'\nthreshhold = 2", "threshhold"},
		{"no name", "name = 'Test network'", "name = ''", "name"},
		{"short genesis", "genesis = '0102", "genesis = '01", "genesis"},
		{"no public key", "public_key = '03", "public_key = '", "public_key"},
		{"no federation", "federation = '04", "federation = '", "federation"},
		{"threshold over the servers", "threshold = 2", "threshold = 3", "threshold"},
		{"no threshold", "threshold = 2", "threshold = 0", "threshold"},
		{"key in capitals", "\nkey = '01", "\nkey = 'AB", "key"},
		{"same key twice", "\nkey = '02", "\nkey = '01", "server 2"},
		{"index out of order", "index = 2", "index = 3", "server 2"},
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
