package link

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"interlock/protocol/wire"
)

func TestAMessageReachesEverybodyThroughNeighbours(t *testing.T) {
	for name, shape := range map[string]struct{ closed, chords bool }{
		"line": {}, "ring": {closed: true}, "ring with chords": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			all := ring(t, newRoster(), 20, shape.closed, shape.chords)
			for i, k := range []int{0, 10, 19} {
				what := fmt.Sprintf("good %d", i)
				all[k].publish(t, what)
				for j, other := range all {
					if j != k {
						eventually(t, fmt.Sprintf("%q at %d", what, j), func() bool { return other.heard(what) })
					}
				}
				if all[k].heard(what) {
					t.Errorf("%d heard its own message", k)
				}
			}
			for j, k := range all {
				k.mu.Lock()
				if got := len(k.got); got > 3 {
					t.Errorf("%d heard %d messages, want 3: %q", j, got, k.got)
				}
				k.mu.Unlock()
			}
		})
	}
}

func TestOneWhoJoinsLaterAndOneWhoIsDialledTakePart(t *testing.T) {
	onEachTransport(t, func(t *testing.T, listen string) {
		r := newRoster()
		first, later := newTalker(t, r, listen), newHost(t, r)
		linked(t, later, first.Host)
		// first has been refused by now, or will be: later speaks no gossip yet.
		k := &talker{Host: later}
		k.beat = 100 * time.Millisecond
		k.join(t)
		eventually(t, "the mesh", func() bool { return first.neighbour(later.Peer()) && k.neighbour(first.Peer()) })
		first.publish(t, "good 1")
		eventually(t, "the message", func() bool { return k.heard("good 1") })
		if err := k.topic.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the leaving", func() bool { return !first.neighbour(later.Peer()) })
		k.join(t)
	})
}

func TestWhoPublishesGarbageIsNotForwardedAndLosesItsPlace(t *testing.T) {
	r := newRoster()
	h, other := newTalker(t, r, transports["tcp"]), newTalker(t, r)
	linked(t, other.Host, h.Host)
	eventually(t, "the mesh", func() bool { return h.neighbour(other.Peer()) && other.neighbour(h.Peer()) })
	l := newLiar(t, r, h, true)
	l.publish(t, "good 1")
	l.publish(t, "indifferent")
	eventually(t, "what is good", func() bool { return h.heard("good 1") && other.heard("good 1") })
	if !h.neighbour(l.peer) {
		t.Error("a neighbour lost its place by what was ignored")
	}
	for _, what := range []string{"bad 1", "good" + strings.Repeat("!", 5*wire.KiB), "bad 3"} {
		l.publish(t, what)
	}
	eventually(t, "the blame", func() bool { return !h.neighbour(l.peer) })
	eventually(t, "the counts", func() bool {
		return count(h.Host, wire.ProtocolGossip.ID, wire.CodeMalformed, byUs) == 2 &&
			count(h.Host, wire.ProtocolGossip.ID, wire.CodeTooLarge, byUs) == 1
	})
	l.publish(t, "good 2") // it is not heard any more
	h.publish(t, "good 3")
	eventually(t, "what is good", func() bool { return other.heard("good 3") })
	if got, want := other.got, []string{"good 1", "good 3"}; !slices.Equal(got, want) {
		t.Errorf("forwarded %q, want %q", got, want)
	}
	if h.heard("good 2") {
		t.Error("heard one who had published garbage three times")
	}
	if n := count(other.Host, wire.ProtocolGossip.ID, wire.CodeMalformed, byUs); n != 0 {
		t.Errorf("an honest neighbour was blamed %d times", n)
	}
}

func TestAMessageSaysNothingOfItsAuthor(t *testing.T) {
	r := newRoster()
	h := newTalker(t, r, transports["tcp"])
	l := newLiar(t, r, h, true)
	h.publish(t, "good 1")
	for {
		rpc := receive(t, l.got)
		for _, m := range rpc.Publish {
			if m.From != nil || m.Seqno != nil || m.Signature != nil || m.Key != nil {
				t.Errorf("got %v, want data and topic alone", m)
			}
			if string(m.Data) == "good 1" {
				return
			}
		}
	}
}

func TestASignedMessageIsRejected(t *testing.T) {
	r := newRoster()
	h := newTalker(t, r, transports["tcp"])
	l := newLiar(t, r, h, true)
	l.say(t, &pb.RPC{Publish: []*pb.Message{{
		Topic: proto.String(news), Data: []byte("good 1"), From: []byte(idOf(l.peer)), Seqno: []byte{1},
	}}})
	eventually(t, "the blame", func() bool { return !h.neighbour(l.peer) })
	if h.heard("good 1") {
		t.Error("heard a message with an author")
	}
}

func TestOnlyMembersGossip(t *testing.T) {
	for _, role := range []wire.Role{wire.Applicant, wire.RegistryOperator, wire.RegistryServer} {
		t.Run(fmt.Sprint(role), func(t *testing.T) {
			r := newRoster()
			h := newTalker(t, r, transports["tcp"])
			stranger := newBare(t)
			r.set(stranger.peer, role)
			opened := make(chan network.Stream, 8)
			stranger.swarm.SetStreamHandler(func(s network.Stream) { opened <- s })
			s, err := stranger.dial(t, h.Host)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write(hello(wire.ProtocolGossip.ID)); err != nil {
				t.Fatal(err)
			}
			wantReset(t, s, wire.CodeRefused)
			h.Review()
			h.publish(t, "good 1")
			if got := len(opened); got != 0 {
				t.Errorf("gossip opened %d streams to it", got)
			}
			if got := h.topic.Neighbours(); len(got) != 0 {
				t.Errorf("neighbours: %v", got)
			}
		})
	}
}

func TestSuspensionEndsGossip(t *testing.T) {
	for name, role := range map[string]wire.Role{"the link too": wire.Nobody, "the link stays": wire.RegistryServer} {
		t.Run(name, func(t *testing.T) {
			r := newRoster()
			h, other := newTalker(t, r, transports["tcp"]), newTalker(t, r)
			linked(t, other.Host, h.Host)
			eventually(t, "the mesh", func() bool { return h.neighbour(other.Peer()) && other.neighbour(h.Peer()) })
			l := newLiar(t, r, h, true)
			h.publish(t, "good 1")
			eventually(t, "the message", func() bool { return other.heard("good 1") })
			r.set(l.peer, role)
			h.Review()
			eventually(t, "the suspension", func() bool { return !h.neighbour(l.peer) })
			for len(l.got) > 0 {
				<-l.got
			}
			h.publish(t, "good 2")
			eventually(t, "the message", func() bool { return other.heard("good 2") })
			if err := l.send(&pb.RPC{Publish: []*pb.Message{{Topic: proto.String(news), Data: []byte("good 3")}}}); err == nil {
				h.publish(t, "good 4")
				eventually(t, "the message", func() bool { return other.heard("good 4") })
			}
			if h.heard("good 3") {
				t.Error("heard a suspended member")
			}
			for len(l.got) > 0 {
				if rpc := <-l.got; len(rpc.Publish) > 0 {
					t.Errorf("a suspended member got %v", rpc)
				}
			}
		})
	}
}

func TestJoinSaysWhatIsWrong(t *testing.T) {
	r := newRoster()
	h := newTalker(t, r)
	good := Gossip{Check: judge, Deliver: func(wire.Peer, []byte) {}, MaxSize: 1}
	for name, test := range map[string]struct {
		topic string
		o     Gossip
		want  string
	}{
		"no check":     {"a", Gossip{Deliver: good.Deliver, MaxSize: 1}, "no check"},
		"too large":    {"a", Gossip{good.Check, good.Deliver, MaxGossip + 1}, "messages of 32769 bytes"},
		"nameless":     {"", good, "visible ASCII"},
		"joined twice": {news, good, "joined already"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := h.Join(test.topic, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
	if err := h.topic.Publish(make([]byte, 4*wire.KiB+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("publish: got %v, want %v", err, wire.ErrTooLarge)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Join("b", good); err == nil {
		t.Error("joined on a closed host")
	}
	if err := h.topic.Close(); err != nil {
		t.Error(err)
	}
	if err := h.topic.Publish([]byte("good")); err == nil {
		t.Error("published on a closed host")
	}
}

func TestAPanicInCheckIsNoVerdict(t *testing.T) {
	r := newRoster()
	h := newHost(t, r, transports["tcp"])
	h.beat = 100 * time.Millisecond
	checked := make(chan struct{}, 1)
	topic, err := h.Join(news, Gossip{
		MaxSize: 100, Deliver: func(wire.Peer, []byte) { panic("delivered") },
		Check: func(_ wire.Peer, b []byte) Verdict {
			if string(b) == "ugly" {
				checked <- struct{}{}
				panic("ugly")
			}
			return Accept
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	k := &talker{Host: h, topic: topic}
	l := newLiar(t, r, k, true)
	l.publish(t, "fine")
	l.publish(t, "ugly")
	receive(t, checked)
	if !k.neighbour(l.peer) {
		t.Error("our own panic was blamed on a neighbour")
	}
}
