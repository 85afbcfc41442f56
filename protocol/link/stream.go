package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"interlock/protocol/wire"
)

// Stream is one conversation with one peer. One goroutine may send while
// another receives. Whoever opened a stream closes or resets it; a handler's
// stream ends when the handler returns.
type Stream struct {
	host     *Host
	peer     wire.Peer
	protocol wire.Protocol
	raw      network.Stream // as meter counts it
	meter    *metered
	receives int // largest frame each way
	sends    int

	ctx    context.Context // of the handler
	cancel context.CancelFunc

	sending sync.Mutex
	fate    atomic.Uint64
}

// How a stream ended: not yet, closed by us, or reset by one of the sides, with
// the code in the lower half.
const (
	fateOpen   uint64 = 0
	fateClosed uint64 = 1 << 32
	fateUs     uint64 = 2 << 32
	fatePeer   uint64 = 3 << 32
)

func (h *Host) newStream(raw network.Stream, peer wire.Peer, p wire.Protocol) *Stream {
	meter := &metered{Stream: raw}
	s := &Stream{host: h, peer: peer, protocol: p, raw: meter, meter: meter, receives: p.Frame, sends: p.Frame}
	s.ctx, s.cancel = context.WithCancel(h.ctx)
	return s
}

// Peer returns the other side, as the handshake proved it.
func (s *Stream) Peer() wire.Peer { return s.peer }

// Send writes m as one frame. What is over the limit is refused, wrapping
// wire.ErrTooLarge, and leaves the stream as it was. Every other error is the
// end of the stream: a *wire.Refusal, or one that wraps ErrLost.
func (s *Stream) Send(m proto.Message) error {
	if err := s.send(m); err != nil {
		return fmt.Errorf("send %s: %w", s.protocol.ID, err)
	}
	return nil
}

func (s *Stream) send(m proto.Message) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.ended(); err != nil {
		return err
	}
	if s.protocol.Idle > 0 {
		if err := s.raw.SetWriteDeadline(time.Now().Add(s.protocol.Idle)); err != nil {
			return s.over(err)
		}
	}
	err := s.host.frames.Write(s.raw, m, s.sends)
	if errors.Is(err, wire.ErrTooLarge) {
		return err
	}
	if err == nil {
		s.frame(sentFrames)
	}
	return s.over(err)
}

// Receive reads one frame into m. It returns io.EOF where the other side closed
// after a whole frame. Every other error is the end of the stream: a
// *wire.Refusal, ours where the frame was too large, too slow or malformed, or
// an error that wraps ErrLost.
func (s *Stream) Receive(m proto.Message) error {
	err := s.receive(m)
	if err == nil || err == io.EOF {
		return err
	}
	return fmt.Errorf("receive %s: %w", s.protocol.ID, err)
}

func (s *Stream) receive(m proto.Message) error {
	if err := s.ended(); err != nil {
		return err
	}
	if s.protocol.Idle > 0 {
		if err := s.raw.SetReadDeadline(time.Now().Add(s.protocol.Idle)); err != nil {
			return s.over(err)
		}
	}
	err := s.host.frames.Read(s.raw, m, s.receives)
	if err == io.EOF {
		return err
	}
	if err == nil {
		s.frame(receivedFrames)
	}
	return s.over(err)
}

// CloseWrite tells the other side that no more frames come. It can still be
// received from.
func (s *Stream) CloseWrite() error {
	err := s.ended()
	if err == nil && s.raw.CloseWrite() != nil {
		// The stream was reset, and only a write says with which code.
		if _, err = s.raw.Write([]byte{0}); err == nil {
			err = ErrLost
		}
		err = s.over(err)
	}
	if err != nil {
		return fmt.Errorf("close %s: %w", s.protocol.ID, err)
	}
	return nil
}

// Close ends both halves cleanly. What the other side still sends is dropped:
// who wants to know that it has ended receives until io.EOF first.
func (s *Stream) Close() error {
	defer s.cancel()
	if !s.fate.CompareAndSwap(fateOpen, fateClosed) {
		return nil
	}
	if err := s.raw.Close(); err != nil {
		return fmt.Errorf("close %s: %w", s.protocol.ID, err)
	}
	return nil
}

// Reset ends the stream at once with code c. After the first, or after Close,
// it does nothing.
func (s *Stream) Reset(c wire.Code) {
	s.end(c)
}

// end is Reset; where the stream had ended before it reports false.
func (s *Stream) end(c wire.Code) bool {
	if !s.doom(c) {
		return false
	}
	s.discard(c)
	return true
}

// doom is the part of end that does not wait for the other side: from here on
// nothing more is sent or received.
func (s *Stream) doom(c wire.Code) bool {
	doomed := s.fate.CompareAndSwap(fateOpen, fateUs|uint64(c))
	s.cancel()
	if doomed && c != wire.CodeNone {
		s.host.note(s.peer, s.protocol.ID, c, byUs)
	}
	return doomed
}

func (s *Stream) discard(c wire.Code) {
	if err := s.raw.ResetWithError(network.StreamErrorCode(c)); err != nil {
		s.host.log.Debug("stream did not reset cleanly", "peer", s.peer.String(), "code", c.String())
	}
}

// finish ends a handled stream as its handler's error says.
func (s *Stream) finish(err error) {
	var refusal *wire.Refusal
	switch {
	case err == nil, err == io.EOF:
		if err := s.Close(); err != nil {
			s.discard(wire.CodeNone)
		}
	case errors.As(err, &refusal) && refusal.By == byUs:
		s.end(refusal.Code)
	case refusal != nil, errors.Is(err, ErrLost):
		s.end(wire.CodeNone)
	case errors.Is(err, wire.ErrTooLarge):
		s.end(wire.CodeTooLarge)
	case errors.Is(err, wire.ErrNotCanonical):
		s.end(wire.CodeMalformed)
	default:
		s.end(wire.CodeUnavailable)
	}
}

// over turns the error of an operation into what the caller acts on, and ends
// the stream where it has not ended. Without an error it does nothing. The text
// of the transport's error is left out, for it names addresses.
func (s *Stream) over(err error) error {
	if err == nil {
		return nil
	}
	var timeout net.Error
	switch refusal := s.refusal(err); {
	case refusal != nil:
		return refusal
	case errors.As(err, &timeout) && timeout.Timeout():
		return s.fail(wire.CodeTimeout, os.ErrDeadlineExceeded)
	case errors.Is(err, wire.ErrTooLarge):
		return s.fail(wire.CodeTooLarge, err)
	case errors.Is(err, wire.ErrNotCanonical), errors.Is(err, io.ErrUnexpectedEOF):
		return s.fail(wire.CodeMalformed, err)
	default:
		s.end(wire.CodeNone)
		return s.ended()
	}
}

func (s *Stream) fail(c wire.Code, err error) error {
	s.end(c)
	return wire.Refuse(c, err)
}

// ended returns the error of a stream that has ended, and nil for others.
func (s *Stream) ended() error {
	switch s.fate.Load() {
	case fateOpen:
		return nil
	case fateClosed:
		return net.ErrClosed
	}
	if refusal := s.refusal(nil); refusal != nil {
		return refusal
	}
	return ErrLost
}

// refusal returns the refusal by which the stream ended, be it ours or one that
// err brings from the other side; nil where there was none.
func (s *Stream) refusal(err error) error {
	code := peerCode(err)
	if code != wire.CodeNone && s.fate.CompareAndSwap(fateOpen, fatePeer|uint64(code)) {
		s.cancel()
		s.discard(wire.CodeNone)
		s.host.note(s.peer, s.protocol.ID, code, byPeer)
	}
	fate := s.fate.Load()
	code = wire.Code(uint32(fate))
	switch {
	case code == wire.CodeNone:
		return nil
	case fate&^0xffffffff == fatePeer:
		return &wire.Refusal{Code: code, By: byPeer}
	default:
		return &wire.Refusal{Code: code, By: byUs}
	}
}
