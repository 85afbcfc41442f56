// Package link moves Interlock's messages between peers over libp2p; it is the
// only package that knows libp2p.
//
// A Host has one Ed25519 identity, listens on TCP (Noise or TLS 1.3) and QUIC,
// and asks its owner what Role each peer has. A peer without a role does not
// get past the handshake; a stream whose protocol is not for the peer's role is
// refused with the same code as any other refusal. Every frame has a limit and
// every read and write a deadline; what breaks them ends that stream alone.
//
// It promises that a handler runs only for a peer that has the right role at
// that moment, that it learns through its context when the peer loses it, and
// that a refusal reaches the other side as a code. It does not promise that a
// message arrives: whoever needs that acknowledges above it. Nodes, registry
// servers and operators' programs call it.
//
// Join takes part in gossip among members, for what all of them may know.
package link

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"interlock/protocol/wire"
)

// Errors that callers branch on. A stream that was refused, by either side, is
// a *wire.Refusal instead.
var (
	// ErrAddressInUse is wrapped by the error of New that names the address.
	ErrAddressInUse = errors.New("address already in use")
	// ErrUnreachable says that no connection to the peer could be had.
	ErrUnreachable = errors.New("peer unreachable")
	// ErrLost says that the connection ended, or the stream without a code.
	ErrLost = errors.New("connection lost")
)

// closeWait is how long Close waits for handlers to return.
const closeWait = 5 * time.Second

var errClosed = errors.New("host is closed")

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
	// Relay offers to carry links between members that cannot dial each other.
	// What it carries is encrypted between them.
	Relay bool
	// Relays are members that relay, each once, as a multiaddr with /p2p and its
	// peer ID.
	// The host keeps a place at each of them, and is reached through them: for
	// a host that cannot be dialled. They need the role of a member here.
	Relays []string

	relayTTL   time.Duration // of places; zero is the usual one
	relayBytes int64         // of a circuit; zero is the usual number
}

// Host is one peer's end of all its links. Its methods may be called from any
// goroutine.
type Host struct {
	self       wire.Peer
	roles      func(wire.Peer) wire.Role
	cut        func(wire.Peer) bool
	log        *slog.Logger
	stack      *stack
	counts     counts
	shares     shares
	frames     wire.Frames
	flows      flows
	applicants *applicants
	thin       *thin
	relay      *relay // nil where none is offered
	places     *places
	beat       time.Duration // of gossip

	gossipBegin sync.Mutex
	gossip      atomic.Pointer[gossip] // nil before the first Join

	closeWait time.Duration
	ctx       context.Context // ends when the host closes
	cancel    context.CancelFunc
	closeOnce sync.Once
	closeErr  error

	mu        sync.Mutex // owns what follows
	closed    bool
	services  map[protocol.ID]service
	streams   map[*Stream]struct{} // those that peers opened
	addresses map[wire.Peer][]string
	running   sync.WaitGroup // handlers and the closing of connections
}

// New makes a host and listens on every address of o. A port that is taken is
// an error that names the address and wraps ErrAddressInUse.
func New(o Options) (*Host, error) {
	if len(o.Key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("identity key of %d bytes, want %d", len(o.Key), ed25519.PrivateKeySize)
	}
	if o.Roles == nil {
		return nil, errors.New("no roles: nobody could ever connect")
	}
	h := &Host{
		self:       wire.PeerOf(o.Key),
		roles:      o.Roles,
		cut:        o.Cut,
		log:        o.Log,
		applicants: newApplicants(),
		services:   make(map[protocol.ID]service),
		streams:    make(map[*Stream]struct{}),
		addresses:  make(map[wire.Peer][]string),
		closeWait:  closeWait,
		beat:       gossipBeat,
	}
	if h.cut == nil {
		h.cut = func(wire.Peer) bool { return false }
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	var err error
	if h.thin, err = newThin(h); err == nil {
		h.stack, err = newStack(o.Key, gate{h}, h.isApplicant)
	}
	if err != nil {
		h.cancel()
		return nil, fmt.Errorf("set up libp2p: %w", err)
	}
	if err := h.begin(o); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// begin is the part of New that Close undoes.
func (h *Host) begin(o Options) error {
	places, relays, err := newPlaces(h, o.Relays)
	if err != nil {
		return err
	}
	h.places = places
	if err := h.circuits(relays); err != nil {
		return fmt.Errorf("set up circuits: %w", err)
	}
	h.stack.swarm.SetStreamHandler(h.accept)
	h.stack.swarm.Notify(h.watch())
	if o.Relay {
		h.relay = newRelay(h, cmp.Or(o.relayTTL, relayTTL), cmp.Or(o.relayBytes, relayBytes))
		h.Handle(hop(), h.relay.serve)
	}
	for _, addr := range o.Listen {
		if err := h.stack.listen(addr); err != nil {
			return err
		}
	}
	for _, r := range relays {
		h.running.Go(func() { places.hold(h.ctx, r) })
	}
	return nil
}

// Peer returns the host's own identity.
func (h *Host) Peer() wire.Peer { return h.self }

// Addresses returns the multiaddrs that the host listens on, with their real
// ports, and those through the relays at which it has a place now, all without
// its own /p2p, sorted.
func (h *Host) Addresses() []string {
	addrs := h.places.addresses()
	for _, a := range h.stack.swarm.ListenAddresses() {
		if !isCircuit(a) {
			addrs = append(addrs, a.String())
		}
	}
	slices.Sort(addrs)
	return addrs
}

// Connected reports whether there is a connection to p, straight or through a
// relay.
func (h *Host) Connected(p wire.Peer) bool { return h.linked(idOf(p)) }

func (h *Host) linked(id peer.ID) bool {
	c := h.stack.swarm.Connectedness(id)
	return c == network.Connected || c == network.Limited
}

// Close ends the host: handlers' contexts end, their streams are reset with
// wire.CodeUnavailable, connections and listeners are closed. It waits for the
// handlers, and returns an error where some did not return in time.
func (h *Host) Close() error {
	h.closeOnce.Do(func() { h.closeErr = h.close() })
	return h.closeErr
}

func (h *Host) close() error {
	h.mu.Lock()
	h.closed = true
	for s := range h.streams {
		if s.doom(wire.CodeUnavailable) {
			h.running.Go(func() { s.discard(wire.CodeUnavailable) })
		}
	}
	for _, u := range h.thin.tubes() {
		h.running.Go(func() { u.end(wire.CodeUnavailable) })
	}
	h.mu.Unlock()
	h.cancel()
	waited := h.await(h.closeWait)
	err := h.stack.close()
	if !waited {
		err = errors.Join(err, fmt.Errorf("close host: handlers still running after %v: %v", h.closeWait, h.busy()))
	}
	return err
}

// await waits for handlers and closings, and reports whether all were done.
func (h *Host) await(limit time.Duration) bool {
	done := make(chan struct{})
	go func() {
		h.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// busy names the protocols whose handlers have not returned.
func (h *Host) busy() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []string
	for s := range h.streams {
		ids = append(ids, s.protocol.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
