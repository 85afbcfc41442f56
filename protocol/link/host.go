package link

import (
	"context"
	"errors"
	"net"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/wire"
)

// ErrAddressInUse is wrapped by New's error where another program listens on
// the address that the error names.
var ErrAddressInUse = errors.New("address already in use")

var errUnfinished = errors.New("link is not finished yet")

// Host is one peer's end of all its links.
type Host struct{}

// Count is how many streams of one protocol ended with one code.
type Count struct {
	Protocol string
	Code     wire.Code
	By       string // "us" or "peer"
	N        uint64
}

// Stream is one conversation with one peer.
type Stream struct{}

// New opens a host and listens.
func New(o Options) (*Host, error) { return nil, errUnfinished }

// Peer is the host's own identity.
func (h *Host) Peer() wire.Peer { return wire.Peer{} }

// Addresses are the multiaddrs listened on, with their real ports.
func (h *Host) Addresses() []string { return nil }

// Handle serves the streams that peers open for p.
func (h *Host) Handle(p wire.Protocol, serve func(ctx context.Context, s *Stream) error) {}

// Open opens a stream to a peer, dialling where there is no connection.
func (h *Host) Open(ctx context.Context, to wire.Peer, p wire.Protocol) (*Stream, error) {
	return nil, errUnfinished
}

// SetAddresses replaces where a peer is dialled.
func (h *Host) SetAddresses(to wire.Peer, addrs []string) error { return errUnfinished }

// Review asks Roles about every connected peer again.
func (h *Host) Review() {}

// Connected reports whether there is a connection to p.
func (h *Host) Connected(p wire.Peer) bool { return false }

// Counts returns the refusals so far.
func (h *Host) Counts() []Count { return nil }

// Close ends the host.
func (h *Host) Close() error { return errUnfinished }

// Peer is the other side.
func (s *Stream) Peer() wire.Peer { return wire.Peer{} }

// Send writes one frame.
func (s *Stream) Send(m proto.Message) error { return errUnfinished }

// Receive reads one frame into m.
func (s *Stream) Receive(m proto.Message) error { return errUnfinished }

// CloseWrite ends the sending half.
func (s *Stream) CloseWrite() error { return errUnfinished }

// Close ends both halves.
func (s *Stream) Close() error { return errUnfinished }

// Reset ends the stream with a code.
func (s *Stream) Reset(c wire.Code) {}

// Conn is the stream as a net.Conn.
func (s *Stream) Conn() net.Conn { return nil }

// ParseAddress checks that s is a usable multiaddr.
func ParseAddress(s string) error { return errUnfinished }

// SplitAddress splits a multiaddr that ends in /p2p/<id>.
func SplitAddress(s string) (wire.Peer, string, error) { return wire.Peer{}, "", errUnfinished }

// JoinAddress appends peer's /p2p/<id> to addr.
func JoinAddress(peer wire.Peer, addr string) string { return "" }
