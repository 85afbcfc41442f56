package link

import (
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

// gate is what libp2p asks at each step of a connection.
type gate struct{ h *Host }

var _ connmgr.ConnectionGater = gate{}

// standing returns the role that counts now: Nobody where the path is cut.
func (h *Host) standing(p wire.Peer) wire.Role {
	if h.cut(p) {
		return wire.Nobody
	}
	return h.roles(p)
}

// isApplicant reports whether id is an applicant and nothing else.
func (h *Host) isApplicant(id peer.ID) bool {
	p, ok := peerOf(id)
	return ok && h.roles(p) == wire.Applicant
}

// admits reports whether id may connect. Applicants come, and are not gone to.
func (h *Host) admits(dir network.Direction, id peer.ID) bool {
	p, ok := peerOf(id)
	if !ok {
		return false
	}
	role := h.standing(p)
	if dir == network.DirOutbound {
		role &^= wire.Applicant
	}
	return role != wire.Nobody
}

// InterceptPeerDial refuses to dial a peer without a role.
func (g gate) InterceptPeerDial(id peer.ID) bool { return g.h.admits(network.DirOutbound, id) }

// InterceptAddrDial is asked for each address of a peer.
func (g gate) InterceptAddrDial(id peer.ID, _ ma.Multiaddr) bool {
	return g.h.admits(network.DirOutbound, id)
}

// InterceptAccept comes before anything is known of the other side; how many
// connections one address may open is for limits.
func (g gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured comes with the other side's key: a stranger ends here.
func (g gate) InterceptSecured(dir network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	if g.h.admits(dir, id) {
		return true
	}
	if dir == network.DirInbound {
		p, _ := peerOf(id)
		g.h.note(p, connection, wire.CodeRefused, byUs)
	}
	return false
}

// InterceptUpgraded asks again, for a handshake takes time.
func (g gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	settled(c)
	return g.h.admits(c.Stat().Direction, c.RemotePeer()), 0
}

// watch returns what libp2p calls when a connection has come or gone.
func (h *Host) watch() network.Notifiee {
	return &network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) { h.connected(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) {
			h.applicants.remove(c)
			for _, s := range h.servedOn(c) {
				s.cancel()
			}
			if g := h.gossip.Load(); g != nil && !h.linked(c.RemotePeer()) {
				g.forget(c.RemotePeer(), time.Now())
			}
			if p, ok := peerOf(c.RemotePeer()); ok {
				h.places.stir(p)
				if h.relay != nil && !h.direct(c.RemotePeer()) {
					h.relay.forget(p)
				}
			}
		},
	}
}

// connected closes what may not stay. A role that was lost after the gate was
// asked, and before Review could see the connection, is noticed here.
func (h *Host) connected(c network.Conn) {
	p, ok := peerOf(c.RemotePeer())
	if !ok || !h.admits(c.Stat().Direction, c.RemotePeer()) || h.stack.limits.grade(c.RemotePeer()) != nil {
		h.drop(c, network.ConnGated)
		return
	}
	h.meet(c.RemotePeer())
	if c.Stat().Direction != network.DirInbound || h.roles(p) != wire.Applicant {
		return
	}
	if !h.applicants.add(c, func() { h.expire(c, p) }) {
		h.note(p, connection, wire.CodeBusy, byUs)
		h.drop(c, network.ConnResourceLimitExceeded)
	}
}

// expire ends an applicant's connection, unless it has become a member.
func (h *Host) expire(c network.Conn, p wire.Peer) {
	h.applicants.remove(c)
	if h.standing(p)&^wire.Applicant == 0 {
		h.drop(c, network.ConnGarbageCollected)
	}
}

// drop closes c with a code, and the returned channel when it has. Nothing more
// is sent or received on it from now on.
func (h *Host) drop(c network.Conn, code network.ConnErrorCode) <-chan struct{} {
	for _, s := range h.servedOn(c) {
		s.doom(connCode(code))
	}
	return h.apart(func() {
		if err := c.CloseWithError(code); err != nil {
			h.log.Debug("connection did not close cleanly", "code", uint32(code))
		}
	})
}

// apart ends something that a peer which does not read can hold up, and closes
// the returned channel when it has. Once the host closes it does nothing, for
// everything ends then.
func (h *Host) apart(end func()) <-chan struct{} {
	ended := make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(ended)
		return ended
	}
	h.running.Go(func() {
		defer close(ended)
		end()
	})
	return ended
}
