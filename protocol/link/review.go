package link

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"interlock/protocol/wire"
)

// reviewWait is how long Review waits for what it ends: a peer that does not
// read can hold its own up for some seconds.
const reviewWait = 250 * time.Millisecond

// Review asks Roles about every connected peer again. It ends the contexts of
// the handlers whose peer may no longer speak their protocol, and closes the
// connections of those that have no role or have become mere applicants. Gossip
// meets those that have become members.
func (h *Host) Review() {
	roles := make(map[wire.Peer]wire.Role)
	var closing []<-chan struct{}
	for _, c := range h.stack.swarm.Conns() {
		p, _ := peerOf(c.RemotePeer())
		role, asked := roles[p]
		if !asked {
			role = h.standing(p)
			roles[p] = role
			if err := h.stack.limits.grade(c.RemotePeer()); err != nil {
				role = wire.Nobody
			}
		}
		if role != wire.Applicant {
			h.applicants.remove(c)
		}
		if role == wire.Nobody || (role == wire.Applicant && !h.applicants.has(c)) {
			closing = append(closing, h.drop(c, network.ConnGated))
		}
	}
	for _, s := range h.served() {
		if role, asked := roles[s.peer]; asked && role&s.protocol.From == 0 && s.doom(wire.CodeRefused) {
			closing = append(closing, h.apart(func() { s.discard(wire.CodeRefused) }))
		}
	}
	h.thin.review()
	h.meetAll()
	h.places.stirAll()
	limit := time.NewTimer(reviewWait)
	defer limit.Stop()
	for _, closed := range closing {
		select {
		case <-closed:
		case <-limit.C:
			return
		}
	}
}

// served returns the streams that peers have open.
func (h *Host) served() []*Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*Stream, 0, len(h.streams))
	for s := range h.streams {
		all = append(all, s)
	}
	return all
}

func (h *Host) servedOn(c network.Conn) []*Stream {
	return slices.DeleteFunc(h.served(), func(s *Stream) bool { return s.raw.Conn() != c })
}
