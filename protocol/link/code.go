package link

import (
	"errors"
	"math"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/quic-go/quic-go"

	"interlock/protocol/wire"
)

// peerCode returns the code with which the other side ended the stream, or the
// connection under it; wire.CodeNone where err does not say so. libp2p's own
// codes are read as the nearest of ours, and codes of a later version as a
// refusal.
func peerCode(err error) wire.Code {
	var stream *network.StreamError
	if errors.As(err, &stream) && stream.Remote {
		return streamCode(stream.ErrorCode)
	}
	var conn *network.ConnError
	if errors.As(err, &conn) && conn.Remote {
		return connCode(conn.ErrorCode)
	}
	// A dial that fails gives QUIC's error as it is.
	var dial *quic.ApplicationError
	if errors.As(err, &dial) && dial.Remote && dial.ErrorCode <= math.MaxUint32 {
		return connCode(network.ConnErrorCode(dial.ErrorCode))
	}
	var transport *quic.TransportError
	if errors.As(err, &transport) && transport.Remote && transport.ErrorCode == quic.ConnectionRefused {
		return wire.CodeBusy // no room, before any of ours was asked
	}
	return wire.CodeNone
}

func streamCode(c network.StreamErrorCode) wire.Code {
	switch c {
	case network.StreamResourceLimitExceeded, network.StreamRateLimited:
		return wire.CodeBusy
	case network.StreamShutdown, network.StreamGarbageCollected, network.StreamSupplanted:
		return wire.CodeUnavailable
	case network.StreamProtocolViolation:
		return wire.CodeMalformed
	}
	if c > network.StreamErrorCode(wire.CodeTimeout) {
		return wire.CodeRefused
	}
	return wire.Code(c)
}

// queueFull is what libp2p's QUIC listener closes a connection with, when more
// than 16 are through the handshake and not yet accepted.
const queueFull network.ConnErrorCode = 1

func connCode(c network.ConnErrorCode) wire.Code {
	switch c {
	case network.ConnGated:
		return wire.CodeRefused
	case network.ConnResourceLimitExceeded, network.ConnRateLimited, queueFull:
		return wire.CodeBusy
	case network.ConnShutdown, network.ConnGarbageCollected, network.ConnSupplanted:
		return wire.CodeUnavailable
	}
	return wire.CodeNone
}
