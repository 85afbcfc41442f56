package exchange

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// compares asks one neighbour after another, at random, what it holds.
func (s *Spread) compares(ctx context.Context, t Topic) {
	for sleep(ctx, s.Pause.Compare/2+rand.N(s.Pause.Compare)) {
		near := t.Neighbours()
		if len(near) == 0 {
			continue
		}
		if err := s.Compare(ctx, near[rand.IntN(len(near))]); err != nil && ctx.Err() == nil {
			s.Log.Info("holdings not compared", "cause", err)
		}
	}
}

// Compare asks a member what it holds, and wants what is more than is held here. A
// head that differs from ours is proof that its author shows us different feeds.
func (s *Spread) Compare(ctx context.Context, with wire.Peer) error {
	stream, err := s.Followers.open.Open(ctx, with, wire.ProtocolHoldings)
	if err != nil {
		return err
	}
	defer stream.Reset(wire.CodeNone)
	stop := context.AfterFunc(ctx, func() { stream.Reset(wire.CodeNone) })
	defer stop()
	var m wire.Holdings
	if err := stream.Receive(&m); err != nil {
		return err
	}
	for i, told := range m.Heads {
		h, err := feed.ParseHead(told)
		if err != nil || h.Audience != directory.Everyone || i > 0 && m.Heads[i-1].Author >= told.Author {
			return wire.Refuse(wire.CodeMalformed, errors.New("holdings"))
		}
		author, ok := s.author(h.Author)
		if !ok || s.forks(author, h) {
			continue
		}
		if less(s.holds(h.Author), h.Position) && h.Verified(author.Key) {
			s.Want(with, h.Author, h.Position)
		}
	}
	return nil
}

// holds is how far the feed of an author for every member is held here.
func (s *Spread) holds(author directory.AgencyID) (at feed.Position) {
	held, err := s.Followers.sink.Holds(author)
	if err != nil {
		s.Log.Error("what is held of a feed could not be read", "agency", author, "cause", err)
	}
	for _, h := range held {
		if h.Audience == directory.Everyone {
			at = feed.Position{Generation: h.Generation, Number: h.Number}
		}
	}
	return at
}

// Answer tells a member what is held here of the feeds for every member.
func (s *Spread) Answer(_ context.Context, to *link.Stream) error {
	d := s.Directory()
	if d == nil {
		return wire.Refuse(wire.CodeRefused, errors.New("no directory yet"))
	}
	var m wire.Holdings
	for _, a := range d.Active() {
		id := feed.ID{Author: a.ID}
		at := s.holds(a.ID)
		h, ok, err := s.Source.HeadAt(id, at.Generation, at.Number)
		if err != nil {
			return err
		}
		if ok {
			m.Heads = append(m.Heads, h.Message())
		}
	}
	slices.SortFunc(m.Heads, func(a, b *wire.Head) int { return strings.Compare(a.Author, b.Author) })
	return to.Send(&m)
}
