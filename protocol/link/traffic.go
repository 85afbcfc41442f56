package link

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"

	"interlock/protocol/wire"
)

// maxTraffic is how many peers are counted each for itself.
const maxTraffic = 2 * maxConns

// Traffic is what went over the streams of one protocol with one peer, since
// the host was made, whoever opened them. Bytes are those of the streams, without
// the lines that open them and without what encryption and transport add. What
// went through a relay counts for the peer under its protocols, and once more
// for the relay under "/libp2p/circuit/…". Frames are whole messages; Raft,
// gossip and circuits have none.
type Traffic struct {
	Peer           wire.Peer // zero for all strangers and applicants together
	Protocol       string
	SentBytes      uint64
	ReceivedBytes  uint64
	SentFrames     uint64
	ReceivedFrames uint64
}

// Traffic returns what was sent to and received from each peer, sorted by peer
// and protocol.
func (h *Host) Traffic() []Traffic {
	all := h.flows.list()
	slices.SortFunc(all, func(a, b Traffic) int {
		return cmp.Or(bytes.Compare(a.Peer[:], b.Peer[:]), cmp.Compare(a.Protocol, b.Protocol))
	})
	return all
}

type flowKey struct {
	peer     wire.Peer
	protocol string
}

type flow struct {
	sentBytes, receivedBytes   atomic.Uint64
	sentFrames, receivedFrames atomic.Uint64
}

// flows are bounded by the peers that have a role, and by maxTraffic. The zero
// value is ready.
type flows struct {
	mu    sync.Mutex // owns what follows
	all   map[flowKey]*flow
	peers map[wire.Peer]struct{}
}

// of returns the flow to count on; known is whether p has a role of its own.
func (f *flows) of(p wire.Peer, protocol string, known bool) *flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all, f.peers = make(map[flowKey]*flow), make(map[wire.Peer]struct{})
	}
	if _, counted := f.peers[p]; !counted {
		if known && len(f.peers) < maxTraffic {
			f.peers[p] = struct{}{}
		} else {
			p = wire.Peer{}
		}
	}
	k := flowKey{p, protocol}
	one := f.all[k]
	if one == nil {
		one = new(flow)
		f.all[k] = one
	}
	return one
}

func (f *flows) list() []Traffic {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Traffic, 0, len(f.all))
	for k, one := range f.all {
		all = append(all, Traffic{
			Peer: k.peer, Protocol: k.protocol,
			SentBytes: one.sentBytes.Load(), ReceivedBytes: one.receivedBytes.Load(),
			SentFrames: one.sentFrames.Load(), ReceivedFrames: one.receivedFrames.Load(),
		})
	}
	return all
}

// metered is a stream whose bytes are counted once it is served.
type metered struct {
	network.Stream
	flow atomic.Pointer[flow]
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.Stream.Read(b)
	if f := m.flow.Load(); f != nil {
		f.receivedBytes.Add(uint64(n))
	}
	return n, err
}

func (m *metered) Write(b []byte) (int, error) {
	n, err := m.Stream.Write(b)
	if f := m.flow.Load(); f != nil {
		f.sentBytes.Add(uint64(n))
	}
	return n, err
}

// count begins to count: the stream is served.
func (s *Stream) count() {
	known := s.host.roles(s.peer)&^wire.Applicant != 0
	s.meter.flow.Store(s.host.flows.of(s.peer, s.protocol.ID, known))
}

// frame counts one whole frame.
func (s *Stream) frame(of func(*flow) *atomic.Uint64) {
	if f := s.meter.flow.Load(); f != nil {
		of(f).Add(1)
	}
}

func sentFrames(f *flow) *atomic.Uint64     { return &f.sentFrames }
func receivedFrames(f *flow) *atomic.Uint64 { return &f.receivedFrames }
