package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// Receipts signs how far the feeds of an author are compared here; none while our
// own identifiers are still to be compared with it, as they are with who joined.
func (f *Flow) Receipts(author directory.AgencyID) (list []feed.Receipt, err error) {
	deriving := false
	err = f.store.View(func(tx *store.Tx) error {
		m, err := tx.Member(author)
		deriving = m.Done < m.Until
		return err
	})
	if err != nil || deriving {
		return nil, err
	}
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

// takeReceipts keeps receipts of our feeds as we wrote them, and says which are of
// others.
func (f *Flow) takeReceipts(list []feed.Receipt) error {
	var forged []error
	err := f.store.UpdateForeign(func(tx *store.Tx) error {
		forged = nil
		for _, r := range list {
			at, err := ownPosition(tx, r.ID, r.Generation, r.Number)
			switch {
			case errors.Is(err, store.ErrNotFound):
				continue // of a generation that is no more
			case err != nil:
				return err
			case at != r.Position:
				forged = append(forged, fmt.Errorf("%w: receipt of %s for a feed that we did not write", feed.ErrForged, r.Reader))
				continue
			}
			b, err := wire.Marshal(r.Message())
			if err != nil {
				return err
			}
			if err := errors.Join(tx.PutReceipt(r.Reader, r.Audience, b), tx.Acknowledge(r.Reader, r.Audience, r.Generation, r.Number)); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(append(forged, err)...)
}

// ownPosition is where our feed was at a number of a generation.
func ownPosition(tx *store.Tx, id feed.ID, generation uint32, n uint64) (feed.Position, error) {
	if n == 0 {
		_, err := tx.Feed(id) // a reader that names audiences makes no feeds of them
		return feed.Start(id, generation), err
	}
	h, err := tx.HeadAt(id, generation, n)
	return h.Position, err
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

// owing are those of the readers whose receipts of our feeds are missing, behind or
// old.
func (f *Flow) owing(readers []directory.Agency) (list []directory.Agency, err error) {
	d := f.directory.Load()
	err = f.store.View(func(tx *store.Tx) error {
		feeds, err := tx.Feeds(f.self)
		if err != nil {
			return err
		}
		for _, reader := range readers {
			owes, err := f.owes(tx, d, feeds, reader.ID)
			if err != nil {
				return err
			}
			if owes {
				list = append(list, reader)
			}
		}
		return nil
	})
	return list, err
}

func (f *Flow) owes(tx *store.Tx, d *directory.Directory, feeds []store.Feed, reader directory.AgencyID) (bool, error) {
	for _, s := range feeds {
		if s.Moving != nil || !s.ID.Audience.Admits(d, f.self, reader) {
			continue
		}
		at, err := tx.Position(s.ID)
		if err != nil {
			return false, err
		}
		r, ok, err := storedReceipt(tx, reader, s.ID.Audience)
		if err != nil {
			return false, err
		}
		if at.Number > 0 && (!ok || r.Position != at || f.now().Sub(r.Time) > freshFor) {
			return true, nil
		}
	}
	return false, nil
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
	others := slices.DeleteFunc(d.Active(), func(a directory.Agency) bool { return a.ID == n.agency.ID })
	owing, err := n.flow.owing(others)
	if err != nil || len(owing) == 0 {
		return err
	}
	receipts, errs := n.gather(ctx, owing)
	errs = append(errs, n.flow.takeReceipts(receipts))
	owing, err = n.flow.owing(owing)
	for _, reader := range owing {
		errs = append(errs, fmt.Errorf("%s: %w", reader.ID, errBehind))
	}
	return errors.Join(append(errs, err)...)
}

// gather asks readers for their receipts, askedAtOnce at a time.
func (n *Node) gather(ctx context.Context, readers []directory.Agency) (receipts []feed.Receipt, errs []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, askedAtOnce)
	for _, reader := range readers {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			list, err := exchange.AskReceipts(ctx, n.host, n.agency.ID, reader)
			mu.Lock()
			defer mu.Unlock()
			if receipts = append(receipts, list...); err != nil {
				errs = append(errs, fmt.Errorf("receipts of %s: %w", reader.ID, err))
			}
		})
	}
	wg.Wait()
	return receipts, errs
}
