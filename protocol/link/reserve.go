package link

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

// How long to wait before a relay that gave no place is asked again.
const (
	reserveFirst = time.Second
	reserveLast  = time.Minute
)

var errTwice = errors.New("is named twice")

// relayPlace is a relay at which a place is to be held.
type relayPlace struct {
	peer wire.Peer
	addr string // without the peer
}

// address is where h can be reached through the relay.
func (r relayPlace) address() string {
	return JoinAddress(r.peer, r.addr) + "/p2p-circuit"
}

// places are those that a host without an address of its own holds at relays.
type places struct {
	h    *Host
	wake map[wire.Peer]chan struct{}

	mu   sync.Mutex
	held map[relayPlace]time.Time // until when; owned by mu
}

func newPlaces(h *Host, relays []string) (*places, []relayPlace, error) {
	p := &places{h: h, wake: make(map[wire.Peer]chan struct{}), held: make(map[relayPlace]time.Time)}
	var list []relayPlace
	for _, s := range relays {
		r, err := parseRelay(s)
		if err != nil {
			return nil, nil, err
		}
		if p.wake[r.peer] != nil {
			return nil, nil, fmt.Errorf("relay %q: %w", s, errTwice)
		}
		list = append(list, r)
		p.wake[r.peer] = make(chan struct{}, 1)
	}
	return p, list, nil
}

// hold keeps a place at r until ctx ends: a place ends with its time, and when
// the last connection with the relay does.
func (p *places) hold(ctx context.Context, r relayPlace) {
	wait := reserveFirst
	for ctx.Err() == nil {
		until, err := p.reserve(ctx, r)
		if err == nil {
			p.set(r, until)
			wait = reserveFirst
			renew := time.Now().Add(time.Until(until) / 2)
			for ctx.Err() == nil && p.h.direct(idOf(r.peer)) && time.Now().Before(renew) {
				p.pause(ctx, r, time.Until(renew))
			}
		} else {
			p.h.log.Info("no place at a relay", "relay", r.peer.String(), "again", wait.String())
			p.pause(ctx, r, wait)
			wait = min(2*wait, reserveLast)
		}
		if !p.h.direct(idOf(r.peer)) || time.Now().After(p.until(r)) {
			p.set(r, time.Time{})
		}
	}
}

func (p *places) reserve(ctx context.Context, r relayPlace) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*relayWait)
	defer cancel()
	a, err := parseAddress(r.addr)
	if err != nil {
		return time.Time{}, err
	}
	// The relay may have dialled us through another, and gives no place there.
	ctx = network.WithForceDirectDial(ctx, "a place is held on a straight connection")
	got, err := client.Reserve(ctx, p.h.thin, peer.AddrInfo{ID: idOf(r.peer), Addrs: []ma.Multiaddr{a}})
	if err != nil {
		return time.Time{}, err
	}
	until := got.Expiration
	if most := time.Now().Add(relayTTL); most.Before(until) {
		until = most // whatever it promises, we ask again
	}
	return until, nil
}

// pause waits for d, or until the connection with the relay has ended or roles
// have changed.
func (p *places) pause(ctx context.Context, r relayPlace, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.wake[r.peer]:
	case <-ctx.Done():
	}
}

// stir has hold look again at the place at peer, if there is one.
func (p *places) stir(at wire.Peer) {
	select {
	case p.wake[at] <- struct{}{}:
	default:
	}
}

func (p *places) stirAll() {
	for at := range p.wake {
		p.stir(at)
	}
}

func (p *places) set(r relayPlace, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.IsZero() {
		delete(p.held, r)
		return
	}
	p.held[r] = until
}

func (p *places) until(r relayPlace) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[r]
}

// addresses are those through the relays at which a place is held.
func (p *places) addresses() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for r := range p.held {
		if p.h.direct(idOf(r.peer)) {
			all = append(all, r.address())
		}
	}
	return all
}

// at reports whether a place is to be held at relay: nobody else may bring us
// circuits.
func (p *places) at(relay wire.Peer) bool { return p.wake[relay] != nil }

// direct reports whether there is a connection to id that no relay carries.
func (h *Host) direct(id peer.ID) bool {
	return slices.ContainsFunc(h.stack.swarm.ConnsToPeer(id), func(c network.Conn) bool { return !throughRelay(c) })
}
