package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// Opener opens streams to members; a link.Host is one.
type Opener interface {
	Open(context.Context, wire.Peer, wire.Protocol) (*link.Stream, error)
}

// Pause is how long a follower waits before it tries again: it doubles from
// the first to the last, and each wait is cut by a random part so that a whole
// network does not come back at once.
type Pause struct{ First, Last time.Duration }

// Progress is how following one member goes.
type Progress struct {
	Agency    directory.AgencyID
	Connected bool
	Have      uint64 // entries on our disk
	Head      uint64 // entries the member has, as last heard
	Heard     time.Time
	Trouble   string // why there is no connection, in words for a person; empty if there is one
}

// Followers follows the feed of every active member.
type Followers struct {
	log    Log
	open   Opener
	pause  Pause
	forked func(first, second feed.Head) error
	slog   *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	running map[directory.AgencyID]*follower // owned by mu
	wg      sync.WaitGroup
}

// follower follows one member.
type follower struct {
	agency directory.Agency
	stop   context.CancelFunc

	mu       sync.Mutex
	progress Progress // owned by mu
}

// NewFollowers follows nobody yet. forked keeps the proof that a member has
// signed two different feeds of one length.
func NewFollowers(log Log, open Opener, pause Pause, forked func(first, second feed.Head) error, l *slog.Logger, now func() time.Time) *Followers {
	return &Followers{log: log, open: open, pause: pause, forked: forked, slog: l, now: now, running: map[directory.AgencyID]*follower{}}
}

// Set makes agencies the ones followed: others are dropped at once, new or
// changed ones are started. They end with ctx.
func (fs *Followers) Set(ctx context.Context, agencies []directory.Agency) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	keep := make(map[directory.AgencyID]bool, len(agencies))
	for _, a := range agencies {
		keep[a.ID] = true
		if f := fs.running[a.ID]; f != nil {
			if f.agency.Key == a.Key {
				continue
			}
			f.stop()
		}
		f := &follower{agency: a, progress: Progress{Agency: a.ID, Trouble: "not tried yet"}}
		var fctx context.Context
		fctx, f.stop = context.WithCancel(ctx)
		fs.running[a.ID] = f
		fs.wg.Go(func() { fs.run(fctx, f) })
	}
	for id, f := range fs.running {
		if !keep[id] {
			f.stop()
			delete(fs.running, id)
		}
	}
}

// Wait returns when every follower has ended; their context must have.
func (fs *Followers) Wait() { fs.wg.Wait() }

// Progress returns how it goes with each member, in no order.
func (fs *Followers) Progress() []Progress {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make([]Progress, 0, len(fs.running))
	for _, f := range fs.running {
		f.mu.Lock()
		list = append(list, f.progress)
		f.mu.Unlock()
	}
	return list
}

func (f *follower) note(change func(*Progress)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.progress)
}

// run follows until ctx ends, with a growing pause after each failure.
func (fs *Followers) run(ctx context.Context, f *follower) {
	pause := fs.pause.First
	for ctx.Err() == nil {
		began := fs.now()
		err := fs.follow(ctx, f)
		if ctx.Err() != nil {
			return
		}
		f.note(func(p *Progress) { p.Connected, p.Trouble = false, trouble(err) })
		fs.slog.Info("feed interrupted", "agency", f.agency.ID, "cause", err)
		if fs.now().Sub(began) > fs.pause.Last {
			pause = fs.pause.First // it went well for a while
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, fs.pause.Last)
	}
}

// follow subscribes once and takes what comes until the stream ends.
func (fs *Followers) follow(ctx context.Context, f *follower) (err error) {
	at, err := fs.position(f.agency.ID)
	if err != nil {
		return err
	}
	s, err := fs.open.Open(ctx, f.agency.Key, wire.ProtocolFeed)
	if err != nil {
		return err
	}
	defer s.Reset(wire.CodeNone)
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeNone) })
	defer stop()
	if err := s.Send(&wire.Subscribe{Author: string(f.agency.ID), Since: at.Number, Hash: at.Hash[:]}); err != nil {
		return err
	}
	for {
		n, err := fs.take(f, s)
		if err != nil {
			var r *wire.Refusal
			if errors.As(err, &r) && r.By == "us" {
				s.Reset(r.Code)
			}
			return err
		}
		if err := s.Send(&wire.Ack{Number: n}); err != nil {
			return err
		}
	}
}

// take receives one batch and brings it onto the disk.
func (fs *Followers) take(f *follower, s *link.Stream) (uint64, error) {
	var m wire.Batch
	if err := s.Receive(&m); err != nil {
		return 0, err
	}
	b, err := feed.FromMessage(&m)
	if err != nil {
		return 0, refusal(err)
	}
	if err := fs.log.Arrive(f.agency, b); err != nil {
		err = errors.Join(refusal(err), fs.judge(f.agency, b.Head))
		var r *wire.Refusal
		if !errors.As(err, &r) {
			err = fmt.Errorf("%w: %w", errHere, err)
		}
		return 0, err
	}
	f.note(func(p *Progress) {
		p.Connected, p.Trouble = true, ""
		p.Have, p.Head, p.Heard = b.Head.Number, max(b.Head.Number, b.Last), fs.now()
	})
	return b.Head.Number, nil
}

// judge looks whether the head of a batch that was not taken proves a fork: its
// author signed it, and another one of the same number that is held here.
func (fs *Followers) judge(author directory.Agency, h feed.Head) error {
	if h.Author != author.ID || !h.Verified(author.Key) {
		return nil
	}
	held, ok, err := fs.log.HeadAt(author.ID, h.Number)
	if err != nil || !ok || held.Hash == h.Hash || !held.Verified(author.Key) {
		return err
	}
	return fs.forked(held, h)
}

func (fs *Followers) position(author directory.AgencyID) (feed.Position, error) {
	h, ok, err := fs.log.Head(author)
	if err != nil || !ok {
		return feed.Start(author), err
	}
	return h.Position, nil
}

// errHere is a fault of our own, not of the member.
var errHere = errors.New("could not be taken here")

// trouble says in words for a person why a feed does not flow.
func trouble(err error) string {
	var r *wire.Refusal
	switch {
	case errors.As(err, &r) && r.Code == wire.CodeForged && r.By == "peer":
		return "its feed is not the one that it had before; nothing more is taken from it"
	case errors.As(err, &r) && r.Code == wire.CodeForged:
		return "its feed does not verify; its entries are not taken"
	case errors.As(err, &r) && r.Code == wire.CodeGap:
		return "its feed does not continue where ours ends"
	case errors.As(err, &r) && r.Code == wire.CodeRefused && r.By == "us":
		return "it is no active member as we know it"
	case errors.As(err, &r) && r.By == "peer":
		return "it refused us: " + r.Code.String()
	case errors.As(err, &r):
		return "it sent something that is not allowed: " + r.Code.String()
	case errors.Is(err, errHere):
		return "what it sends cannot be stored here; the node's log says why"
	case errors.Is(err, context.DeadlineExceeded):
		return "it does not answer"
	case errors.Is(err, io.EOF):
		return "it ended the connection"
	}
	return "it cannot be reached"
}
