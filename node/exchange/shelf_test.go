package exchange

import (
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// held is a feed as it stands on a shelf.
type held struct {
	id         feed.ID
	generation uint32
	entries    []feed.Entry
	heads      []feed.Head    // of the generation
	moving     *feed.Position // in a later one
	reached    []feed.Head    // of that
}

func (h *held) at() feed.Position {
	if n := len(h.heads); n > 0 {
		return h.heads[n-1].Position
	}
	return feed.Start(h.id, h.generation)
}

// upTo is the entries after since to the furthest head that fits in one batch.
func (h *held) upTo(since uint64) feed.Batch {
	b := feed.Batch{Last: h.at().Number}
	after := h.entries[h.index(since+1):]
	for _, head := range h.heads {
		if head.Number < since {
			continue
		}
		n := h.index(head.Number+1) - h.index(since+1)
		if n > wire.MaxBatch {
			break
		}
		b.Head, b.Entries = head, slices.Clone(after[:n])
	}
	return b
}

// index is where the first entry is whose number is not before n.
func (h *held) index(n uint64) int {
	i, _ := slices.BinarySearchFunc(h.entries, n, func(e feed.Entry, n uint64) int { return cmp.Compare(e.Number, n) })
	return i
}

// shelf is a Source and a Sink in memory. It takes what a node takes.
type shelf struct {
	self      directory.AgencyID
	directory func() *directory.Directory

	mu      sync.Mutex
	feeds   map[feed.ID]*held
	changed chan struct{}
	history byte // which of several it writes

	spoil  func(*feed.Batch)      // what a lying server does to a batch
	before func(feed.Batch) error // instead of taking a batch
	after  func(feed.Batch) error // once it is taken, and kept
	taken  []feed.Batch           // what has arrived and was kept
	read   int                    // batches that were read to be sent
	sent   map[feed.ID]int        // entries in them
}

func newShelf(self directory.AgencyID, d func() *directory.Directory) *shelf {
	return &shelf{self: self, directory: d, feeds: map[feed.ID]*held{}, changed: make(chan struct{}), sent: map[feed.ID]int{}}
}

// by lists the feeds of author that reader may have, by audience; mu is held.
func (l *shelf) by(author, reader directory.AgencyID) (list []*held) {
	for id, h := range l.feeds {
		if id.Author == author && id.Audience.Admits(l.directory(), author, reader) {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b *held) int { return strings.Compare(a.id.Audience.String(), b.id.Audience.String()) })
	return list
}

func (l *shelf) Servable(author, reader directory.AgencyID) (list []Held, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.by(author, reader) {
		if h.moving == nil {
			list = append(list, Held{ID: h.id, Position: h.at()})
		}
	}
	return list, nil
}

func (l *shelf) Holds(author directory.AgencyID) (list []Held, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.by(author, l.self) {
		at := Held{ID: h.id, Position: h.at()}
		if h.moving != nil {
			at.Position, at.Former = *h.moving, h.at().Number
		}
		list = append(list, at)
	}
	return list, nil
}

func (l *shelf) HeadAt(id feed.ID, generation uint32, n uint64) (feed.Head, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.feeds[id]; h != nil {
		for _, head := range append(slices.Clip(h.heads), h.reached...) {
			if head.Generation == generation && head.Number == n {
				return head, true, nil
			}
		}
	}
	return feed.Head{}, false, nil
}

func (l *shelf) Batch(id feed.ID, since uint64) (feed.Batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.feeds[id]
	if h == nil || h.moving != nil {
		return feed.Batch{}, errors.New("no such feed")
	}
	b := h.upTo(since)
	if l.spoil != nil && len(b.Entries) > 0 {
		l.spoil(&b)
	}
	l.read, l.sent[id] = l.read+1, l.sent[id]+len(b.Entries)
	return b, nil
}

func (l *shelf) KeptBatch(id feed.ID, since, until uint64) (feed.Batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.feeds[id].upTo(since)
	n := 0
	for n < len(b.Entries) && b.Entries[n].Number <= until {
		n++
	}
	b.Kept, b.Entries = feed.RunsOf(b.Entries[:n]), b.Entries[n:]
	if l.spoil != nil && len(b.Kept) > 0 {
		l.spoil(&b)
	}
	if len(b.Kept) > 0 {
		l.read, l.sent[id] = l.read+1, l.sent[id]+len(b.Entries)
	}
	return b, nil
}

func (l *shelf) Changed(directory.AgencyID) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// wake tells those who wait; mu is held.
func (l *shelf) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *shelf) Arrive(a directory.Agency, batches []feed.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range batches {
		if l.before != nil {
			if err := l.before(b); err != nil {
				return err
			}
		}
		if err := l.arrive(a, b); err != nil {
			return err
		}
		l.taken = append(l.taken, b)
		l.wake()
		if l.after != nil {
			if err := l.after(b); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *shelf) arrive(a directory.Agency, b feed.Batch) error {
	if b.Head.Author != a.ID {
		return fmt.Errorf("%w: feed of another author", feed.ErrForged)
	}
	if !b.Head.Audience.Admits(l.directory(), a.ID, l.self) {
		return wire.Refuse(wire.CodeRefused, errors.New("not in the audience"))
	}
	h := l.feeds[b.Head.ID]
	if h == nil {
		h = &held{id: b.Head.ID, generation: b.Head.Generation}
	}
	from := feed.Start(h.id, b.Head.Generation)
	switch m := h.moving; {
	case b.Head.Generation < h.generation, b.Kept != nil && b.Head.Generation == h.generation:
		return fmt.Errorf("%w: generation %d", feed.ErrStale, b.Head.Generation)
	case b.Head.Generation == h.generation:
		from = h.at()
	case m != nil && m.Generation == b.Head.Generation:
		from = *m
	}
	if b.Kept != nil {
		return h.keep(a, b, from)
	}
	if _, err := b.Verify(h.id, a.Key, from); err != nil {
		return err
	}
	if b.Head.Generation > h.generation { // the move is over
		h.entries = slices.DeleteFunc(h.entries, func(e feed.Entry) bool { return e.Number > from.Number })
		h.generation, h.heads, h.moving, h.reached = b.Head.Generation, h.reached, nil, nil
	}
	h.entries, h.heads = append(h.entries, b.Entries...), append(h.heads, b.Head)
	l.feeds[h.id] = h
	return nil
}

// keep is one step of a move.
func (h *held) keep(a directory.Agency, b feed.Batch, from feed.Position) error {
	var kept, now []feed.Entry
	for _, e := range h.entries {
		in := slices.ContainsFunc(b.Kept, func(r feed.Run) bool { return r.First <= e.Number && e.Number <= r.Last })
		if in {
			kept = append(kept, e)
		}
		if in || e.Number <= from.Number || e.Number > b.Head.Number {
			now = append(now, e)
		}
	}
	to, err := b.VerifyKept(h.id, a.Key, from, kept)
	if err != nil {
		return err
	}
	if from.Number == 0 {
		h.reached = nil
	}
	h.entries = append(now, b.Entries...)
	slices.SortFunc(h.entries, func(a, b feed.Entry) int { return cmp.Compare(a.Number, b.Number) })
	h.moving, h.reached = &to, append(h.reached, b.Head)
	return nil
}

// write appends n announcements to a feed of the shelf's own.
func (l *shelf) write(t testing.TB, id feed.ID, key ed25519.PrivateKey, n int) {
	t.Helper()
	l.append(t, id, key, func(w *feed.Writer, _ []feed.Entry) (list []feed.Entry) {
		for i := range n {
			number := w.Next() + uint64(i)
			e := feed.Entry{Number: number, Kind: feed.Announce, Epoch: 1, Tag: token.Tag{byte(number), byte(number >> 8), l.history}}
			list = append(list, e)
		}
		return list
	})
}

// withdraw ends every nth announcement up to a number.
func (l *shelf) withdraw(t testing.TB, id feed.ID, key ed25519.PrivateKey, nth, upTo uint64) {
	t.Helper()
	l.append(t, id, key, func(w *feed.Writer, former []feed.Entry) (list []feed.Entry) {
		for _, e := range former {
			if e.Kind == feed.Announce && e.Number%nth == 0 && e.Number <= upTo {
				list = append(list, e.Withdrawal(w.Next()+uint64(len(list))))
			}
		}
		return list
	})
}

func (l *shelf) append(t testing.TB, id feed.ID, key ed25519.PrivateKey, entries func(*feed.Writer, []feed.Entry) []feed.Entry) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.feeds[id]
	if h == nil {
		h = &held{id: id, generation: 1, heads: []feed.Head{feed.Empty(id, 1, key)}}
		l.feeds[id] = h
	}
	w := feed.NewWriter(id, key, h.at())
	list := entries(w, h.entries)
	for _, e := range list {
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	h.entries, h.heads = append(h.entries, list...), append(h.heads, w.Close()...)
	l.wake()
}

// compact begins a new generation without what was withdrawn.
func (l *shelf) compact(id feed.ID, key ed25519.PrivateKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, gone := l.feeds[id], map[uint64]bool{}
	for _, e := range h.entries {
		if e.Kind == feed.Withdraw {
			gone[e.Number], gone[e.Withdraws()] = true, true
		}
	}
	delete(gone, h.at().Number)
	next := &held{id: id, generation: h.generation + 1, heads: []feed.Head{feed.Empty(id, h.generation+1, key)}}
	w := feed.NewWriter(id, key, next.at())
	for _, e := range h.entries {
		if !gone[e.Number] {
			w.Keep(e)
			next.entries = append(next.entries, e)
		}
	}
	next.heads = append(next.heads, w.Close()...)
	l.feeds[id] = next
	l.wake()
}

// await returns once ready holds; the shelf wakes it at each change.
func (l *shelf) await(t testing.TB, ready func() bool) {
	t.Helper()
	for {
		changed := l.Changed("")
		l.mu.Lock()
		ok := ready()
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("the test ended first")
		}
	}
}

// holdsSame is ready once two shelves hold the same of a feed.
func (l *shelf) holdsSame(id feed.ID, want *held) func() bool {
	return func() bool {
		h := l.feeds[id]
		return h != nil && h.moving == nil && h.at() == want.at() && slices.Equal(h.entries, want.entries)
	}
}

// copyOf is what is held of a feed now.
func (l *shelf) copyOf(id feed.ID) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := *l.feeds[id]
	h.entries, h.heads = slices.Clone(h.entries), slices.Clone(h.heads)
	return &h
}

// has is ready once n entries of a feed are held.
func (l *shelf) has(id feed.ID, n int) func() bool {
	return func() bool { return l.feeds[id] != nil && len(l.feeds[id].entries) == n }
}

func (l *shelf) count(id feed.ID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.feeds[id] == nil {
		return 0
	}
	return len(l.feeds[id].entries)
}
