package testnet

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// Lie is what a lying member does to the others.
type Lie string

// The lies.
const (
	Forges     Lie = "serves entries under a head that it did not sign"
	Forks      Lie = "shows one history to one member and another to the next"
	Replays    Lie = "serves its first entries again to whoever has them"
	Reverts    Lie = "serves an older generation of its feed"
	Skips      Lie = "leaves entries out"
	Foresees   Lie = "announces under a token key that is still to come"
	Oversizes  Lie = "sends frames that are over the limit"
	Stalls     Lie = "subscribes and acknowledges nothing"
	Subscribes Lie = "opens more subscriptions than it may"
	Gossips    Lie = "floods the gossip"
)

// Lies are all of them, without the one that gets a member suspended.
func Lies() []Lie {
	return []Lie{Forges, Replays, Reverts, Skips, Oversizes, Stalls, Subscribes, Gossips, Foresees}
}

// serve answers a subscription with what the lie says.
func (l *Liar) serve(_ context.Context, s *link.Stream) error {
	var sub wire.Subscribe
	if err := s.Receive(&sub); err != nil {
		return err
	}
	l.mu.Lock()
	l.open[s] = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, s)
	}()
	var held feed.Position
	for _, p := range sub.Feeds {
		if p.Audience == "" && len(p.Hash) == len(held.Hash) {
			held = feed.Position{Generation: p.Generation, Number: p.Number, Hash: feed.Hash(p.Hash)}
		}
	}
	err := l.answer(s, held)
	for err == nil {
		err = s.Receive(&wire.Ack{})
	}
	l.note(err)
	return err
}

func (l *Liar) answer(s *link.Stream, held feed.Position) error {
	end := l.honest.end()
	switch lie := l.now(); lie {
	case Oversizes:
		return l.oversized(s)
	case Replays:
		return s.Send(l.honest[0].Message())
	case Reverts:
		return s.Send(l.older.after(0).Message())
	case Forges, Forks, Skips, Foresees:
		for n := held.Number; n < end.Number; {
			b := l.honest.after(n)
			if err := s.Send(b.Message()); err != nil {
				return err
			}
			n = b.Head.Number
		}
		return s.Send(l.lies(lie, l.reader(s.Peer())).Message())
	}
	return s.Send(l.honest.after(held.Number).Message())
}

// reader is the number of a member among all.
func (l *Liar) reader(p wire.Peer) int {
	for n, m := range l.members {
		if m.Key == p {
			return n
		}
	}
	return 0
}

// lies is a batch that goes on from what was announced honestly.
func (l *Liar) lies(lie Lie, reader int) feed.Batch {
	at, key := l.honest.end().Position, l.keys.Signing
	e := feed.Entry{Number: at.Number + 1, Kind: feed.Announce, Epoch: l.epoch}
	switch lie {
	case Forges:
		key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	case Forks:
		e.Tag[0] = byte(reader)
	case Skips:
		at = at.After(e)
		e.Number++
	case Foresees:
		e.Epoch += 7
	}
	at = at.After(e)
	return feed.Batch{Entries: []feed.Entry{e}, Head: feed.Sign(l.honest.end().ID, key, at), Last: at.Number}
}

// oversized writes a frame that says that it is larger than any may be.
func (l *Liar) oversized(s *link.Stream) error {
	frame := binary.BigEndian.AppendUint32(nil, uint32(wire.ProtocolFeed.Frame)+1)
	_, err := s.Conn().Write(append(frame, make([]byte, wire.ProtocolFeed.Frame+1)...))
	return err
}

// attacks does to one member what the lie says, until the lie ends.
func (l *Liar) attacks(ctx context.Context, lie Lie, m directory.Agency) {
	streams := 0
	switch lie {
	case Stalls:
		streams = 1
	case Subscribes:
		streams = 64
	}
	for range streams {
		s, err := l.host.Open(ctx, m.Key, wire.ProtocolFeed)
		if err == nil {
			err = s.Send(&wire.Subscribe{Author: string(m.ID)})
		}
		if err != nil {
			l.note(err)
			continue
		}
		l.mu.Lock()
		l.opened++
		l.mu.Unlock()
		// Nothing is read and nothing acknowledged, for as long as the other bears it.
		defer s.Reset(wire.CodeNone)
	}
	if streams > 0 {
		<-ctx.Done()
	}
}

// flood is how many messages the liar sends into the gossip.
const flood = 2000

// gossips tells of heads: of the fork every one; in a flood, of what is signed and of
// what is not, and of what is no head at all.
func (l *Liar) gossips(ctx context.Context, lie Lie) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(l.topic.Neighbours()) == 0 { // what is published before is heard by nobody, ever
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	id := l.honest.end().ID
	for n := range flood {
		if ctx.Err() != nil {
			return
		}
		at := l.honest.end().Position
		h := feed.Sign(id, l.keys.Signing, at)
		if lie == Forks {
			h = l.lies(lie, n%len(l.members)).Head
		} else {
			at.Number += uint64(n)
			h = feed.Sign(id, l.keys.Signing, at)
			if n%3 == 1 {
				h.Signature[0]++
			}
		}
		b, err := wire.Marshal(h.Message())
		if err == nil && lie == Gossips && n%3 == 2 {
			b = fmt.Appendf(nil, "no head %d", n)
		}
		if err == nil {
			err = l.topic.Publish(b)
		}
		l.note(err)
	}
}
