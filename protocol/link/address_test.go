package link

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"interlock/protocol/wire"
)

// The peer ID of an Ed25519 key that libp2p's specification gives as example
// is checked through libp2p itself: both ways must agree for any key.
func TestPeersAndPeerIDsAreTheSameThing(t *testing.T) {
	for range 100 {
		p := wire.PeerOf(newKey(t))
		key, err := crypto.UnmarshalEd25519PublicKey(p[:])
		if err != nil {
			t.Fatal(err)
		}
		want, err := peer.IDFromPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if got := idOf(p); got != want {
			t.Fatalf("peer ID: got %s, want %s", got, want)
		}
		if got, ok := peerOf(want); !ok || got != p {
			t.Fatalf("peer: got %x, want %x", got, p)
		}
	}
	_, other, err := crypto.GenerateSecp256k1Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := peerOf(id); ok {
		t.Error("took a peer ID with another kind of key")
	}
}

func TestOnlyUsableAddressesParse(t *testing.T) {
	tests := map[string]bool{
		"/ip4/127.0.0.1/tcp/4001":                 true,
		"/ip4/0.0.0.0/tcp/0":                      true,
		"/ip6/::1/udp/4001/quic-v1":               true,
		"/dns/node.example.org/tcp/4001":          true,
		"/dns4/node.example.org/udp/4001/quic-v1": true,
		"/dns6/node.example.org/tcp/4001":         true,
		"/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit":             true,
		"/dns/a.example.org/udp/1/quic-v1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit":    true,
		"/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit":                                    false,
		"/ip4/192.0.2.1/tcp/4001/p2p-circuit":                                                                      false,
		"/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA":                         false,
		"/ip4/192.0.2.1/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N/p2p-circuit":                   false,
		"/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit/p2p-circuit": false,
		"":                                    false,
		"/":                                   false,
		"/ip4/127.0.0.1":                      false,
		"/ip4/127.0.0.1/udp/4001":             false,
		"/ip4/127.0.0.1/udp/4001/quic":        false,
		"/ip4/127.0.0.1/tcp/4001/ws":          false,
		"/ip4/127.0.0.1/tcp/4001/p2p-circuit": false,
		"/ip4/127.0.0.1/udp/4001/quic-v1/webtransport":       false,
		"/ip4/127.0.0.1/tcp/70000":                           false,
		"/ip4/300.0.0.1/tcp/4001":                            false,
		"/dnsaddr/example.org/tcp/4001":                      false,
		"/unix/tmp/socket":                                   false,
		"127.0.0.1:4001":                                     false,
		"/ip4/127.0.0.1/tcp/4001/ip4/127.0.0.1/tcp/4001":     false,
		"/dns/" + strings.Repeat("a", maxAddress) + "/tcp/1": false,
	}
	for s, want := range tests {
		if err := ParseAddress(s); (err == nil) != want {
			t.Errorf("%q: got error %v, want usable %v", s, err, want)
		}
	}
}

func TestAnAddressHidesNothingFromWhoReadsIt(t *testing.T) {
	id := idOf(wire.PeerOf(newKey(t))).String()
	for _, name := range []string{
		"a\u009b31mb", "a\u202eb", "a\x1b[31mb", "a\nb", "a b", "a\x00b", "a\x7fb", "a\xffb", "ex\u00e4mple.org", "\u0430.example.org",
	} {
		s := "/dns4/" + name + "/tcp/4001"
		if err := ParseAddress(s); err == nil {
			t.Errorf("%+q: no error", s)
		} else if hidden(err.Error()) {
			t.Errorf("the error itself holds what it refuses: %+q", err)
		}
		if _, _, err := SplitAddress(s + "/p2p/" + id); err == nil {
			t.Errorf("split %+q: no error", s)
		}
	}
}

func hidden(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func TestAddressesSplitAndJoin(t *testing.T) {
	p := wire.PeerOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	const id = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
	for _, addr := range []string{"/ip4/192.0.2.1/tcp/4001", "/ip6/2001:db8::1/udp/4001/quic-v1", "/dns/node.example.org/tcp/4001"} {
		joined := JoinAddress(p, addr)
		if want := addr + "/p2p/" + id; joined != want {
			t.Errorf("join: got %s, want %s", joined, want)
		}
		got, bare, err := SplitAddress(joined)
		if err != nil || got != p || bare != addr {
			t.Errorf("split %s: got %s, %s and error %v", joined, got, bare, err)
		}
	}
	for _, s := range []string{
		"/ip4/192.0.2.1/tcp/4001",
		"/ip4/192.0.2.1/tcp/4001/p2p/",
		"/ip4/192.0.2.1/tcp/4001/p2p/x",
		"/ip4/192.0.2.1/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",        // RSA
		"/ip4/192.0.2.1/tcp/4001/p2p/16Uiu2HAmBz9wnXkxXvQ6qWb1fN9bTB4oLyUKEh2V9fpNnQdHe9cX", // secp256k1
		"/ip4/192.0.2.1/tcp/4001/p2p/" + id + "/p2p/" + id,
		"/ip4/192.0.2.1/p2p/" + id,
		"/p2p/" + id,
		"/ip4/192.0.2.1/tcp/4001/p2p/" + strings.Repeat("1", maxAddress),
	} {
		if _, _, err := SplitAddress(s); err == nil {
			t.Errorf("split %s: no error", s)
		}
	}
}

func FuzzSplitAddress(f *testing.F) {
	p := wire.PeerOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	f.Add(JoinAddress(p, "/ip4/192.0.2.1/tcp/4001"))
	f.Add(JoinAddress(p, "/ip6/::1/udp/4001/quic-v1"))
	f.Add(JoinAddress(p, "/ip6/0:0::1/tcp/0001"))
	f.Add(JoinAddress(p, "/dns/a%2Fb/tcp/1"))
	f.Add(JoinAddress(p, "/dns4/a\u202eb/tcp/1"))
	f.Add("/ip4/192.0.2.1/tcp/4001/p2p/bafzaajaiaejcbx2k")
	f.Fuzz(func(t *testing.T, s string) {
		p, addr, err := SplitAddress(s)
		if err != nil {
			return
		}
		if hidden(addr) {
			t.Errorf("%+q: holds what cannot be seen", addr)
		}
		again, bare, err := SplitAddress(JoinAddress(p, addr))
		if err != nil || again != p || bare != addr {
			t.Errorf("%q: got %s, %q and error %v, want %s, %q", s, again, bare, err, p, addr)
		}
	})
}
