package link

import (
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/proto"

	"interlock/protocol/wire"
)

// What gossip may hold and take. A message is shared by all queues it waits in.
const (
	gossipBeat   = time.Second      // how often the mesh is mended
	gossipMemory = time.Minute      // how long a message is known again
	gossipGrudge = 10 * time.Minute // how long a neighbour is blamed
	gossipQueue  = 256              // messages that wait for one neighbour
	gossipChecks = 1024             // messages that wait for Check
	gossipRate   = 2048             // messages a second from one neighbour; what holds none is one
	gossipBytes  = 4 * wire.MiB     // from it a second, all told
	gossipBurst  = 4                // seconds' worth that may come at once
)

// What a neighbour's blame leads to: with one rejected message it leaves the
// mesh, with two it hears no more of what is new, with three it is not heard.
const (
	blame        = -10 // by the square of rejected messages
	blameGossip  = -20
	blamePublish = -40
	blameDeaf    = -80
	roleless     = -1000 // a peer that is no member
)

var errTooFast = errors.New("more messages than a neighbour may send")

// gossip is GossipSub (libp2p specification, pubsub/gossipsub 1.1) among
// members, under one protocol of ours. It is made at the first Join.
type gossip struct {
	h      *Host
	pubsub *pubsub.PubSub
	mesh   *mesh

	mu     sync.Mutex          // owns what follows
	topics map[string]struct{} // that we have joined
	peers  map[peer.ID]*gossiper
	spent  map[peer.ID]budget // of neighbours that have gone, until they are full again
}

// gossiper is what is kept of a neighbour while it is linked.
type gossiper struct {
	topics map[string]struct{} // that it says it has joined
	budget budget
}

// gossiping returns the host's gossip, and begins it where there is none.
func (h *Host) gossiping() (*gossip, error) {
	h.gossipBegin.Lock()
	defer h.gossipBegin.Unlock()
	if h.ctx.Err() != nil {
		return nil, errClosed
	}
	if g := h.gossip.Load(); g != nil {
		return g, nil
	}
	g := &gossip{
		h: h, mesh: newMesh(), topics: make(map[string]struct{}),
		peers: make(map[peer.ID]*gossiper), spent: make(map[peer.ID]budget),
	}
	h.thin.speak(wire.ProtocolGossip)
	var err error
	if g.pubsub, err = pubsub.NewGossipSub(h.ctx, h.thin, g.options()...); err != nil {
		return nil, err
	}
	h.gossip.Store(g)
	h.meetAll()
	return g, nil
}

func (g *gossip) options() []pubsub.Option {
	params := pubsub.DefaultGossipSubParams()
	params.HeartbeatInterval = g.h.beat
	params.HeartbeatInitialDelay = g.h.beat / 10
	return []pubsub.Option{
		pubsub.WithGossipSubProtocols([]protocol.ID{protocol.ID(wire.ProtocolGossip.ID)},
			func(f pubsub.GossipSubFeature, _ protocol.ID) bool { return f == pubsub.GossipSubFeatureMesh }),
		pubsub.WithGossipSubParams(params),
		pubsub.WithFloodPublish(false),
		pubsub.WithPeerExchange(false),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(func(m *pb.Message) string {
			sum := sha256.Sum256(m.Data)
			return string(sum[:])
		}),
		pubsub.WithSeenMessagesTTL(gossipMemory),
		pubsub.WithMaxMessageSize(wire.ProtocolGossip.Frame),
		pubsub.WithMaxControlMessageSize(wire.ProtocolGossip.Frame),
		pubsub.WithPeerOutboundQueueSize(gossipQueue),
		pubsub.WithValidateQueueSize(gossipChecks),
		pubsub.WithSubscriptionFilter(g),
		pubsub.WithAppSpecificRpcInspector(g.inspect),
		pubsub.WithRawTracer(g.mesh),
		pubsub.WithPeerScore(g.score(), &pubsub.PeerScoreThresholds{
			GossipThreshold: blameGossip, PublishThreshold: blamePublish, GraylistThreshold: blameDeaf,
		}),
	}
}

func (g *gossip) score() *pubsub.PeerScoreParams {
	return &pubsub.PeerScoreParams{
		SkipAtomicValidation: true,
		Topics:               make(map[string]*pubsub.TopicScoreParams),
		AppSpecificScore: func(id peer.ID) float64 {
			if p, ok := peerOf(id); ok && g.h.standing(p)&wire.ProtocolGossip.From != 0 {
				return 0
			}
			return roleless
		},
		AppSpecificWeight:         1,
		BehaviourPenaltyWeight:    -1,
		BehaviourPenaltyThreshold: 6,
		BehaviourPenaltyDecay:     pubsub.ScoreParameterDecay(gossipGrudge),
		DecayInterval:             time.Second,
		DecayToZero:               0.01,
		RetainScore:               gossipGrudge,
		SeenMsgTTL:                gossipMemory,
	}
}

func topicScore() *pubsub.TopicScoreParams {
	return &pubsub.TopicScoreParams{
		SkipAtomicValidation:           true,
		TopicWeight:                    1,
		TimeInMeshQuantum:              time.Second,
		InvalidMessageDeliveriesWeight: blame,
		InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(gossipGrudge),
	}
}

// enter reports whether name may be joined, and counts it.
func (g *gossip) enter(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, joined := g.topics[name]; joined || len(g.topics) >= MaxTopics {
		return false
	}
	g.topics[name] = struct{}{}
	return true
}

func (g *gossip) leave(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.topics, name)
}

// CanSubscribe is asked about our own topics, which Join has looked at.
func (g *gossip) CanSubscribe(string) bool { return true }

// FilterIncomingSubscriptions keeps what a neighbour says it has joined small.
func (g *gossip) FilterIncomingSubscriptions(from peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	names := g.peer(from).topics
	return slices.DeleteFunc(subs, func(s *pb.RPC_SubOpts) bool {
		name := s.GetTopicid()
		if !s.GetSubscribe() {
			delete(names, name)
			return false
		}
		if _, known := names[name]; !goodTopic(name) || !known && len(names) >= MaxTopics {
			return true
		}
		names[name] = struct{}{}
		return false
	}), nil
}

// peer returns what is kept of id. The caller holds g.mu.
func (g *gossip) peer(id peer.ID) *gossiper {
	p := g.peers[id]
	if p == nil {
		p = &gossiper{topics: make(map[string]struct{}), budget: newBudget(time.Now())}
		if b, ok := g.spent[id]; ok {
			p.budget = b
			delete(g.spent, id)
		}
		g.peers[id] = p
	}
	return p
}

// forget comes when the last connection with id has ended. What id has left to
// send outlives it, or whoever floods would come again at once for more.
func (g *gossip) forget(id peer.ID, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.peers[id]; p != nil {
		g.spent[id] = p.budget
		delete(g.peers, id)
	}
	maps.DeleteFunc(g.spent, func(_ peer.ID, b budget) bool { return b.full(now) })
}

// inspect drops what comes faster than anybody needs to send it, so that what
// is remembered of messages stays bounded, and so is the work for what holds none.
func (g *gossip) inspect(from peer.ID, rpc *pubsub.RPC) error {
	g.mu.Lock()
	ok := g.peer(from).budget.take(max(1, len(rpc.GetPublish())), proto.Size(&rpc.RPC), time.Now())
	g.mu.Unlock()
	if ok {
		return nil
	}
	if p, ok := peerOf(from); ok {
		g.h.note(p, wire.ProtocolGossip.ID, wire.CodeBusy, byUs)
	}
	return errTooFast
}

// budget is a token bucket for messages and for their bytes.
type budget struct {
	messages, bytes float64
	at              time.Time
}

func newBudget(now time.Time) budget {
	return budget{gossipBurst * gossipRate, gossipBurst * gossipBytes, now}
}

func (b *budget) take(messages, bytes int, now time.Time) bool {
	b.refill(now)
	if float64(messages) > b.messages || float64(bytes) > b.bytes {
		return false
	}
	b.messages -= float64(messages)
	b.bytes -= float64(bytes)
	return true
}

func (b *budget) refill(now time.Time) {
	gone := now.Sub(b.at).Seconds()
	b.at = now
	b.messages = min(gossipBurst*gossipRate, b.messages+gossipRate*gone)
	b.bytes = min(gossipBurst*gossipBytes, b.bytes+gossipBytes*gone)
}

func (b budget) full(now time.Time) bool {
	b.refill(now)
	return b.messages == gossipBurst*gossipRate && b.bytes == gossipBurst*gossipBytes
}
