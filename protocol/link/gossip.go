package link

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"interlock/protocol/wire"
)

// Verdict is what Check says of a message.
type Verdict int

// The verdicts. The zero value forwards nothing and blames nobody.
const (
	// Ignore is for what is of no use, or cannot be judged by what is known
	// here by now: it is neither delivered nor forwarded.
	Ignore Verdict = iota
	// Accept delivers the message and forwards it to the neighbours.
	Accept
	// Reject is for what no honest member could have let through. The
	// neighbour that it came from is blamed and leaves the mesh; after the
	// third in some minutes nothing more is heard from it.
	Reject
)

// Gossip is how one topic's messages are judged and received. A message is the
// same message wherever it comes from, if its bytes are: it comes once. Its
// bytes are shared and not to be changed.
type Gossip struct {
	// Check judges a message before it goes any further. It is called from
	// several goroutines, and is quick: until it returns, others wait. from is
	// the neighbour that sent the message, not the one that wrote it.
	Check func(from wire.Peer, b []byte) Verdict
	// Deliver gets each accepted message of others, one after the other. While
	// it takes its time, a bounded number waits and further ones are lost.
	Deliver func(from wire.Peer, b []byte)
	// MaxSize is the largest message, bytes; at most MaxGossip.
	MaxSize int
}

// Limits of gossip.
const (
	// MaxGossip is the largest message there can be, bytes.
	MaxGossip = 32 * wire.KiB
	// MaxTopics is the most topics that a peer takes part in.
	MaxTopics = 128

	maxTopicName = 128
	topicBacklog = 256 // accepted messages that wait for Deliver
)

// Topic is a host's part in the gossip on one topic.
type Topic struct {
	g      *gossip
	name   string
	o      Gossip
	topic  *pubsub.Topic
	sub    *pubsub.Subscription
	cancel context.CancelFunc
	close  func() error
}

// Join takes part in the gossip of the members that have joined topic too, on
// the links there are: it dials nobody. A message reaches all of them as long
// as the links between them are in one piece, whoever is linked to whom.
//
// Messages carry neither author nor number nor signature; whatever says who
// wrote them and that they are true is for the caller to put into them and to
// Check. A neighbour that gets a message before anybody else may guess.
func (h *Host) Join(topic string, o Gossip) (*Topic, error) {
	t, err := h.join(topic, o)
	if err != nil {
		return nil, fmt.Errorf("join topic %q: %w", topic, err)
	}
	return t, nil
}

func (h *Host) join(name string, o Gossip) (*Topic, error) {
	if o.Check == nil || o.Deliver == nil {
		return nil, errors.New("no check, or nobody to deliver to")
	}
	if o.MaxSize < 1 || o.MaxSize > MaxGossip {
		return nil, fmt.Errorf("messages of %d bytes, want 1 to %d", o.MaxSize, MaxGossip)
	}
	if !goodTopic(name) {
		return nil, fmt.Errorf("want 1 to %d visible ASCII characters", maxTopicName)
	}
	g, err := h.gossiping()
	if err != nil {
		return nil, err
	}
	return g.join(name, o)
}

func goodTopic(name string) bool {
	return name != "" && len(name) <= maxTopicName &&
		!strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (g *gossip) join(name string, o Gossip) (*Topic, error) {
	if !g.enter(name) {
		return nil, fmt.Errorf("joined already, or more than %d topics", MaxTopics)
	}
	t := &Topic{g: g, name: name, o: o}
	t.close = sync.OnceValue(t.end)
	if err := t.begin(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	ctx, cancel := context.WithCancel(g.h.ctx)
	t.cancel = cancel
	g.h.apart(func() { t.deliver(ctx) })
	return t, nil
}

func (t *Topic) begin() error {
	err := t.g.pubsub.RegisterTopicValidator(t.name, t.judge, pubsub.WithValidatorInline(true))
	if err != nil {
		return err
	}
	if t.topic, err = t.g.pubsub.Join(t.name); err != nil {
		return err
	}
	if err := t.topic.SetScoreParams(topicScore()); err != nil {
		return err
	}
	t.sub, err = t.topic.Subscribe(pubsub.WithBufferSize(topicBacklog))
	return err
}

// Publish sends b to the neighbours, which pass it on. It does not say whether
// anybody got it: with no neighbours nobody does.
func (t *Topic) Publish(b []byte) error {
	if len(b) > t.o.MaxSize {
		return fmt.Errorf("publish on %q: %w: %d of %d bytes", t.name, wire.ErrTooLarge, len(b), t.o.MaxSize)
	}
	// The message is kept for some seconds; b stays the caller's.
	if err := t.topic.Publish(t.g.h.ctx, append([]byte(nil), b...)); err != nil {
		return fmt.Errorf("publish on %q: %w", t.name, err)
	}
	return nil
}

// Neighbours returns the members that messages are exchanged with directly now,
// some of those that are linked and have joined.
func (t *Topic) Neighbours() []wire.Peer { return t.g.mesh.of(t.name) }

// Close leaves the topic. Deliver may still be running when it returns.
func (t *Topic) Close() error {
	if err := t.close(); err != nil {
		return fmt.Errorf("leave topic %q: %w", t.name, err)
	}
	return nil
}

func (t *Topic) end() error {
	defer t.g.leave(t.name)
	if t.cancel != nil {
		t.cancel()
	}
	var err error
	if t.sub != nil {
		t.sub.Cancel()
	}
	if t.topic != nil {
		err = errors.Join(t.topic.Close(), t.g.pubsub.UnregisterTopicValidator(t.name))
	}
	if t.g.h.ctx.Err() != nil {
		return nil // everything has ended
	}
	return err
}

// judge is asked about each message, our own included, once.
func (t *Topic) judge(_ context.Context, id peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	from, ok := peerOf(id)
	if !ok {
		return pubsub.ValidationIgnore
	}
	if from == t.g.h.self {
		return pubsub.ValidationAccept
	}
	if t.g.h.standing(from)&wire.ProtocolGossip.From == 0 {
		return pubsub.ValidationIgnore // lost its role since it sent this
	}
	code, verdict := wire.CodeTooLarge, Reject
	if len(m.Data) <= t.o.MaxSize {
		code, verdict = wire.CodeMalformed, t.check(from, m.Data)
	}
	switch verdict {
	case Accept:
		return pubsub.ValidationAccept
	case Reject:
		t.g.h.note(from, wire.ProtocolGossip.ID, code, byUs)
		return pubsub.ValidationReject
	default:
		return pubsub.ValidationIgnore
	}
}

func (t *Topic) check(from wire.Peer, b []byte) (v Verdict) {
	defer t.g.h.rescue("gossip check panicked", wire.ProtocolGossip.ID, from, func() { v = Ignore })
	return t.o.Check(from, b)
}

func (t *Topic) deliver(ctx context.Context) {
	for {
		m, err := t.sub.Next(ctx)
		if err != nil {
			return
		}
		if from, ok := peerOf(m.ReceivedFrom); ok && from != t.g.h.self {
			t.deliverOne(from, m.Data)
		}
	}
}

func (t *Topic) deliverOne(from wire.Peer, b []byte) {
	defer t.g.h.rescue("gossip delivery panicked", wire.ProtocolGossip.ID, from, func() {})
	t.o.Deliver(from, b)
}
