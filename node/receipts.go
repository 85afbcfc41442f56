package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"interlock/node/exchange"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

const (
	// askedAtOnce is how many members are asked for receipts at the same time.
	askedAtOnce = 8
	// askTimeout bounds what one member may take to fetch and to sign.
	askTimeout = 20 * time.Second
	// freshFor is how long a receipt of all that we announce is good enough.
	freshFor = 10 * time.Minute
)

// Receipts signs how far the feeds of an author are compared here.
func (f *Flow) Receipts(author directory.AgencyID) (list []feed.Receipt, err error) {
	held, err := f.Holds(author)
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		if h.Former == 0 { // of a feed that is being moved the comparison is not whole
			list = append(list, feed.SignReceipt(f.self, f.key, h.ID, h.Position, f.now()))
		}
	}
	return list, nil
}

// takeReceipts keeps the receipts of a reader, where they are of our feeds as we
// wrote them.
func (f *Flow) takeReceipts(reader directory.AgencyID, list []feed.Receipt) error {
	return f.store.UpdateForeign(func(tx *store.Tx) error {
		for _, r := range list {
			at := feed.Start(r.ID, r.Generation)
			if r.Number > 0 {
				h, err := tx.HeadAt(r.ID, r.Generation, r.Number)
				if errors.Is(err, store.ErrNotFound) {
					continue // of a generation that is no more
				}
				if err != nil {
					return err
				}
				at = h.Position
			}
			if at != r.Position {
				return wire.Refuse(wire.CodeForged, fmt.Errorf("receipt of %s for a feed that we did not write", reader))
			}
			b, err := wire.Marshal(r.Message())
			if err != nil {
				return err
			}
			if err := errors.Join(tx.PutReceipt(reader, r.Audience, b), tx.Acknowledge(reader, r.Audience, r.Generation, r.Number)); err != nil {
				return err
			}
		}
		return nil
	})
}

// storedReceipt is the last receipt of a reader for our feed, and whether there is one.
func storedReceipt(tx *store.Tx, reader directory.AgencyID, a directory.Audience) (r feed.Receipt, ok bool, err error) {
	b, err := tx.Receipt(reader, a)
	if errors.Is(err, store.ErrNotFound) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	var m wire.Receipt
	if err := wire.Unmarshal(b, &m); err != nil {
		return r, false, err
	}
	r, err = feed.ParseReceipt(&m)
	return r, err == nil, err
}

// owes reports whether a reader's receipts of our feeds are missing, behind or old.
func (f *Flow) owes(reader directory.AgencyID) (owes bool, err error) {
	d := f.directory.Load()
	err = f.held(f.self, func(tx *store.Tx, s store.Feed) error {
		if owes || s.Moving != nil || !s.ID.Audience.Admits(d, f.self, reader) {
			return nil
		}
		at, err := tx.Position(s.ID)
		if err != nil || at.Number == 0 {
			return err
		}
		r, ok, err := storedReceipt(tx, reader, s.ID.Audience)
		owes = !ok || r.Position != at || f.now().Sub(r.Time) > freshFor
		return err
	})
	return owes, err
}

var errBehind = errors.New("it has not all that we announce yet")

// serveReceipts answers a member that asks how far its feeds are compared here.
func (n *Node) serveReceipts(ctx context.Context, s *link.Stream) error {
	d := n.roster.Directory()
	if d == nil {
		return wire.Refuse(wire.CodeRefused, errNoMember)
	}
	author, ok := d.AgencyOf(s.Peer())
	if !ok || author.Status != directory.Active {
		return wire.Refuse(wire.CodeRefused, errNoMember)
	}
	return n.followers.Receipts(ctx, author, s, func() ([]feed.Receipt, error) { return n.flow.Receipts(author.ID) })
}

// keepReceipts asks the members for receipts of what we announce, whenever our
// feeds have grown and been quiet for a moment, and from time to time. While one
// could not be had it asks again, each time after twice as long.
func (n *Node) keepReceipts() {
	again := n.o.Pauses.Receipts
	for n.ctx.Err() == nil {
		changed, pause := n.flow.Changed(n.agency.ID), freshFor/2
		if err := n.AskReceipts(n.ctx); err == nil {
			again = n.o.Pauses.Receipts
		} else if n.ctx.Err() == nil {
			n.o.Log.Info("receipts are missing", "cause", err)
			pause, again = again, min(2*again, pause)
		}
		if !n.wait(pause, changed) || !n.wait(n.o.Pauses.Receipts, nil) {
			return
		}
	}
}

// AskReceipts asks every member whose receipt of our feeds is missing, behind or
// old, some at a time. A member that cannot be reached now is asked the next time.
func (n *Node) AskReceipts(ctx context.Context) error {
	d := n.roster.Directory()
	if d == nil {
		return nil
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var errs []error
	slots := make(chan struct{}, askedAtOnce)
	for _, reader := range d.Active() {
		if reader.ID == n.agency.ID {
			continue
		}
		owes, err := n.flow.owes(reader.ID)
		if err != nil {
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
		}
		if !owes {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := n.askReceipts(ctx, reader); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("of %s: %w", reader.ID, err))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (n *Node) askReceipts(ctx context.Context, reader directory.Agency) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	list, err := exchange.AskReceipts(ctx, n.host, n.agency.ID, reader)
	if err != nil {
		return err
	}
	if err := n.flow.takeReceipts(reader.ID, list); err != nil {
		return err
	}
	owes, err := n.flow.owes(reader.ID)
	if err == nil && owes {
		err = errBehind
	}
	return err
}
