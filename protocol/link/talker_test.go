package link

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-msgio"
	"google.golang.org/protobuf/proto"

	"interlock/protocol/wire"
)

const news = "/interlock/test/news"

// talker is a host that keeps what gossip brings it.
type talker struct {
	*Host
	topic *Topic

	mu  sync.Mutex
	got []string
}

// newTalker makes a member that accepts what begins with "good" and rejects
// what begins with "bad".
func newTalker(t testing.TB, r *roster, listen ...string) *talker {
	t.Helper()
	k := &talker{Host: newHost(t, r, listen...)}
	k.beat = 100 * time.Millisecond
	k.join(t)
	return k
}

func (k *talker) join(t testing.TB) {
	t.Helper()
	var err error
	k.topic, err = k.Join(news, Gossip{MaxSize: 4 * wire.KiB, Check: judge, Deliver: k.take})
	if err != nil {
		t.Fatal(err)
	}
}

func judge(_ wire.Peer, b []byte) Verdict {
	switch {
	case bytes.HasPrefix(b, []byte("good")):
		return Accept
	case bytes.HasPrefix(b, []byte("bad")):
		return Reject
	default:
		return Ignore
	}
}

func (k *talker) take(_ wire.Peer, b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.got = append(k.got, string(b))
}

func (k *talker) heard(what string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Contains(k.got, what)
}

func (k *talker) neighbour(p wire.Peer) bool { return slices.Contains(k.topic.Neighbours(), p) }

func (k *talker) publish(t testing.TB, what string) {
	t.Helper()
	if err := k.topic.Publish([]byte(what)); err != nil {
		t.Fatal(err)
	}
}

// linked connects two hosts.
func linked(t testing.TB, from, to *Host) {
	t.Helper()
	knows(t, from, to)
	if _, err := from.stack.swarm.DialPeer(soon(t), idOf(to.Peer())); err != nil {
		t.Fatal(err)
	}
}

// ring makes n talkers, each linked to the next one and, where chords, to the
// one after that.
func ring(t testing.TB, r *roster, n int, closed, chords bool) []*talker {
	t.Helper()
	all := make([]*talker, n)
	for i := range all {
		all[i] = newTalker(t, r, transports["tcp"])
	}
	for i := range all {
		if i+1 < n || closed {
			linked(t, all[i].Host, all[(i+1)%n].Host)
		}
		if chords {
			linked(t, all[i].Host, all[(i+2)%n].Host)
		}
	}
	for i := range all {
		if i+1 < n || closed {
			next := all[(i+1)%n]
			eventually(t, "the mesh", func() bool { return all[i].neighbour(next.Peer()) && next.neighbour(all[i].Peer()) })
		}
	}
	return all
}

// liar speaks GossipSub as it likes.
type liar struct {
	*bare
	out msgio.WriteCloser
	got chan *pb.RPC
}

// newLiar links a liar to h as a neighbour on news; reads says whether it ever
// reads what it is sent.
func newLiar(t testing.TB, r *roster, h *talker, reads bool) *liar {
	t.Helper()
	l := &liar{bare: newBare(t), got: make(chan *pb.RPC, 1024)}
	r.set(l.peer, wire.Member)
	l.swarm.SetStreamHandler(func(s network.Stream) {
		if _, err := hear(s); err != nil {
			return
		}
		if _, err := s.Write(hello(wire.ProtocolGossip.ID)); err != nil || !reads {
			return
		}
		in := msgio.NewVarintReader(s)
		for {
			b, err := in.ReadMsg()
			rpc := new(pb.RPC)
			if err != nil || proto.Unmarshal(b, rpc) != nil {
				return
			}
			l.got <- rpc
		}
	})
	l.out = msgio.NewVarintWriter(l.open(t, h.Host, wire.ProtocolGossip))
	l.say(t, &pb.RPC{Subscriptions: []*pb.RPC_SubOpts{{Subscribe: proto.Bool(true), Topicid: proto.String(news)}}})
	l.say(t, &pb.RPC{Control: &pb.ControlMessage{Graft: []*pb.ControlGraft{{TopicID: proto.String(news)}}}})
	eventually(t, "the liar's place", func() bool { return h.neighbour(l.peer) })
	return l
}

func (l *liar) say(t testing.TB, rpc *pb.RPC) {
	t.Helper()
	if err := l.send(rpc); err != nil {
		t.Fatal(err)
	}
}

func (l *liar) send(rpc *pb.RPC) error {
	b, err := proto.Marshal(rpc)
	if err != nil {
		return err
	}
	return l.out.WriteMsg(b)
}

func (l *liar) publish(t testing.TB, what string) {
	t.Helper()
	l.say(t, &pb.RPC{Publish: []*pb.Message{{Topic: proto.String(news), Data: []byte(what)}}})
}
