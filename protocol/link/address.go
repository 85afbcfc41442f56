package link

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

// maxAddress is the longest multiaddr that is looked at: a DNS name has at
// most 253 characters.
const maxAddress = 512

// keyPrefix is what stands before an Ed25519 key in a peer ID: an identity
// multihash of 36 bytes over a protobuf PublicKey of type Ed25519 (libp2p
// specification, peer-ids).
const keyPrefix = "\x00\x24\x08\x01\x12\x20"

func idOf(p wire.Peer) peer.ID { return peer.ID(keyPrefix + string(p[:])) }

// peerOf returns the peer behind id, where its key is an Ed25519 one.
func peerOf(id peer.ID) (wire.Peer, bool) {
	key, ok := strings.CutPrefix(string(id), keyPrefix)
	if !ok || len(key) != ed25519.PublicKeySize {
		return wire.Peer{}, false
	}
	return wire.Peer([]byte(key)), true
}

// ParseAddress checks that a Host can listen on s or dial it: /ip4, /ip6, /dns,
// /dns4 or /dns6, then /tcp or /udp with /quic-v1. With /p2p, the relay's peer
// ID and /p2p-circuit behind it, it can be dialled. It holds visible ASCII
// alone, so that it can be shown to people.
func ParseAddress(s string) error {
	_, err := parseAddress(s)
	return err
}

func parseAddress(s string) (ma.Multiaddr, error) {
	if len(s) > maxAddress {
		return nil, fmt.Errorf("address of %d characters, want at most %d", len(s), maxAddress)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("address %+q: holds more than visible ASCII characters", s)
	}
	a, err := ma.NewMultiaddr(s)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", s, err)
	}
	if !usable(a) {
		return nil, fmt.Errorf("address %q: want one like /ip4/192.0.2.1/tcp/4001 or /dns/node.example.org/udp/4001/quic-v1", s)
	}
	return a, nil
}

func usable(a ma.Multiaddr) bool {
	if n := len(a); n > 2 && a[n-1].Protocol().Code == ma.P_CIRCUIT && a[n-2].Protocol().Code == ma.P_P2P {
		id, err := peer.IDFromBytes(a[n-2].RawValue())
		if _, ok := peerOf(id); err != nil || !ok {
			return false
		}
		a = a[:n-2]
	}
	if len(a) < 2 {
		return false
	}
	switch a[0].Protocol().Code {
	case ma.P_IP4, ma.P_IP6, ma.P_DNS, ma.P_DNS4, ma.P_DNS6:
	default:
		return false
	}
	if a[1].Protocol().Code == ma.P_TCP {
		return len(a) == 2
	}
	return a[1].Protocol().Code == ma.P_UDP && len(a) == 3 && a[2].Protocol().Code == ma.P_QUIC_V1
}

// SplitAddress takes apart a multiaddr that ends in /p2p and an Ed25519 peer
// ID, and returns the peer and the address before it in its usual spelling.
func SplitAddress(s string) (wire.Peer, string, error) {
	i := strings.LastIndex(s, "/p2p/")
	if i < 0 {
		return wire.Peer{}, "", errors.New("address does not end in /p2p/ and a peer ID")
	}
	a, err := parseAddress(s[:i])
	if err != nil {
		return wire.Peer{}, "", err
	}
	if len(s)-i > maxAddress {
		return wire.Peer{}, "", errors.New("peer ID too long")
	}
	id, err := peer.Decode(s[i+len("/p2p/"):])
	if err != nil {
		return wire.Peer{}, "", fmt.Errorf("peer ID: %w", err)
	}
	p, ok := peerOf(id)
	if !ok {
		return wire.Peer{}, "", errors.New("peer ID does not hold an Ed25519 key")
	}
	return p, a.String(), nil
}

// JoinAddress appends /p2p and the ID of p to a bare multiaddr.
func JoinAddress(p wire.Peer, addr string) string { return addr + "/p2p/" + idOf(p).String() }
