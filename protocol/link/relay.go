package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
	gproto "google.golang.org/protobuf/proto"

	"interlock/protocol/wire"
)

// What a member carries that offers to relay. A circuit has the links of two
// members that would otherwise not see each other, feeds included, so it may
// carry more than libp2p's 128 KiB; when it ends, the next stream makes a new
// one.
const (
	relayReservations = 128           // members that hold a place
	relayTTL          = time.Hour     // of a place
	relayPeerCircuits = 64            // of one member, as either end
	relayCircuits     = 512           // in all
	relayDuration     = 6 * time.Hour // of a circuit
	relayBytes        = 1 << 30       // through a circuit, each way
	relayBuffer       = 32 * wire.KiB // of a circuit, each way
	relayHello        = 4 * wire.KiB  // longest first message
	relayWait         = 15 * time.Second
)

// hop and stop are the two protocols of circuit relay v2 (libp2p
// specification, relay/circuit-v2). Members open hop to a relay, to reserve a
// place or to reach somebody; the relay opens stop to that somebody. Behind
// their first messages comes the inner connection, whose handshake is between
// its ends.
func hop() wire.Protocol {
	return wire.Protocol{ID: proto.ProtoIDv2Hop, From: wire.Member, Peer: relayPeerCircuits + 2}
}

func stop() wire.Protocol {
	return wire.Protocol{ID: proto.ProtoIDv2Stop, From: wire.Member, Peer: relayPeerCircuits + 2}
}

// relay is the service of circuit relay v2 for members. libp2p's own counts
// places by the holder's network and not by its role, and leaves streams to
// goroutines that Close and Review do not know of.
type relay struct {
	h     *Host
	ttl   time.Duration
	bytes int64

	mu       sync.Mutex // owns what follows
	places   map[wire.Peer]time.Time
	circuits map[wire.Peer]int // by either end
	all      int
}

func newRelay(h *Host, ttl time.Duration, bytes int64) *relay {
	return &relay{h: h, ttl: ttl, bytes: bytes, places: make(map[wire.Peer]time.Time), circuits: make(map[wire.Peer]int)}
}

// serve answers one hop stream, and carries its circuit to the end.
func (r *relay) serve(_ context.Context, s *Stream) error {
	var m pb.HopMessage
	if err := r.read(conn{s}, &m); err != nil {
		return err
	}
	if throughRelay(s.raw.Conn()) {
		return respond(s, pb.Status_PERMISSION_DENIED, nil)
	}
	switch m.GetType() {
	case pb.HopMessage_RESERVE:
		return r.reserve(s)
	case pb.HopMessage_CONNECT:
		return r.connect(s, m.GetPeer().GetId())
	default:
		return respond(s, pb.Status_UNEXPECTED_MESSAGE, nil)
	}
}

func (r *relay) reserve(s *Stream) error {
	now := time.Now()
	until := now.Add(r.ttl)
	if !r.admit(s.peer, now, until) {
		return respond(s, pb.Status_RESERVATION_REFUSED, nil)
	}
	if !r.h.direct(s.raw.Conn().RemotePeer()) { // ended before forget could see the place
		r.forget(s.peer)
	}
	expire := uint64(until.Unix())
	return respond(s, pb.Status_OK, &pb.HopMessage{Reservation: &pb.Reservation{Expire: &expire}, Limit: r.limit()})
}

// admit gives p a place until then, where there is one.
func (r *relay) admit(p wire.Peer, now, until time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for holder, end := range r.places {
		if end.Before(now) {
			delete(r.places, holder)
		}
	}
	if _, has := r.places[p]; !has && len(r.places) >= relayReservations {
		return false
	}
	r.places[p] = until
	return true
}

// forget takes p's place away: there is no connection with it any more.
func (r *relay) forget(p wire.Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.places, p)
}

func (r *relay) limit() *pb.Limit {
	seconds, bytes := uint32(relayDuration/time.Second), uint64(r.bytes)
	return &pb.Limit{Duration: &seconds, Data: &bytes}
}

func (r *relay) connect(s *Stream, id []byte) error {
	to, ok := peerOf(peer.ID(id))
	if !ok {
		return respond(s, pb.Status_MALFORMED_MESSAGE, nil)
	}
	if status := r.enter(s.peer, to, time.Now()); status != pb.Status_OK {
		return respond(s, status, nil)
	}
	defer r.leave(s.peer, to)
	far, err := r.call(s.peer, to)
	if err != nil {
		return respond(s, pb.Status_CONNECTION_FAILED, nil)
	}
	defer far.end(wire.CodeNone) // where it has not ended
	if err := respond(s, pb.Status_OK, &pb.HopMessage{Limit: r.limit()}); err != nil {
		return err
	}
	return r.carry(newTube(s, func() {}), far)
}

// enter counts a circuit, where there may be one.
func (r *relay) enter(from, to wire.Peer, now time.Time) pb.Status {
	if r.h.standing(from)&r.h.standing(to)&wire.Member == 0 {
		return pb.Status_PERMISSION_DENIED
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if end, ok := r.places[to]; !ok || end.Before(now) {
		return pb.Status_NO_RESERVATION
	}
	if r.all >= relayCircuits || r.circuits[from] >= relayPeerCircuits || r.circuits[to] >= relayPeerCircuits {
		return pb.Status_RESOURCE_LIMIT_EXCEEDED
	}
	r.all++
	r.circuits[from]++
	r.circuits[to]++
	return pb.Status_OK
}

func (r *relay) leave(ends ...wire.Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	for _, p := range ends {
		if r.circuits[p]--; r.circuits[p] == 0 {
			delete(r.circuits, p)
		}
	}
}

// call asks to whether it takes a circuit from from.
func (r *relay) call(from, to wire.Peer) (*tube, error) {
	ctx, cancel := context.WithTimeout(r.h.ctx, relayWait)
	defer cancel()
	ctx = network.WithNoDial(ctx, "circuit")
	raw, err := r.h.thin.NewStream(ctx, idOf(to), proto.ProtoIDv2Stop)
	if err != nil {
		return nil, err
	}
	far := raw.(*tube)
	var m pb.StopMessage
	if err = r.ask(far, from, &m); err == nil && (m.GetType() != pb.StopMessage_STATUS || m.GetStatus() != pb.Status_OK) {
		err = errors.New("the other side takes no circuit")
	}
	if err != nil {
		far.end(wire.CodeNone)
		return nil, err
	}
	return far, nil
}

func (r *relay) ask(far *tube, from wire.Peer, m *pb.StopMessage) error {
	request := &pb.StopMessage{
		Type: pb.StopMessage_CONNECT.Enum(), Limit: r.limit(),
		Peer: util.PeerInfoToPeerV2(peer.AddrInfo{ID: idOf(from)}),
	}
	if err := far.SetDeadline(time.Now().Add(relayWait)); err != nil {
		return err
	}
	if err := util.NewDelimitedWriter(far).WriteMsg(request); err != nil {
		return err
	}
	return r.read(conn{far.s}, m)
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

// carry copies both ways until both have ended, one has failed, or the circuit
// has had its time or its bytes.
func (r *relay) carry(near, far *tube) error {
	end := time.Now().Add(relayDuration)
	if err := errors.Join(near.SetDeadline(end), far.SetDeadline(end)); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	var both sync.WaitGroup
	for _, way := range [][2]*tube{{near, far}, {far, near}} {
		both.Go(func() {
			if pour(way[1], way[0], r.bytes) != nil {
				near.end(wire.CodeNone)
				far.end(wire.CodeNone)
			}
		})
	}
	both.Wait()
	return nil
}

var errCircuitFull = errors.New("circuit has carried what it may")

// pour copies at most limit bytes to the end of from, which becomes that of to.
func pour(to, from *tube, limit int64) error {
	// Without their other methods, so that the buffer is used.
	n, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{io.LimitReader(from, limit)}, make([]byte, relayBuffer))
	if err != nil {
		return err
	}
	if n == limit {
		return errCircuitFull
	}
	return to.CloseWrite()
}
