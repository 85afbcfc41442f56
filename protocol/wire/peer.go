// Package wire is what Interlock's programs say to each other: the messages,
// the frame around them, the protocols with their limits, who may speak each
// of them, and the codes with which a stream is refused.
//
// It holds no state and opens nothing; protocol/link moves its frames.
package wire

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
)

// Peer names a node, registry server or operator by its Ed25519 public key,
// which is its libp2p identity and the key its signatures verify under.
type Peer [ed25519.PublicKeySize]byte

// PeerOf returns the peer that holds key.
func PeerOf(key ed25519.PrivateKey) Peer {
	return Peer(key.Public().(ed25519.PublicKey))
}

// ParsePeer reads the raw key as messages carry it.
func ParsePeer(b []byte) (Peer, error) {
	if len(b) != ed25519.PublicKeySize {
		return Peer{}, fmt.Errorf("peer key of %d bytes, want %d", len(b), ed25519.PublicKeySize)
	}
	return Peer(b), nil
}

// Key returns p as a verification key.
func (p Peer) Key() ed25519.PublicKey { return ed25519.PublicKey(p[:]) }

// String is a short form for logs: the key is public, and eight hex digits
// tell the members of one network apart.
func (p Peer) String() string { return hex.EncodeToString(p[:4]) }

// Hex is the whole key, as files spell it.
func (p Peer) Hex() string { return hex.EncodeToString(p[:]) }
