package store

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// modelTags are the tags of the model; two of them begin alike.
func modelTags() []token.Tag { return []token.Tag{{1}, {2}, {3}, {1, 15: 9}} }

// model is what a store should hold, in plain maps.
type model struct {
	feeds    map[feed.ID]*modelFeed
	expected map[Sought]map[casefile.IdentifierID]bool
}

type modelFeed struct {
	generation uint32
	moving     *feed.Position
	keeps      []feed.Entry // of the generation that is moved to, what is not reached yet
	entries    []feed.Entry
	head       feed.Head
}

// standing is what stands of a tag: what is held and not withdrawn by anything held.
func (f *modelFeed) standing(e token.Epoch, t token.Tag) (list []feed.Entry) {
	for _, a := range f.entries {
		withdrawn := slices.ContainsFunc(f.entries, func(w feed.Entry) bool {
			return w.Kind == feed.Withdraw && w.Withdraws() == a.Number
		})
		if a.Kind == feed.Announce && a.Epoch == e && a.Tag == t && !withdrawn {
			list = append(list, a)
		}
	}
	return list
}

func (m *model) tagged(s Sought) (list []Announced) {
	for id, f := range m.feeds {
		if id.Author != s.Author {
			continue
		}
		for _, e := range f.standing(s.Epoch, s.Tag) {
			list = append(list, Announced{Audience: id.Audience, Entry: e})
		}
	}
	slices.SortFunc(list, compareAnnounced)
	return list
}

// compareAnnounced orders announcements by number and audience; in the store that
// is the order in which it met the audiences.
func compareAnnounced(a, b Announced) int {
	return cmp.Or(cmp.Compare(a.Entry.Number, b.Entry.Number), cmp.Compare(a.Audience.String(), b.Audience.String()))
}

// identifiers are those expected under any tag that begins as one does.
func (m *model) identifiers(s Sought) []casefile.IdentifierID {
	ids := map[casefile.IdentifierID]bool{}
	for of, list := range m.expected {
		if of.Author == s.Author && of.Epoch == s.Epoch && [8]byte(of.Tag[:8]) == [8]byte(s.Tag[:8]) {
			maps.Copy(ids, list)
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// machine does the same to a store and to its model.
type machine struct {
	t     testing.TB
	mem   *vfs.MemFS
	store *Store
	model model
}

func (m *machine) feed(rt *rapid.T) (feed.ID, *modelFeed) {
	ids := []feed.ID{{Author: denver}, group(m.t, denver, "range"), {Author: boulder}, group(m.t, boulder, "border")}
	id := rapid.SampledFrom(ids).Draw(rt, "feed")
	return id, m.model.feeds[id]
}

func (m *machine) put(rt *rapid.T) {
	id, f := m.feed(rt)
	if f == nil {
		f = &modelFeed{generation: rapid.Uint32Range(1, 2).Draw(rt, "generation")}
	}
	if f.moving != nil {
		return
	}
	n, list := f.head.Number, slices.Clone(f.entries)
	first := len(list)
	for range rapid.IntRange(1, 5).Draw(rt, "entries") {
		n++
		e := feed.Entry{Number: n, Kind: feed.Announce, Epoch: token.Epoch(rapid.IntRange(1, 2).Draw(rt, "epoch"))}
		e.Tag = rapid.SampledFrom(modelTags()).Draw(rt, "tag")
		if n > 1 && rapid.IntRange(0, 2).Draw(rt, "withdraws") == 0 {
			e = feed.Entry{Number: rapid.Uint64Range(1, n-1).Draw(rt, "of"), Epoch: e.Epoch}.Withdrawal(n)
		}
		list = append(list, e)
	}
	head, abandoned := headAt(id, f.generation, n), rapid.IntRange(0, 9).Draw(rt, "abandoned") == 0
	half := first + rapid.IntRange(0, len(list)-first).Draw(rt, "half")
	err := m.store.Update(func(tx *Tx) error {
		err := errors.Join(tx.PutEntries(id, list[first:half]), tx.PutEntries(id, list[half:]), tx.PutHead(head))
		if abandoned {
			return errors.Join(err, errStop)
		}
		return err
	})
	if abandoned && errors.Is(err, errStop) {
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	f.entries, f.head = list, head
	m.model.feeds[id] = f
}

// move begins a later generation, takes the next step to it, or ends it.
func (m *machine) move(rt *rapid.T) {
	id, f := m.feed(rt)
	if f == nil {
		return
	}
	if f.moving != nil && len(f.keeps) == 0 {
		update(m.t, m.store, func(tx *Tx) error { return tx.Moved(id) })
		f.entries = slices.DeleteFunc(f.entries, func(e feed.Entry) bool { return e.Number > f.moving.Number })
		f.generation, f.head, f.moving = f.moving.Generation, feed.Head{ID: id, Position: *f.moving, Signature: signature}, nil
		return
	}
	at := feed.Start(id, f.generation+1)
	if f.moving != nil {
		at = *f.moving
	} else {
		for _, e := range f.entries {
			if rapid.IntRange(0, 2).Draw(rt, "kept") > 0 {
				f.keeps = append(f.keeps, e)
			}
		}
	}
	size := rapid.IntRange(0, len(f.keeps)).Draw(rt, "step")
	to, kept := at, f.keeps[:size]
	if size > 0 {
		to = headAt(id, at.Generation, kept[size-1].Number).Position
	}
	step(m.t, m.store, id, at, to, feed.RunsOf(kept)...)
	f.entries = slices.DeleteFunc(slices.Clone(f.entries), func(e feed.Entry) bool {
		return e.Number > at.Number && e.Number <= to.Number && !slices.Contains(kept, e)
	})
	f.moving, f.keeps = &to, f.keeps[size:]
}

func (m *machine) drop(rt *rapid.T) {
	id, _ := m.feed(rt)
	update(m.t, m.store, func(tx *Tx) error { return tx.DropFeed(id) })
	delete(m.model.feeds, id)
}

func (m *machine) sought(rt *rapid.T) Sought {
	return Sought{
		Author: rapid.SampledFrom([]directory.AgencyID{denver, boulder}).Draw(rt, "author"),
		Epoch:  token.Epoch(rapid.IntRange(1, 2).Draw(rt, "epoch")),
		Tag:    rapid.SampledFrom(modelTags()).Draw(rt, "tag"),
	}
}

// expect draws among identifiers that have one tag of an author each, as ours do.
func (m *machine) expect(rt *rapid.T) {
	s := m.sought(rt)
	id := casefile.IdentifierID(slices.Index(modelTags(), s.Tag)*2 + rapid.IntRange(1, 2).Draw(rt, "identifier"))
	list := m.model.expected[s]
	if list == nil {
		list = map[casefile.IdentifierID]bool{}
		m.model.expected[s] = list
	}
	if rapid.Bool().Draw(rt, "expected") {
		update(m.t, m.store, func(tx *Tx) error { return tx.Expect(s.Author, s.Epoch, s.Tag, id) })
		list[id] = true
		return
	}
	update(m.t, m.store, func(tx *Tx) error { return tx.Unexpect(s.Author, s.Epoch, s.Tag, id) })
	delete(list, id)
}

func (m *machine) crash(*rapid.T) {
	m.mem = m.mem.CrashClone(vfs.CrashCloneCfg{})
	m.store = open(m.t, options("/store", m.mem))
}

func (m *machine) flush(rt *rapid.T) {
	if err := m.store.db.Flush(); err != nil {
		rt.Fatal(err)
	}
}

func (m *machine) settle(*rapid.T) { settle(m.t, m.store) }

// check compares all that can be read. Between two generations it leaves out what
// stands: which of two withdrawals counts is known at the end alone.
func (m *machine) check(rt *rapid.T) {
	tags := modelTags()
	err := m.store.View(func(tx *Tx) error {
		var errs []error
		for _, s := range []Sought{{Author: denver, Epoch: 1}, {Author: denver, Epoch: 2}, {Author: boulder, Epoch: 1}, {Author: boulder, Epoch: 2}} {
			ids, err := tx.ExpectedAmong(s.Author, s.Epoch, tags)
			sought := make([]Sought, len(tags))
			for i := range tags {
				sought[i] = Sought{Author: s.Author, Epoch: s.Epoch, Tag: tags[i]}
			}
			tagged, err2 := tx.TaggedOf(sought)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			for i := range tags {
				s.Tag = tags[i]
				errs = append(errs, same("expected", ids[i], m.model.identifiers(s)))
				if !m.between(s.Author) {
					slices.SortStableFunc(tagged[i], compareAnnounced)
					errs = append(errs, same("announced", tagged[i], m.model.tagged(s)))
				}
			}
		}
		for id, f := range m.model.feeds {
			errs = append(errs, f.compare(tx, id))
		}
		feeds, err := tx.Feeds(denver)
		feeds2, err2 := tx.Feeds(boulder)
		return errors.Join(append(errs, err, err2, same("feeds", len(feeds)+len(feeds2), len(m.model.feeds)))...)
	})
	if err != nil {
		rt.Fatal(err)
	}
}

func (m *machine) between(author directory.AgencyID) bool {
	for id, f := range m.model.feeds {
		if id.Author == author && f.moving != nil {
			return true
		}
	}
	return false
}

func (f *modelFeed) compare(tx *Tx, id feed.ID) error {
	held, err := tx.Feed(id)
	entries, err2 := tx.EntriesOf(id, []feed.Run{{First: 1, Last: 1 << 40}})
	p, err3 := tx.Position(id)
	moving, want := feed.Position{}, feed.Position{}
	if held.Moving != nil {
		moving = *held.Moving
	}
	if f.moving != nil {
		want = *f.moving
	}
	return errors.Join(err, err2, err3, same("entries", entries, f.entries), same("position", p, f.head.Position),
		same("generation", held.Generation, f.generation), same("moving", moving, want))
}

func same(what string, got, want any) error {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		return fmt.Errorf("%s: %s, want %s", what, g, w)
	}
	return nil
}

// TestTheStoreIsItsModel does at random what a node does to feeds and expected
// tags, with crashes, flushes and compactions in between.
func TestTheStoreIsItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{t: t, mem: vfs.NewCrashableMem(), model: model{map[feed.ID]*modelFeed{}, map[Sought]map[casefile.IdentifierID]bool{}}}
		m.store = open(t, options("/store", m.mem))
		rt.Repeat(map[string]func(*rapid.T){
			"": m.check, "put": m.put, "put more": m.put, "move": m.move, "move on": m.move, "drop": m.drop,
			"expect": m.expect, "crash": m.crash, "flush": m.flush, "settle": m.settle,
		})
	})
}
