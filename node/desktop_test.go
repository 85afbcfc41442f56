package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/exchange"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
	"interlock/protocol/wire"
)

// desktop is one agency's flow and store, in memory.
type desktop struct {
	agency directory.Agency
	flow   *Flow
	store  *store.Store
	centre *registry
	raised int
}

var at = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func signingKey(id directory.AgencyID) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{id[0]}, ed25519.SeedSize))
}

type tb interface {
	Helper()
	Fatalf(string, ...any)
	Cleanup(func())
}

func newDesktop(t tb, id directory.AgencyID, r *registry) *desktop {
	t.Helper()
	d := openDesktop(t, id, r, vfs.NewMem(), nil)
	d.join(t)
	return d
}

// openDesktop is an agency's flow on a disk that may hold what it did before.
// fails, where set, is asked before each write.
func openDesktop(t tb, id directory.AgencyID, r *registry, disk vfs.FS, fails func() error) *desktop {
	t.Helper()
	return newDesktopOn(t, id, r, store.Options{
		Dir: "/store", FS: disk, Disk: fails, Log: slog.New(slog.DiscardHandler), Cache: 1 << 20,
		Free: func() (uint64, error) { return 1 << 40, nil },
	})
}

// newDesktopOn is openDesktop on the store that o describes.
func newDesktopOn(t tb, id directory.AgencyID, r *registry, o store.Options) *desktop {
	t.Helper()
	s, err := store.Open(o)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && o.Disk == nil {
			t.Fatalf("close store: %v", err)
		}
	})
	d := &desktop{agency: directory.Agency{ID: id, Key: wire.PeerOf(signingKey(id)), Status: directory.Active}, store: s, centre: r}
	d.flow = &Flow{
		self: id, key: signingKey(id), store: s, tokens: r, now: func() time.Time { return at }, log: slog.New(slog.DiscardHandler),
		raised:  func(a []alert.Alert) { d.raised += len(a) },
		waiting: make(chan struct{}, 1), joined: make(chan struct{}, 1), compact: make(chan struct{}, 1), evidence: make(chan struct{}, 1),
	}
	d.flow.secrets.Store(&map[token.Epoch]token.Secret{1: {7}, 2: {8}, 3: {9}})
	if err := d.flow.Begin(); err != nil {
		t.Fatalf("begin: %v", err)
	}
	return d
}

func (d *desktop) join(t tb, agencies ...directory.Agency) {
	t.Helper()
	if !slices.ContainsFunc(agencies, func(a directory.Agency) bool { return a.ID == d.agency.ID }) {
		agencies = append(agencies, d.agency)
	}
	slices.SortFunc(agencies, func(a, b directory.Agency) int { return strings.Compare(string(a.ID), string(b.ID)) })
	if err := d.flow.Join(d.centre.directory(agencies), func(*store.Tx) error { return nil }); err != nil {
		t.Fatalf("%s joins: %v", d.agency.ID, err)
	}
}

// all takes a step of what the desktop does until there is no more of it.
func (d *desktop) all(t tb, does string, step func() (more bool, err error)) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = step(); err != nil {
			t.Fatalf("%s %s: %v", d.agency.ID, does, err)
		}
	}
}

func (d *desktop) derive(t tb) {
	t.Helper()
	d.all(t, "derives", d.flow.DeriveNext)
}

// open makes n cases.
func (d *desktop) open(t tb, n int) {
	t.Helper()
	err := d.store.Update(func(tx *store.Tx) error {
		for i := range n {
			c := casefile.Case{Number: fmt.Sprint(i), Pointer: token.CasePointer{d.agency.ID[0], byte(i + 1)}}
			if _, err := tx.AddCase(c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("open cases: %v", err)
	}
}

func (d *desktop) enter(t tb, c casefile.CaseID, ids ...identifier.Identifier) desk.Saved {
	t.Helper()
	var found []casefile.Found
	for _, i := range ids {
		found = append(found, casefile.Found{Identifier: i, Sightings: []casefile.Sighting{{Line: 1}}})
	}
	saved, err := d.flow.Enter(context.Background(), c, found, func(*store.Tx, desk.Saved) error { return nil })
	if err != nil {
		t.Fatalf("%s enters: %v", d.agency.ID, err)
	}
	return saved
}

func (d *desktop) catchUp(t tb) {
	t.Helper()
	if _, err := d.flow.CatchUp(context.Background()); err != nil && !errors.Is(err, errChange) {
		t.Fatalf("%s catches up: %v", d.agency.ID, err)
	}
}

// renew makes every token of an older epoch anew.
func (d *desktop) renew(t tb) {
	t.Helper()
	d.all(t, "renews", func() (bool, error) {
		more, err := d.flow.Renew(context.Background())
		if errors.Is(err, errChange) {
			err = nil
		}
		return more, err
	})
}

func (d *desktop) sweep(t tb) {
	t.Helper()
	d.all(t, "sweeps", d.flow.Sweep)
}

// fetch takes the next batch of each of from's feeds, or the same ones again.
func (d *desktop) fetch(t tb, from *desktop, again bool) {
	t.Helper()
	b := d.next(t, from)
	for _, b := range b {
		if err := d.flow.Arrive(from.agency, []feed.Batch{b}); err != nil {
			var r *wire.Refusal
			if !errors.As(err, &r) && !errors.Is(err, exchange.ErrNotForUs) { // not a member just now
				t.Fatalf("%s takes from %s: %v", d.agency.ID, from.agency.ID, err)
			}
			continue
		}
		if again && len(b.Entries) > 0 {
			if err := d.flow.Arrive(from.agency, []feed.Batch{b}); err == nil {
				t.Fatalf("%s took the same batch twice", d.agency.ID)
			}
		}
	}
}

// next is what a server at from that looks at no audience would send d now, one
// batch of each feed.
func (d *desktop) next(t tb, from *desktop) (list []feed.Batch) {
	t.Helper()
	held, err := d.flow.Holds(from.agency.ID)
	if err != nil {
		t.Fatalf("holds: %v", err)
	}
	var serves []exchange.Held
	err = from.flow.held(from.agency.ID, func(tx *store.Tx, s store.Feed) error {
		at, err := tx.Position(s.ID)
		if s.Moving == nil {
			serves = append(serves, exchange.Held{ID: s.ID, Position: at})
		}
		return err
	})
	if err != nil {
		t.Fatalf("serves: %v", err)
	}
	for _, s := range serves {
		var at exchange.Held
		for _, h := range held {
			if h.ID == s.ID {
				at = h
			}
		}
		if at.Generation < s.Generation {
			at.Former, at.Number = max(at.Former, at.Number), 0
		}
		b := feed.Batch{}
		if at.Former > at.Number {
			if b, err = from.flow.KeptBatch(s.ID, at.Number, at.Former); err != nil {
				t.Fatalf("kept: %v", err)
			}
		}
		if len(b.Kept) == 0 {
			if b, err = from.flow.Batch(s.ID, at.Number); err != nil {
				t.Fatalf("batch: %v", err)
			}
		}
		list = append(list, b)
	}
	return list
}

// head is the last head held of author's feed for every member.
func (f *Flow) head(t tb, author directory.AgencyID) (h feed.Head) {
	t.Helper()
	err := f.store.View(func(tx *store.Tx) (err error) {
		if h, err = tx.Head(feed.ID{Author: author}); errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatalf("head: %v", err)
	}
	return h
}

// meeting is an alert, said so that two nodes' alerts can be compared.
type meeting struct {
	Case   casefile.CaseID
	With   directory.AgencyID
	Theirs token.CasePointer
	Values []string
}

func (d *desktop) meetings(t tb) []meeting {
	t.Helper()
	var list []meeting
	err := d.store.View(func(tx *store.Tx) error {
		return tx.RecentAlerts(func(a alert.Alert) (bool, error) {
			m := meeting{Case: a.Pair.Case, With: a.Pair.Agency, Theirs: a.Pair.Theirs}
			for _, g := range a.Grounds {
				m.Values = append(m.Values, g.Identifier.Value())
			}
			slices.Sort(m.Values)
			list = append(list, m)
			return true, nil
		})
	})
	if err != nil {
		t.Fatalf("read alerts: %v", err)
	}
	slices.SortFunc(list, func(a, b meeting) int {
		return bytes.Compare([]byte(fmt.Sprint(a)), []byte(fmt.Sprint(b)))
	})
	return list
}

func people(t tb, n int) []identifier.Identifier {
	t.Helper()
	var list []identifier.Identifier
	for i := range n {
		id, err := identifier.Parse(identifier.Email, fmt.Sprintf("p%d@example.org", i), "US")
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		list = append(list, id)
	}
	return list
}
