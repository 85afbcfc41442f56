package exchange

import (
	"context"
	"errors"
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
	Have      uint64 // number of the last entry on our disk, of the feeds together
	Head      uint64 // and of the last that the member has, as last heard
	Heard     time.Time
	Trouble   string // why there is no connection, in words for a person; empty if there is one

	feeds map[directory.Audience]reach
}

// reach is how far one feed is here, and there.
type reach struct{ have, head uint64 }

// took counts a batch that is on the disk.
func (p *Progress) took(b feed.Batch, now time.Time) {
	if p.feeds == nil {
		p.feeds = map[directory.Audience]reach{}
	}
	p.feeds[b.Head.Audience] = reach{b.Head.Number, max(b.Head.Number, b.Last)}
	p.Connected, p.Trouble, p.Heard = true, "", now
	p.Have, p.Head = 0, 0
	for _, r := range p.feeds {
		p.Have, p.Head = p.Have+r.have, p.Head+r.head
	}
}

// Followers follows the feed of every active member.
type Followers struct {
	sink   Sink
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
func NewFollowers(sink Sink, open Opener, pause Pause, forked func(first, second feed.Head) error, l *slog.Logger, now func() time.Time) *Followers {
	return &Followers{sink: sink, open: open, pause: pause, forked: forked, slog: l, now: now, running: map[directory.AgencyID]*follower{}}
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
	s, err := fs.open.Open(ctx, f.agency.Key, wire.ProtocolFeed)
	if err != nil {
		return err
	}
	defer s.Reset(wire.CodeNone)
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeNone) })
	defer stop()
	t := &taker{sink: fs.sink, author: f.agency, forked: fs.forked, taken: func(b feed.Batch) {
		f.note(func(p *Progress) { p.took(b, fs.now()) })
	}}
	if err := t.subscribe(s, false); err != nil {
		return err
	}
	return t.run(ctx, s)
}

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

// connected reports whether an author's feeds flow from the author.
func (fs *Followers) connected(author directory.AgencyID) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.running[author]
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.progress.Connected
}
