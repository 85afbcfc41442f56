package testnet

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/node"
	"interlock/node/store"
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

// Recording is what an agency has announced to every member, as it serves it.
type Recording []feed.Batch

// Records reads what the agency has announced so far.
func (a *Agency) Records() (r Recording, err error) {
	id := feed.ID{Author: directory.AgencyID(a.ID)}
	for since := uint64(0); ; since = r.end().Number {
		var b feed.Batch
		if err = a.Node().View(func(tx *store.Tx) error { b, err = tx.Batch(id, since); return err }); err != nil {
			return nil, err
		}
		if len(b.Entries) == 0 && len(r) > 0 {
			return r, nil
		}
		r = append(r, b)
		if b.Head.Number == b.Last {
			return r, nil
		}
	}
}

func (r Recording) end() feed.Head { return r[len(r)-1].Head }

// after is the batch that begins after an entry; the last one, without its
// entries, where there is none.
func (r Recording) after(n uint64) feed.Batch {
	for _, b := range r {
		if b.Head.Number > n && (len(b.Entries) == 0 || b.Entries[0].Number > n) {
			return b
		}
	}
	return feed.Batch{Head: r.end(), Last: r.end().Number}
}

// Liar is a host with an agency's key in the place of its node.
type Liar struct {
	agency  *Agency
	keys    *vault.Keys
	host    *link.Host
	topic   *link.Topic
	members []directory.Agency
	honest  Recording // what the agency announced before
	older   Recording // and in an older generation
	epoch   token.Epoch

	ctx    context.Context // ends with the liar
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.Mutex
	lie    Lie                   // owned by mu
	stop   context.CancelFunc    // owned by mu; ends the present lie
	open   map[*link.Stream]bool // owned by mu; of those who follow it
	ended  map[wire.Code]int     // owned by mu; how those who were lied to, or were to serve it, ended it
	opened int                   // owned by mu; subscriptions of its own that are open
}

// Turns stops the agency's node and puts a liar in its place. older is what it had
// announced in an older generation, for Reverts.
func (a *Agency) Turns(older Recording) (l *Liar, err error) {
	l = &Liar{agency: a, older: older, ended: map[wire.Code]int{}, open: map[*link.Stream]bool{}, stop: func() {}}
	if l.honest, err = a.Records(); err != nil {
		return nil, err
	}
	d := a.Node().Directory()
	if k, ok := d.Current(); ok {
		l.epoch = k.Epoch
	}
	l.members = d.Active()
	if err := a.Stop(); err != nil {
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if err := l.listens(d); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Liar) listens(d *directory.Directory) error {
	c, err := node.LoadConfig(l.agency.dir)
	if err != nil {
		return err
	}
	lock, err := vault.KeyFile(filepath.Join(l.agency.dir, c.Unlock))
	if err != nil {
		return err
	}
	if l.keys, err = vault.LoadKeys(filepath.Join(l.agency.dir, "identity.age"), lock); err != nil {
		return err
	}
	l.host, err = link.New(link.Options{
		Key: l.keys.Signing, Listen: c.Listen, Log: l.agency.net.plan.Log,
		Roles: func(wire.Peer) wire.Role { return wire.Member | wire.RegistryServer },
	})
	if err != nil {
		return err
	}
	for _, m := range l.members {
		if err := l.host.SetAddresses(m.Key, m.Addresses); err != nil {
			return err
		}
	}
	l.host.Handle(wire.ProtocolFeed, l.serve)
	genesis := d.Genesis
	l.topic, err = l.host.Join("interlock/heads/1/"+hex.EncodeToString(genesis[:16]), link.Gossip{
		Check: func(wire.Peer, []byte) link.Verdict { return link.Ignore }, Deliver: func(wire.Peer, []byte) {}, MaxSize: link.MaxGossip,
	})
	return err
}

// Close ends the liar; the agency's node can be started again.
func (l *Liar) Close() error {
	l.cancel()
	var err error
	if l.host != nil {
		err = l.host.Close()
	}
	l.tasks.Wait()
	if l.keys != nil {
		l.keys.Destroy()
	}
	return err
}

// Begins makes the liar tell one lie from now on. Whoever follows it is cut off, to
// come again and be told.
func (l *Liar) Begins(lie Lie) {
	ctx, stop := context.WithCancel(l.ctx)
	l.mu.Lock()
	l.stop()
	l.lie, l.stop, l.opened = lie, stop, 0
	clear(l.ended)
	for s := range l.open {
		s.Reset(wire.CodeNone)
	}
	l.mu.Unlock()
	for _, m := range l.members {
		if m.Key != l.agency.peer {
			l.tasks.Go(func() { l.attacks(ctx, lie, m) })
		}
	}
	if lie == Gossips || lie == Forks {
		l.tasks.Go(func() { l.gossips(ctx, lie) })
	}
}

// Ended is how often somebody ended a stream of the present lie with a code.
func (l *Liar) Ended(c wire.Code) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended[c]
}

// Opened is how many subscriptions the liar has opened for the present lie.
func (l *Liar) Opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened
}

func (l *Liar) now() Lie {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lie
}

func (l *Liar) note(err error) {
	var r *wire.Refusal
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.As(err, &r) {
		l.ended[r.Code]++
	}
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
