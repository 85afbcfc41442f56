package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
	ma "github.com/multiformats/go-multiaddr"
	gproto "google.golang.org/protobuf/proto"

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
	a, err := parseAddress(addr)
	if err == nil && isCircuit(a) {
		err = errNested
	}
	if err != nil {
		return relayPlace{}, fmt.Errorf("relay %q: %w", s, err)
	}
	return relayPlace{peer: p, addr: addr}, nil
}

// read reads the first message of a hop or stop stream.
func (r *relay) read(c conn, m gproto.Message) error {
	if err := c.SetReadDeadline(time.Now().Add(relayWait)); err != nil {
		return c.s.over(err)
	}
	in := util.NewDelimitedReader(c, relayHello)
	defer in.Close()
	if err := in.ReadMsg(m); err != nil {
		return c.s.over(fmt.Errorf("%w: %w", wire.ErrNotCanonical, err))
	}
	return c.SetReadDeadline(time.Time{})
}

// respond writes the relay's answer on a hop stream.
func respond(s *Stream, status pb.Status, m *pb.HopMessage) error {
	if m == nil {
		m = &pb.HopMessage{}
	}
	m.Type, m.Status = pb.HopMessage_STATUS.Enum(), status.Enum()
	if status == pb.Status_RESOURCE_LIMIT_EXCEEDED || status == pb.Status_RESERVATION_REFUSED {
		s.host.note(s.peer, s.protocol.ID, wire.CodeBusy, byUs)
	}
	if err := s.raw.SetWriteDeadline(time.Now().Add(relayWait)); err != nil {
		return s.over(err)
	}
	return util.NewDelimitedWriter(conn{s}).WriteMsg(m)
}
