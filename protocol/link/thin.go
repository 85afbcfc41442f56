package link

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

var (
	errNotOurs = errors.New("not a protocol of this host")
	errNoDial  = errors.New("peers are dialled by their signed addresses alone")
)

// thin is the libp2p host that gossip and circuits are built on. It opens and serves streams
// by our rules, for the protocols it was told of, and speaks none of its own.
type thin struct {
	h     *Host
	bus   event.Bus
	found event.Emitter // of event.EvtPeerIdentificationCompleted

	mu        sync.Mutex // owns what follows
	protocols map[protocol.ID]wire.Protocol
	opened    map[*tube]struct{}
}

var _ host.Host = (*thin)(nil)

func newThin(h *Host) (*thin, error) {
	t := &thin{
		h: h, bus: eventbus.NewBus(),
		protocols: make(map[protocol.ID]wire.Protocol),
		opened:    make(map[*tube]struct{}),
	}
	var err error
	t.found, err = t.bus.Emitter(new(event.EvtPeerIdentificationCompleted))
	return t, err
}

// speak has p's streams opened and served by p's limits.
func (t *thin) speak(p wire.Protocol) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.protocols[protocol.ID(p.ID)] = p
}

func (t *thin) protocol(id protocol.ID) (wire.Protocol, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.protocols[id]
	return p, ok
}

// SetStreamHandler serves id's streams. A stream stays until the handler has
// returned and somebody has closed it, for handlers pass streams on.
func (t *thin) SetStreamHandler(id protocol.ID, handle network.StreamHandler) {
	p, ok := t.protocol(id)
	if !ok {
		t.h.log.Error("no such protocol on this host", "protocol", string(id))
		return
	}
	t.h.Handle(p, t.h.callable(p, func(ctx context.Context, s *Stream) error {
		t.h.meet(s.raw.Conn().RemotePeer()) // who speaks can be spoken to
		u := newTube(s, func() {})
		handle(u)
		select {
		case <-u.gone:
		case <-ctx.Done():
		}
		return nil
	}))
}

// RemoveStreamHandler stops serving id.
func (t *thin) RemoveStreamHandler(id protocol.ID) {
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	delete(t.h.services, id)
}

// SetStreamHandlerMatch serves id alone, for each of our protocols has one name.
func (t *thin) SetStreamHandlerMatch(id protocol.ID, _ func(protocol.ID) bool, handle network.StreamHandler) {
	t.SetStreamHandler(id, handle)
}

// NewStream opens a stream for the first of ids, to a peer whose role allows it.
func (t *thin) NewStream(ctx context.Context, id peer.ID, ids ...protocol.ID) (network.Stream, error) {
	to, ok := peerOf(id)
	if !ok || len(ids) == 0 {
		return nil, errNotOurs
	}
	p, ok := t.protocol(ids[0])
	if !ok {
		return nil, fmt.Errorf("%w: %s", errNotOurs, ids[0])
	}
	if t.h.standing(to)&p.From == 0 {
		return nil, wire.Refuse(wire.CodeRefused, errors.New("peer has no role for it"))
	}
	if no, _ := network.GetNoDial(ctx); no && !t.h.Connected(to) {
		return nil, ErrUnreachable
	}
	s, err := t.h.Open(ctx, to, p)
	if err != nil {
		return nil, err
	}
	var u *tube
	u = newTube(s, func() { t.forget(u) })
	t.mu.Lock()
	t.opened[u] = struct{}{}
	t.mu.Unlock()
	if t.h.standing(to)&p.From == 0 { // lost before review could see the stream
		u.end(wire.CodeRefused)
	}
	return u, nil
}

func (t *thin) forget(u *tube) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.opened, u)
}

// tubes returns the streams that we opened.
func (t *thin) tubes() []*tube {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.opened))
}

// review ends the streams that we opened to peers that have lost their role.
func (t *thin) review() {
	for _, u := range t.tubes() {
		if t.h.standing(u.s.peer)&u.s.protocol.From == 0 && u.s.doom(wire.CodeRefused) {
			t.h.apart(func() { u.s.discard(wire.CodeRefused) })
			u.leave()
		}
	}
}

// meet tells whoever uses the host that p is there and what it may be asked for.
func (t *thin) meet(p wire.Peer, id protocol.ID) {
	err := t.found.Emit(event.EvtPeerIdentificationCompleted{Peer: idOf(p), Protocols: []protocol.ID{id}})
	if err != nil {
		t.h.log.Debug("a peer was not announced", "peer", p.String())
	}
}

// meetAll tells gossip of the members that are linked.
func (h *Host) meetAll() {
	for _, c := range h.stack.swarm.Conns() {
		h.meet(c.RemotePeer())
	}
}

// meet tells gossip that a peer is linked, or may have become a member.
func (h *Host) meet(id peer.ID) {
	p, ok := peerOf(id)
	if ok && h.gossip.Load() != nil && h.standing(p)&wire.ProtocolGossip.From != 0 {
		h.thin.meet(p, protocol.ID(wire.ProtocolGossip.ID))
	}
}

func (t *thin) ID() peer.ID                      { return t.h.stack.swarm.LocalPeer() }
func (t *thin) Peerstore() peerstore.Peerstore   { return t.h.stack.store }
func (t *thin) Addrs() []ma.Multiaddr            { return t.h.stack.swarm.ListenAddresses() }
func (t *thin) Network() network.Network         { return view{t.h.stack.swarm} }
func (t *thin) ConnManager() connmgr.ConnManager { return connmgr.NullConnMgr{} }
func (t *thin) EventBus() event.Bus              { return t.bus }

// Mux returns nil: who speaks what is in our own table.
func (t *thin) Mux() protocol.Switch { return nil }

// Connect never dials: a peer's word is no reason to.
func (t *thin) Connect(context.Context, peer.AddrInfo) error { return errNoDial }

// Close does nothing: the Host owns the swarm.
func (t *thin) Close() error { return nil }

// view is the swarm to whom a connection through a relay is a connection.
type view struct{ *swarm.Swarm }

func (v view) Connectedness(p peer.ID) network.Connectedness {
	c := v.Swarm.Connectedness(p)
	if c == network.Limited {
		return network.Connected
	}
	return c
}
