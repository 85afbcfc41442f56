package link

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"google.golang.org/protobuf/proto"

	"interlock/protocol/wire"
)

func TestANeighbourThatNeverReadsCostsBoundedMemory(t *testing.T) {
	r := newRoster()
	h, other := newTalker(t, r, transports["tcp"]), newTalker(t, r)
	linked(t, other.Host, h.Host)
	eventually(t, "the mesh", func() bool { return h.neighbour(other.Peer()) && other.neighbour(h.Peer()) })
	l := newLiar(t, r, h, false)
	before := heap()
	const rounds, size = 3072, 4 * wire.KiB // 12 MiB, more than window and queue
	padding := strings.Repeat("!", size-20)
	for i := range rounds {
		h.publish(t, fmt.Sprintf("good %d%s", i, padding))
		if i%64 == 0 {
			// The honest neighbour is not to lose by its own queue.
			last := fmt.Sprintf("good %d%s", i, padding)
			eventually(t, "the message", func() bool { return other.heard(last) })
			other.mu.Lock()
			other.got = other.got[:0]
			other.mu.Unlock()
		}
	}
	if !h.neighbour(l.peer) {
		t.Error("who never reads was sent nothing: the test says nothing")
	}
	// Both hosts remember what was said for some beats.
	eventually(t, "the memory", func() bool { return heap()-before < 6*wire.MiB })
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAFloodIsDropped(t *testing.T) {
	const burst = gossipBurst * gossipRate
	b := newBudget(time.Unix(0, 0))
	if !b.take(burst, 0, time.Unix(0, 0)) || b.take(1, 0, time.Unix(0, 0)) {
		t.Error("the burst is not the burst")
	}
	if !b.take(gossipRate, 0, time.Unix(1, 0)) || b.take(1, 0, time.Unix(1, 0)) {
		t.Error("the rate is not the rate")
	}
	if b.take(burst+1, 0, time.Unix(1000, 0)) {
		t.Error("saved up more than the burst")
	}
	if !b.take(1, gossipBurst*gossipBytes, time.Unix(1000, 0)) || b.take(1, 1, time.Unix(1000, 0)) {
		t.Error("bytes are not counted")
	}

	r := newRoster()
	h := newTalker(t, r, transports["tcp"])
	l := newLiar(t, r, h, true)
	flood := &pb.RPC{}
	for i := range 1024 {
		flood.Publish = append(flood.Publish, &pb.Message{Topic: proto.String(news), Data: fmt.Appendf(nil, "x%d", i)})
	}
	for range 2 * burst / 1024 {
		l.say(t, flood)
	}
	eventually(t, "the drop", func() bool {
		return count(h.Host, wire.ProtocolGossip.ID, wire.CodeBusy, byUs) > 0
	})
}

func TestARPCWithoutMessagesCountsAsOne(t *testing.T) {
	for name, rpc := range map[string]*pb.RPC{
		"nothing":        {},
		"a subscription": {Subscriptions: []*pb.RPC_SubOpts{{Subscribe: proto.Bool(true), Topicid: proto.String(news)}}},
		"an offer":       {Control: &pb.ControlMessage{Ihave: []*pb.ControlIHave{{TopicID: proto.String(news)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newTalker(t, newRoster()).gossip.Load()
			from := idOf(wire.PeerOf(newKey(t)))
			var err error
			for i := 0; i < 2*gossipBurst*gossipRate && err == nil; i++ {
				err = g.inspect(from, &pubsub.RPC{RPC: pb.RPC{Subscriptions: rpc.Subscriptions, Control: rpc.Control}})
			}
			if !errors.Is(err, errTooFast) {
				t.Errorf("twice the burst: got error %v, want %v", err, errTooFast)
			}
		})
	}
}

func TestWhatARPCHoldsBesideMessagesHasItsBytesCounted(t *testing.T) {
	g := newTalker(t, newRoster()).gossip.Load()
	from := idOf(wire.PeerOf(newKey(t)))
	offer := &pb.ControlIHave{TopicID: proto.String(news), MessageIDs: []string{strings.Repeat("i", 32*wire.KiB)}}
	var err error
	for i := 0; i < 2*gossipBurst*gossipBytes/(32*wire.KiB) && err == nil; i++ {
		err = g.inspect(from, &pubsub.RPC{RPC: pb.RPC{Control: &pb.ControlMessage{Ihave: []*pb.ControlIHave{offer}}}})
	}
	if !errors.Is(err, errTooFast) {
		t.Errorf("twice the burst: got error %v, want %v", err, errTooFast)
	}
}

func TestAFloodIsNotForgivenForALostConnection(t *testing.T) {
	const burst = gossipBurst * gossipRate
	g := newTalker(t, newRoster()).gossip.Load()
	from, now := idOf(wire.PeerOf(newKey(t))), time.Now().Add(time.Hour)
	left := func(now time.Time) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.peer(from).budget.take(burst, 0, now)
	}
	if !left(now) {
		t.Fatal("no burst at first")
	}
	g.forget(from, now)
	if left(now.Add(time.Second)) {
		t.Error("all is forgiven a second after the flood")
	}
	g.forget(from, now.Add(gossipBurst*time.Second))
	if got := len(g.spent); got != 0 {
		t.Errorf("%d budgets are kept that are full again", got)
	}
}

func TestANeighbourNamesFewTopics(t *testing.T) {
	r := newRoster()
	h := newTalker(t, r, transports["tcp"])
	l := newLiar(t, r, h, true)
	for i := range 2 * MaxTopics {
		l.say(t, &pb.RPC{Subscriptions: []*pb.RPC_SubOpts{
			{Subscribe: proto.Bool(true), Topicid: proto.String(fmt.Sprint("topic", i))},
			{Subscribe: proto.Bool(true), Topicid: proto.String(strings.Repeat("x", maxTopicName+1))},
		}})
	}
	l.publish(t, "good 1") // comes after them
	eventually(t, "the message", func() bool { return h.heard("good 1") })
	g := h.gossip.Load()
	if got := len(g.pubsub.ListPeers(strings.Repeat("x", maxTopicName+1))); got != 0 {
		t.Error("a long name was kept")
	}
	g.mu.Lock()
	if got := len(g.peers[idOf(l.peer)].topics); got != MaxTopics {
		t.Errorf("kept %d topics, want %d", got, MaxTopics)
	}
	g.mu.Unlock()
	r.set(l.peer, wire.Nobody)
	h.Review()
	eventually(t, "the forgetting", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.peers[idOf(l.peer)] == nil
	})
}
