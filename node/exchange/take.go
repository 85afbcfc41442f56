package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// takenAtOnce is how many batches are brought onto the disk together, where so
// many have come.
const takenAtOnce = outstanding

// errHere is a fault of our own, not of the member.
var errHere = errors.New("could not be taken here")

// taker takes what a server sends of one author's feeds.
type taker struct {
	sink   Sink
	author directory.Agency
	forked func(first, second feed.Head) error
	taken  func(feed.Batch) // told of each batch that is on the disk
}

// subscribe says how far each of the author's feeds is held here.
func (t *taker) subscribe(s *link.Stream, once bool) error {
	held, err := t.sink.Holds(t.author.ID)
	if err != nil {
		return err
	}
	sub := &wire.Subscribe{Author: string(t.author.ID), Once: once}
	for _, h := range held {
		sub.Feeds = append(sub.Feeds, &wire.FeedPosition{
			Audience: h.Audience.String(), Generation: h.Generation, Number: h.Number, Hash: h.Hash[:], Held: h.Former,
		})
	}
	return s.Send(sub)
}

// run takes what comes until the stream ends, and io.EOF is its regular end.
func (t *taker) run(ctx context.Context, s *link.Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches, read := make(chan feed.Batch, takenAtOnce), make(chan error, 1)
	go func() {
		defer close(batches)
		read <- receive(ctx, s, batches)
	}()
	for b := range batches {
		group := []feed.Batch{b}
		for more := true; more && len(group) < takenAtOnce; {
			select {
			case b, ok := <-batches:
				if more = ok; ok {
					group = append(group, b)
				}
			default:
				more = false
			}
		}
		if err := t.take(s, group); err != nil {
			var r *wire.Refusal
			if errors.As(err, &r) && r.By == "us" {
				s.Reset(r.Code)
			}
			return err
		}
	}
	return <-read
}

// receive parses batches off a stream.
func receive(ctx context.Context, s *link.Stream, batches chan<- feed.Batch) error {
	for {
		var m wire.Batch
		if err := s.Receive(&m); err != nil {
			return err
		}
		b, err := feed.FromMessage(&m)
		if err != nil {
			err = refusal(err)
			var r *wire.Refusal
			if errors.As(err, &r) {
				s.Reset(r.Code)
			}
			return err
		}
		select {
		case batches <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take brings batches onto the disk, those of one feed together, and acknowledges
// each.
func (t *taker) take(s *link.Stream, group []feed.Batch) error {
	for len(group) > 0 {
		n := 1
		for n < len(group) && group[n].Head.ID == group[0].Head.ID {
			n++
		}
		if err := t.takeFeed(s, group[:n]); err != nil {
			return err
		}
		group = group[n:]
	}
	return nil
}

func (t *taker) takeFeed(s *link.Stream, group []feed.Batch) error {
	err := t.sink.Arrive(t.author, group)
	refused := errors.Is(err, ErrNotForUs)
	if err != nil && !refused {
		err = errors.Join(refusal(err), t.judge(group))
		var r *wire.Refusal
		if !errors.As(err, &r) {
			err = fmt.Errorf("%w: %w", errHere, err)
		}
		return err
	}
	for _, b := range group {
		ack := &wire.Ack{Audience: b.Head.Audience.String(), Generation: b.Head.Generation, Number: b.Head.Number, Refused: refused}
		if err := s.Send(ack); err != nil {
			return err
		}
		if !refused {
			t.taken(b)
		}
	}
	return nil
}

// judge looks whether a head of batches that were not taken proves a fork: its
// author signed it, and another one of the same number that is held here.
func (t *taker) judge(group []feed.Batch) error {
	for _, b := range group {
		if err := Judge(t.sink, t.author, b.Head, t.forked); err != nil {
			return err
		}
	}
	return nil
}

// Judge tells forked of a head that its author signed, and that conflicts with
// one held here.
func Judge(sink Sink, author directory.Agency, h feed.Head, forked func(first, second feed.Head) error) error {
	if h.Author != author.ID {
		return nil
	}
	held, ok, err := sink.HeadAt(h.ID, h.Generation, h.Number)
	if err != nil || !ok || !held.Conflicts(h) || !h.Verified(author.Key) || !held.Verified(author.Key) {
		return err
	}
	return forked(held, h)
}

// pullWithin bounds one Pull: what it did not bring, the next one will.
const pullWithin = 2 * time.Minute

// Pull fetches once what a member holds of author's feeds beyond what is held
// here. A member that says twice that there is no more, and goes on, is left.
func (fs *Followers) Pull(ctx context.Context, from wire.Peer, author directory.Agency) (entries int, err error) {
	ctx, cancel := context.WithTimeout(ctx, pullWithin)
	defer cancel()
	s, err := fs.open.Open(ctx, from, wire.ProtocolFeed)
	if err != nil {
		return 0, err
	}
	defer s.Reset(wire.CodeNone)
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeNone) })
	defer stop()
	ended := map[directory.Audience]bool{}
	t := &taker{sink: fs.sink, author: author, forked: fs.forked, taken: func(b feed.Batch) {
		entries += len(b.Entries)
		end := len(b.Entries) == 0 && len(b.Kept) == 0
		if end && ended[b.Head.Audience] {
			cancel()
		}
		ended[b.Head.Audience] = end
	}}
	if err := t.subscribe(s, true); err != nil {
		return 0, err
	}
	if err := t.run(ctx, s); !errors.Is(err, io.EOF) {
		return entries, err
	}
	return entries, nil
}
