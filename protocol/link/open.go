package link

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

// maxAddresses is the most addresses of one peer.
const maxAddresses = 16

// SetAddresses replaces the multiaddrs at which a peer is dialled; they stay
// until they are replaced. New ones are tried at once, however often the old
// ones failed.
func (h *Host) SetAddresses(to wire.Peer, addrs []string) error {
	if len(addrs) > maxAddresses {
		return fmt.Errorf("%d addresses of peer %s, want at most %d", len(addrs), to, maxAddresses)
	}
	var parsed []ma.Multiaddr
	for _, s := range addrs {
		a, err := parseAddress(s)
		if err != nil {
			return fmt.Errorf("addresses of peer %s: %w", to, err)
		}
		parsed = append(parsed, a)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Equal(addrs, h.addresses[to]) {
		return nil
	}
	id := idOf(to)
	h.stack.store.ClearAddrs(id)
	h.stack.store.AddAddrs(id, parsed, peerstore.PermanentAddrTTL)
	h.stack.swarm.Backoff().Clear(id)
	h.addresses[to] = slices.Clone(addrs)
	if len(addrs) == 0 {
		delete(h.addresses, to)
	}
	return nil
}

// Open opens a stream for p, on the connection there is or on a new one. It
// returns once the other side has agreed to serve it, which costs a round trip:
// a peer that refuses fails Open and not the first read. (A handler that refuses
// before it has read anything can do either.) A peer that has no
// role here, or is a mere applicant, is not asked. The error is a
// *wire.Refusal where either side refused, and otherwise wraps ErrUnreachable,
// ErrLost or the error of ctx.
//
// libp2p would make the caller of an absent peer wait longer and longer. Open
// does not: how often to try again is for the caller to say.
func (h *Host) Open(ctx context.Context, to wire.Peer, p wire.Protocol) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	s, err := h.open(ctx, to, p)
	if err != nil && h.ctx.Err() != nil {
		err = wire.Refuse(wire.CodeUnavailable, errClosed)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s to peer %s: %w", p.ID, to, err)
	}
	return s, nil
}

func (h *Host) open(ctx context.Context, to wire.Peer, p wire.Protocol) (*Stream, error) {
	if h.roles(to)&^wire.Applicant == 0 {
		h.note(to, p.ID, wire.CodeRefused, byUs)
		return nil, wire.Refuse(wire.CodeRefused, errors.New("peer has no role here"))
	}
	if h.cut(to) {
		return nil, fmt.Errorf("%w: path is cut", ErrUnreachable)
	}
	reused := h.Connected(to)
	s, err := h.try(ctx, to, p)
	if reused && errors.Is(err, ErrLost) {
		// The connection was dead and nobody had noticed yet.
		s, err = h.try(ctx, to, p)
	}
	return s, err
}

func (h *Host) try(ctx context.Context, to wire.Peer, p wire.Protocol) (*Stream, error) {
	id := idOf(to)
	if !h.direct(id) {
		h.stack.swarm.Backoff().Clear(id)
	}
	ctx = network.WithAllowLimitedConn(ctx, "a link is a link")
	c, err := h.stack.swarm.DialPeer(ctx, id)
	if err != nil {
		return nil, h.connError(ctx, to, p, err, unreachable(err))
	}
	raw, err := c.NewStream(ctx)
	if err != nil {
		return nil, h.connError(ctx, to, p, err, ErrLost)
	}
	s := h.newStream(raw, to, p)
	s.sends = requestLimit(p.Frame, false)
	if err := s.propose(ctx); err != nil {
		s.end(wire.CodeNone)
		return nil, err
	}
	return s, nil
}

// propose asks the other side to serve the stream.
func (s *Stream) propose(ctx context.Context) error {
	if err := s.raw.SetProtocol(protocol.ID(s.protocol.ID)); err != nil {
		return wire.Refuse(wire.CodeBusy, err)
	}
	deadline := time.Now().Add(helloWait)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	stop := context.AfterFunc(ctx, func() { s.end(wire.CodeNone) })
	defer stop()
	err := s.exchange(deadline)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return s.over(err)
	}
	s.count()
	return s.raw.SetDeadline(time.Time{})
}

func (s *Stream) exchange(deadline time.Time) error {
	if err := s.raw.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := s.raw.Write(hello(s.protocol.ID)); err != nil {
		return err
	}
	id, err := hear(s.raw)
	if err == nil && id != s.protocol.ID {
		return fmt.Errorf("%w: hello for another protocol", wire.ErrNotCanonical)
	}
	return err
}

// connError says why there is no connection, or no stream on it: what err says
// plainly, and else otherwise.
func (h *Host) connError(ctx context.Context, to wire.Peer, p wire.Protocol, err, otherwise error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, network.ErrResourceLimitExceeded) {
		h.note(to, p.ID, wire.CodeBusy, byUs)
		return wire.Refuse(wire.CodeBusy, network.ErrResourceLimitExceeded)
	}
	if code := peerCode(err); code != wire.CodeNone {
		h.note(to, p.ID, code, byPeer)
		return &wire.Refusal{Code: code, By: byPeer}
	}
	return otherwise
}

// unreachable says where a peer was sought and how each dial failed, without
// the whole key that libp2p's own text has.
func unreachable(err error) error {
	var all *swarm.DialError
	if !errors.As(err, &all) || len(all.DialErrors) == 0 {
		return fmt.Errorf("%w: %s", ErrUnreachable, reason(err))
	}
	var tried []string
	for _, one := range all.DialErrors {
		where := one.Address.String()
		if isCircuit(one.Address) {
			where = "through a relay" // whose whole key the address has
		}
		tried = append(tried, where+" "+reason(one.Cause))
	}
	return fmt.Errorf("%w: %s", ErrUnreachable, strings.Join(tried, ", "))
}

func reason(err error) string {
	var other sec.ErrPeerIDMismatch
	switch {
	case errors.Is(err, swarm.ErrNoAddresses):
		return "no address known"
	case errors.Is(err, swarm.ErrNoGoodAddresses), errors.Is(err, swarm.ErrNoTransport):
		return "cannot be dialled from here"
	case errors.Is(err, swarm.ErrDialToSelf):
		return "is our own"
	case errors.Is(err, swarm.ErrGaterDisallowedConnection):
		return "not admitted here"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens"
	case errors.As(err, &other):
		return "answers with another key"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "does not answer"
	default:
		return "handshake failed"
	}
}
