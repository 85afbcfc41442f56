package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// Server serves the feeds held here.
type Server struct {
	Self   directory.AgencyID
	Source Source
	// Acknowledged is told what a reader has of a feed of ours, on its disk and
	// compared. The next batch waits for it, so it is quick.
	Acknowledged func(reader directory.AgencyID, a directory.Audience, generation uint32, number uint64)
}

// Serve answers one subscription of reader. It returns when the subscriber
// leaves, or ctx ends because the host closes or the subscriber is no longer a
// member.
func (sv *Server) Serve(ctx context.Context, reader directory.AgencyID, s *link.Stream) error {
	var sub wire.Subscribe
	if err := s.Receive(&sub); err != nil {
		return err
	}
	o, err := sv.opening(reader, s, &sub)
	if err != nil {
		return refusal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	acks, read := make(chan *wire.Ack), make(chan error, 1)
	go func() {
		defer cancel()
		read <- readAcks(ctx, s, acks)
	}()
	err = o.run(ctx, acks)
	if err != nil && ctx.Err() != nil {
		err = <-read // the stream is over, and the reader knows why
	}
	if errors.Is(err, io.EOF) {
		return nil // the subscriber left
	}
	return err
}

// readAcks passes the subscriber's acknowledgements on until its side ends.
func readAcks(ctx context.Context, s *link.Stream, acks chan<- *wire.Ack) error {
	for {
		a := &wire.Ack{}
		if err := s.Receive(a); err != nil {
			return err
		}
		select {
		case acks <- a:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// outgoing is one subscription under way.
type outgoing struct {
	*Server
	reader, author directory.AgencyID
	stream         *link.Stream
	once           bool
	feeds          map[directory.Audience]*sent
	unacked        []pending
	turn           int // the feed that the next room is for
}

// pending is a batch that the subscriber has not acknowledged.
type pending struct {
	audience   directory.Audience
	generation uint32
	number     uint64
	kept       bool // a step of a move, and not yet its end
}

// sent is how far the subscriber has been sent one feed.
type sent struct {
	generation uint32
	number     uint64
	former     uint64 // what it held of a former generation
	greeted    bool   // it was told where the feed ends
	refused    bool   // it took none of it; it is asked again with the next heartbeat
}

// opening reads where the subscriber stands.
func (sv *Server) opening(reader directory.AgencyID, s *link.Stream, sub *wire.Subscribe) (*outgoing, error) {
	author, err := directory.ParseAgencyID(sub.Author)
	if err != nil {
		return nil, wire.Refuse(wire.CodeMalformed, err)
	}
	o := &outgoing{Server: sv, reader: reader, author: author, stream: s, once: sub.Once, feeds: map[directory.Audience]*sent{}}
	servable, err := sv.Source.Servable(author, reader)
	if err != nil {
		return nil, err
	}
	for i, p := range sub.Feeds {
		a, err := directory.ParseAudience(p.GetAudience())
		if err != nil || i > 0 && sub.Feeds[i-1].Audience >= p.Audience {
			return nil, fmt.Errorf("%w: feeds subscribed to", feed.ErrMalformed)
		}
		at := slices.IndexFunc(servable, func(h Held) bool { return h.Audience == a })
		if at < 0 {
			continue // not held, or not for this reader: the same to it
		}
		if o.feeds[a], err = sv.place(servable[at], p); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// place finds where a subscriber's position is in a feed. One that has another
// history than the feed held here is refused; so is one that has more of a feed of
// our own, for numbers never go back.
func (sv *Server) place(ours Held, p *wire.FeedPosition) (*sent, error) {
	s := &sent{generation: p.Generation, number: p.Number, former: p.Held}
	if ours.Author == sv.Self && s.beyond(ours) {
		return nil, fmt.Errorf("%w: no entry %d of generation %d", feed.ErrGap, max(p.Number, p.Held), p.Generation)
	}
	if p.Generation != ours.Generation || p.Number > ours.Number {
		return s, nil
	}
	at := feed.Start(ours.ID, ours.Generation)
	if p.Number > 0 {
		h, ok, err := sv.Source.HeadAt(ours.ID, ours.Generation, p.Number)
		if err != nil {
			return nil, err
		}
		if !ok && ours.Author != sv.Self {
			return s, nil // it came here in other steps: the subscriber will see whether it follows on
		}
		if !ok {
			return nil, fmt.Errorf("%w: no head at %d", feed.ErrGap, p.Number)
		}
		at = h.Position
	}
	if string(at.Hash[:]) != string(p.Hash) {
		return nil, fmt.Errorf("%w: subscriber has another history at %d", feed.ErrForged, p.Number)
	}
	return s, nil
}

// beyond reports whether the subscriber has more of a feed than is held here.
func (s *sent) beyond(ours Held) bool {
	return s.generation > ours.Generation || max(s.number, s.former) > ours.Number
}

// run writes batches as they come, with at most outstanding of them
// unacknowledged; a batch without entries every wire.Heartbeat says that the
// server is there, and makes the subscriber say so too.
func (o *outgoing) run(ctx context.Context, acks <-chan *wire.Ack) error {
	beat := time.NewTicker(wire.Heartbeat)
	defer beat.Stop()
	for {
		changed := o.Source.Changed(o.author)
		more, err := o.round()
		if err != nil {
			return err
		}
		if !more && o.once && len(o.unacked) == 0 {
			return o.stream.CloseWrite()
		}
		wake := changed
		if more && len(o.unacked) == outstanding {
			wake = nil // only an acknowledgement makes room
		} else if more {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-acks:
			if err := o.acknowledge(a); err != nil {
				return err
			}
		case <-beat.C:
			o.greet()
		case <-wake:
		}
	}
}

// round sends the next batch of every feed, as far as there is room, and
// reports whether there was more than the room. The feeds take turns. One of which
// the subscriber has more is left alone until we have caught up.
func (o *outgoing) round() (more bool, err error) {
	list, err := o.Source.Servable(o.author, o.reader)
	if err != nil {
		return false, err
	}
	for i := range list {
		turn := (o.turn + i) % len(list)
		ours := list[turn]
		s := o.feeds[ours.Audience]
		if s == nil {
			s = &sent{generation: ours.Generation}
			o.feeds[ours.Audience] = s
		}
		if s.refused || s.beyond(ours) {
			continue
		}
		if s.generation < ours.Generation {
			*s = sent{generation: ours.Generation, former: max(s.number, s.former)}
		}
		if s.greeted && s.number == ours.Number {
			continue
		}
		if len(o.unacked) == outstanding {
			o.turn = turn
			return true, nil
		}
		if err := o.next(ours.ID, s); err != nil {
			return false, err
		}
		more = more || s.number < ours.Number
	}
	return more, nil
}

// next sends one batch of a feed.
func (o *outgoing) next(id feed.ID, s *sent) error {
	if s.former > s.number {
		b, err := o.Source.KeptBatch(id, s.number, s.former)
		if err != nil {
			return err
		}
		if len(b.Kept) > 0 {
			return o.send(b, s)
		}
	}
	b, err := o.Source.Batch(id, s.number)
	if err != nil {
		return err
	}
	return o.send(b, s)
}

func (o *outgoing) send(b feed.Batch, s *sent) error {
	if b.Head.Generation != s.generation {
		return nil // moved this instant: the next round begins anew
	}
	if err := o.stream.Send(b.Message()); err != nil {
		return err
	}
	s.number = b.Head.Number
	kept := len(b.Kept) > 0
	if !kept {
		s.former, s.greeted = 0, true
	}
	o.unacked = append(o.unacked, pending{b.Head.Audience, s.generation, s.number, kept})
	return nil
}

// greet lets every feed be told its end again, where nothing is under way.
func (o *outgoing) greet() {
	for _, s := range o.feeds {
		s.greeted = len(o.unacked) > 0
		s.refused = s.refused && len(o.unacked) > 0
	}
}

// acknowledge takes the acknowledgement of the oldest batch. Who has moved a part
// of the way still holds what was withdrawn after it, and counts only at the end.
func (o *outgoing) acknowledge(a *wire.Ack) error {
	if len(o.unacked) == 0 {
		return wire.Refuse(wire.CodeGap, fmt.Errorf("acknowledged %d, and nothing is outstanding", a.Number))
	}
	p := o.unacked[0]
	if a.Number != p.number || a.Generation != p.generation || a.Audience != p.audience.String() {
		return wire.Refuse(wire.CodeGap, fmt.Errorf("acknowledged %d, which is not outstanding", a.Number))
	}
	o.unacked = o.unacked[1:]
	if a.Refused {
		*o.feeds[p.audience] = sent{refused: true}
		return nil
	}
	if o.author == o.Self && !p.kept {
		o.Acknowledged(o.reader, p.audience, p.generation, p.number)
	}
	return nil
}
