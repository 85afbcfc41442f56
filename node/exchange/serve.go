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

// Serve answers one subscription. It returns when the subscriber leaves, or
// ctx ends because the host closes or the subscriber is no longer a member.
func Serve(ctx context.Context, log Log, s *link.Stream) error {
	var sub wire.Subscribe
	if err := s.Receive(&sub); err != nil {
		return err
	}
	author, err := directory.ParseAgencyID(sub.Author)
	if err != nil {
		return wire.Refuse(wire.CodeMalformed, err)
	}
	if err := checkPosition(log, author, &sub); err != nil {
		return refusal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	acks, read := make(chan uint64), make(chan error, 1)
	go func() {
		defer cancel()
		read <- readAcks(ctx, s, acks)
	}()
	err = send(ctx, log, s, author, sub.Since, acks)
	if ctx.Err() != nil {
		err = <-read // the stream is over, and the reader knows why
	}
	if errors.Is(err, io.EOF) {
		return nil // the subscriber left
	}
	return err
}

// checkPosition refuses a subscriber whose feed is not the one held here: it
// has seen another history.
func checkPosition(log Log, author directory.AgencyID, sub *wire.Subscribe) error {
	at := feed.Start(author)
	if sub.Since > 0 {
		h, ok, err := log.HeadAt(author, sub.Since)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: no head at %d", feed.ErrGap, sub.Since)
		}
		at = h.Position
	}
	if string(at.Hash[:]) != string(sub.Hash) {
		return fmt.Errorf("%w: subscriber has another history at %d", feed.ErrForged, sub.Since)
	}
	return nil
}

// readAcks passes the subscriber's acknowledgements on until its side ends.
func readAcks(ctx context.Context, s *link.Stream, acks chan<- uint64) error {
	for {
		var a wire.Ack
		if err := s.Receive(&a); err != nil {
			return err
		}
		select {
		case acks <- a.Number:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send writes batches as they come, with at most outstanding of them
// unacknowledged; a batch without entries every wire.Heartbeat says that the
// server is there, and makes the subscriber say so too.
func send(ctx context.Context, log Log, s *link.Stream, author directory.AgencyID, since uint64, acks <-chan uint64) error {
	var unacked []uint64
	beat := time.NewTicker(wire.Heartbeat)
	defer beat.Stop()
	greeted := false
	for {
		changed := log.Changed()
		b, err := log.Batch(author, since)
		if err != nil {
			return err
		}
		if len(b.Entries) > 0 && len(unacked) < outstanding || !greeted {
			if err := s.Send(b.Message()); err != nil {
				return err
			}
			greeted, since = true, b.Head.Number
			unacked = append(unacked, since)
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n := <-acks:
			if len(unacked) == 0 || n != unacked[0] {
				return wire.Refuse(wire.CodeGap, fmt.Errorf("acknowledged %d, which is not outstanding", n))
			}
			unacked = unacked[1:]
		case <-beat.C:
			greeted = len(unacked) > 0
		case <-changed:
		}
	}
}
