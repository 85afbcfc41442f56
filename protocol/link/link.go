// Package link moves Interlock's messages between peers over libp2p; it is the
// only package that knows libp2p.
//
// A Host has one Ed25519 identity, listens on TCP (Noise or TLS 1.3) and QUIC,
// and asks its owner what Role each peer has. A peer without a role does not
// get past the handshake; a stream whose protocol is not for the peer's role is
// refused with the same code as any other refusal. Every frame has a limit and
// every read and write a deadline; what breaks them ends that stream alone.
package link

import (
	"crypto/ed25519"
	"log/slog"

	"interlock/protocol/wire"
)

// Options are what a Host is made from.
type Options struct {
	Key    ed25519.PrivateKey
	Listen []string // multiaddrs, /ip4/0.0.0.0/tcp/4001 or /ip4/…/udp/4001/quic-v1
	// Roles says what a peer is now. It is asked at every connection and every
	// stream, from many goroutines.
	Roles func(wire.Peer) wire.Role
	// Cut, where set, says whether the path to a peer is down; a testnet
	// partitions with it. It is asked at every dial, connection and stream.
	Cut func(wire.Peer) bool
	Log *slog.Logger
}
