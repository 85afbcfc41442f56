package link

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	ma "github.com/multiformats/go-multiaddr"

	"interlock/protocol/wire"
)

var errNested = errors.New("is itself behind a relay")

// circuits lets h dial through relays, and where it keeps places at some, be
// dialled through them.
func (h *Host) circuits(relays []relayPlace) error {
	h.thin.speak(hop())
	h.thin.speak(stop())
	c, err := client.New(h.thin, h.stack.upgrader)
	if err != nil {
		return err
	}
	if err := h.stack.swarm.AddTransport(c); err != nil || len(relays) == 0 {
		return err
	}
	if err := h.stack.swarm.AddListenAddr(ma.StringCast("/p2p-circuit")); err != nil {
		return err
	}
	c.Start()
	return nil
}

// callable is whom a circuit may come from: a relay at which h keeps a place.
func (h *Host) callable(p wire.Protocol, serve func(context.Context, *Stream) error) func(context.Context, *Stream) error {
	if p.ID != proto.ProtoIDv2Stop {
		return serve
	}
	return func(ctx context.Context, s *Stream) error {
		if !h.places.at(s.peer) || throughRelay(s.raw.Conn()) {
			return wire.Refuse(wire.CodeRefused, errors.New("no place is kept there"))
		}
		return serve(ctx, s)
	}
}

// throughRelay reports whether c goes through a relay.
func throughRelay(c network.Conn) bool { return isCircuit(c.RemoteMultiaddr()) }

func isCircuit(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// parseRelay takes apart the address of a relay, which ends in its peer.
func parseRelay(s string) (relayPlace, error) {
	p, addr, err := SplitAddress(s)
	if err != nil {
		return relayPlace{}, fmt.Errorf("relay %q: %w", s, err)
	}
	place := relayPlace{peer: p, addr: addr}
	a, err := parseAddress(addr)
	if err == nil && isCircuit(a) {
		err = errNested
	}
	if err == nil { // longer, and others are to dial it
		err = ParseAddress(place.address())
	}
	if err != nil {
		return relayPlace{}, fmt.Errorf("relay %q: %w", s, err)
	}
	return place, nil
}
