package testnet

import (
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"
	"sync"

	"interlock/crypto/token"
	"interlock/crypto/vault"
	"interlock/node"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

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
