package link

import (
	"bytes"
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"interlock/protocol/wire"
)

// mesh knows who is a neighbour on which topic, from what pubsub tells its
// tracers.
type mesh struct {
	mu     sync.Mutex
	topics map[string]map[peer.ID]struct{} // owned by mu
}

var _ pubsub.RawTracer = (*mesh)(nil)

func newMesh() *mesh { return &mesh{topics: make(map[string]map[peer.ID]struct{})} }

func (m *mesh) of(topic string) []wire.Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []wire.Peer
	for id := range m.topics[topic] {
		if p, ok := peerOf(id); ok {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b wire.Peer) int { return bytes.Compare(a[:], b[:]) })
	return all
}

// Graft tells of a new neighbour.
func (m *mesh) Graft(p peer.ID, topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.topics[topic] == nil {
		m.topics[topic] = make(map[peer.ID]struct{})
	}
	m.topics[topic][p] = struct{}{}
}

// Prune tells of a neighbour that is none any more.
func (m *mesh) Prune(p peer.ID, topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.topics[topic], p)
}

// Leave tells that we have left a topic.
func (m *mesh) Leave(topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.topics, topic)
}

// OnClosedOutboundStream tells of a neighbour that is gone.
func (m *mesh) OnClosedOutboundStream(p peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, peers := range m.topics {
		delete(peers, p)
	}
}

// What is of no use here.

func (m *mesh) OnNewOutboundStream(peer.ID, protocol.ID)             {}
func (m *mesh) Join(string)                                          {}
func (m *mesh) ValidateMessage(*pubsub.Message)                      {}
func (m *mesh) DeliverMessage(*pubsub.Message)                       {}
func (m *mesh) RejectMessage(*pubsub.Message, string)                {}
func (m *mesh) DuplicateMessage(*pubsub.Message)                     {}
func (m *mesh) DropRPC(*pubsub.RPC, peer.ID)                         {}
func (m *mesh) UndeliverableMessage(*pubsub.Message)                 {}
func (m *mesh) ThrottlePeer(peer.ID)                                 {}
func (m *mesh) RecvRPC(*pubsub.RPC)                                  {}
func (m *mesh) SendRPC(*pubsub.RPC, peer.ID)                         {}
func (m *mesh) SendRPCCompleted(*pubsub.RPC, peer.ID, time.Duration) {}
