package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

const boulder directory.AgencyID = "boulder-so"

var (
	everyone  = feed.ID{Author: denver}
	signature = make([]byte, 64)
)

func group(t testing.TB, author directory.AgencyID, name string) feed.ID {
	t.Helper()
	a, err := directory.GroupAudience(name)
	if err != nil {
		t.Fatal(err)
	}
	return feed.ID{Author: author, Audience: a}
}

// equal compares values of the store's API.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, exact...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var exact = []cmp.Option{
	cmp.Comparer(func(a, b directory.Audience) bool { return a == b }),
	cmp.Comparer(func(a, b token.Tag) bool { return a == b }),
	cmp.Comparer(func(a, b token.SealedPointer) bool { return a == b }),
	cmp.Comparer(func(a, b feed.Entry) bool { return a == b }),
}

// announce is the entry that announces a tag, here told by its first byte.
func announce(n uint64, tag byte) feed.Entry {
	return feed.Entry{Number: n, Kind: feed.Announce, Epoch: 1, Tag: token.Tag{tag}, Pointer: token.SealedPointer{byte(n), tag}}
}

func withdraw(n, of uint64) feed.Entry {
	return feed.Entry{Number: of, Epoch: 1}.Withdrawal(n)
}

func headAt(id feed.ID, generation uint32, n uint64) feed.Head {
	return feed.Head{ID: id, Position: feed.Position{Generation: generation, Number: n, Hash: feed.Hash{byte(generation), byte(n)}}, Signature: signature}
}

// takes takes entries and the head after the last of them.
func takes(t testing.TB, s *Store, id feed.ID, generation uint32, list ...feed.Entry) {
	t.Helper()
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutEntries(id, list), tx.PutHead(headAt(id, generation, list[len(list)-1].Number)))
	})
}

// announcements are the numbers of what stands of a tag, by audience.
func announcements(t testing.TB, s *Store, author directory.AgencyID, tag byte) (list []string) {
	t.Helper()
	view(t, s, func(tx *Tx) error {
		found, err := tx.Tagged(author, 1, token.Tag{tag})
		for _, a := range found {
			list = append(list, fmt.Sprintf("%d %s", a.Entry.Number, a.Audience))
		}
		return err
	})
	return list
}

func TestAnyHolderServesAFeedInBatchesThatEndInASignature(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	key := make([]byte, 64)
	w := feed.NewWriter(everyone, key, feed.Start(everyone, 1))
	const entries = 2500
	update(t, s, func(tx *Tx) error {
		var list []feed.Entry
		for n := uint64(1); n <= entries; n++ {
			list = append(list, feed.Entry{Number: n, Kind: feed.Announce, Epoch: 1, Tag: token.Tag{byte(n), byte(n >> 8)}})
			if err := w.Append(list[n-1]); err != nil {
				return err
			}
		}
		errs := []error{tx.PutHead(feed.Empty(everyone, 1, key)), tx.PutEntries(everyone, list)}
		for _, h := range w.Close() {
			errs = append(errs, tx.PutHead(h))
		}
		return errors.Join(errs...)
	})
	var sizes []int
	view(t, s, func(tx *Tx) error {
		for since := uint64(0); ; {
			b, err := tx.Batch(everyone, since)
			if err != nil {
				return err
			}
			if b.Last != entries {
				t.Errorf("batch after %d says that the last entry is %d, want %d", since, b.Last, entries)
			}
			if len(b.Entries) == 0 {
				return nil
			}
			if first, last := b.Entries[0].Number, b.Entries[len(b.Entries)-1].Number; first != since+1 || last != b.Head.Number {
				t.Errorf("entries %d to %d under head %d, want from %d on", first, last, b.Head.Number, since+1)
			}
			sizes = append(sizes, len(b.Entries))
			since = b.Head.Number
		}
	})
	equal(t, "batches", sizes, []int{1024, 1024, 452})
	view(t, s, func(tx *Tx) error {
		if _, err := tx.Batch(feed.ID{Author: boulder}, 0); !errors.Is(err, ErrNotFound) {
			t.Errorf("Batch of an unknown feed = %v, want %v", err, ErrNotFound)
		}
		if _, err := tx.Batch(everyone, entries+1); !errors.Is(err, ErrNotFound) {
			t.Errorf("Batch after the end = %v, want %v", err, ErrNotFound)
		}
		return nil
	})
}

func TestOfWhatAReaderHoldsABatchSaysOnlyWhatIsKept(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	takes(t, s, everyone, 2, announce(2, 2), announce(3, 3), announce(7, 7))
	takes(t, s, everyone, 2, announce(9, 9), announce(10, 10))
	for _, c := range []struct {
		since, until uint64
		entries      uint64
		want         []feed.Run
	}{
		{0, 8, 2, []feed.Run{{First: 2, Last: 3}, {First: 7, Last: 7}}},
		{0, 100, 0, []feed.Run{{First: 2, Last: 3}, {First: 7, Last: 7}, {First: 9, Last: 10}}},
		{7, 10, 0, []feed.Run{{First: 9, Last: 10}}},
		{0, 6, 3, []feed.Run{{First: 2, Last: 3}}},
		{10, 20, 0, nil},
	} {
		view(t, s, func(tx *Tx) error {
			b, err := tx.KeptBatch(everyone, c.since, c.until)
			what := fmt.Sprintf("kept after %d, until %d", c.since, c.until)
			equal(t, what, b.Kept, c.want)
			equal(t, what+": head, last, entries", []uint64{b.Head.Number, b.Last, uint64(len(b.Entries))}, []uint64{10, 10, c.entries})
			return err
		})
	}
}

func TestFeedsOfOneAuthorForTwoAudiencesAreApart(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, options("/store", mem))
	range1, other := group(t, denver, "range"), group(t, boulder, "range")
	takes(t, s, range1, 1, announce(1, 5), announce(2, 6))
	takes(t, s, everyone, 1, announce(1, 5))
	takes(t, s, other, 1, announce(1, 5))
	s = open(t, options("/store", mem.CrashClone(vfs.CrashCloneCfg{})))
	takes(t, s, everyone, 1, withdraw(2, 1))
	equal(t, "standing", announcements(t, s, denver, 5), []string{"1 group:range"})
	equal(t, "standing of another author", announcements(t, s, boulder, 5), []string{"1 group:range"})
	view(t, s, func(tx *Tx) error {
		theirs, err := tx.Feeds(boulder)
		equal(t, "feeds of another author", theirs, []Feed{{ID: other, Generation: 1}})
		feeds, err2 := tx.Feeds(denver)
		equal(t, "feeds", feeds, []Feed{{ID: everyone, Generation: 1}, {ID: range1, Generation: 1}})
		p, err3 := tx.Position(range1)
		equal(t, "position", p, headAt(range1, 1, 2).Position)
		none, err4 := tx.Position(feed.ID{Author: "nobody-pd"})
		equal(t, "position of a feed never held", none, feed.Start(feed.ID{Author: "nobody-pd"}, 1))
		if _, err := tx.Feed(feed.ID{Author: "nobody-pd"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("Feed never held = %v, want %v", err, ErrNotFound)
		}
		return errors.Join(err, err2, err3, err4)
	})
}

func TestANameOfAnAbandonedTransactionIsNobodys(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	abandoned := errors.New("abandoned")
	err := s.Update(func(tx *Tx) error {
		return errors.Join(tx.PutEntries(everyone, []feed.Entry{announce(1, 1)}), abandoned)
	})
	if !errors.Is(err, abandoned) {
		t.Fatal(err)
	}
	takes(t, s, feed.ID{Author: boulder}, 1, announce(1, 2))
	equal(t, "standing", announcements(t, s, denver, 1), []string(nil))
	takes(t, s, everyone, 1, announce(1, 3))
	equal(t, "standing", announcements(t, s, denver, 3), []string{"1 "})
	equal(t, "standing of the other", announcements(t, s, boulder, 3), []string(nil))
}

func TestAWithdrawnAnnouncementStandsNoMore(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	takes(t, s, everyone, 1, announce(1, 1), announce(2, 2), announce(3, 1), withdraw(4, 2), announce(5, 3))
	equal(t, "standing of 1", announcements(t, s, denver, 1), []string{"1 ", "3 "})
	equal(t, "standing of 2", announcements(t, s, denver, 2), []string(nil))
	takes(t, s, everyone, 1, withdraw(6, 1), withdraw(7, 1), withdraw(8, 4), withdraw(9, 6))
	equal(t, "standing of 1", announcements(t, s, denver, 1), []string{"3 "})
	update(t, s, func(tx *Tx) error {
		// Announced and withdrawn by one transaction, in two calls.
		return errors.Join(tx.PutEntries(everyone, []feed.Entry{announce(10, 9)}), tx.PutEntries(everyone, []feed.Entry{withdraw(11, 10)}))
	})
	equal(t, "standing of 9", announcements(t, s, denver, 9), []string(nil))
	view(t, s, func(tx *Tx) error {
		list, err := tx.EntriesOf(everyone, []feed.Run{{First: 1, Last: 2}, {First: 8, Last: 8}, {First: 20, Last: 30}})
		equal(t, "entries", list, []feed.Entry{announce(1, 1), announce(2, 2), withdraw(8, 4)})
		return err
	})
}

func TestTagsThatBeginAlikeAreNotTakenForEachOther(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	one, other := announce(1, 1), announce(2, 1)
	other.Tag[15] = 1
	takes(t, s, everyone, 1, one, other)
	view(t, s, func(tx *Tx) error {
		found, err := tx.Tagged(denver, 1, other.Tag)
		equal(t, "found", found, []Announced{{Entry: other}})
		none, err2 := tx.Tagged(denver, 2, other.Tag)
		equal(t, "found in another epoch", none, []Announced(nil))
		return errors.Join(err, err2)
	})
}

func TestATagAnnouncedWithoutEndIsBounded(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	var list []feed.Entry
	for n := uint64(1); n <= 100; n++ {
		list = append(list, announce(n, 1))
	}
	takes(t, s, everyone, 1, list...)
	got := announcements(t, s, denver, 1)
	if len(got) != maxTagged || got[0] != "1 " || got[maxTagged-1] != "64 " {
		t.Errorf("%d announcements, %v; want the first %d", len(got), got, maxTagged)
	}
}

func TestEntriesOutOfOrderAreRefused(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	err := s.Update(func(tx *Tx) error { return tx.PutEntries(everyone, []feed.Entry{announce(2, 1), announce(2, 2)}) })
	if !errors.Is(err, feed.ErrGap) {
		t.Errorf("PutEntries = %v, want %v", err, feed.ErrGap)
	}
}

func TestHeadsAreFoundByGenerationAndNumber(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	update(t, s, func(tx *Tx) error {
		var errs []error
		for _, h := range []feed.Head{headAt(everyone, 1, 0), headAt(everyone, 1, 3), headAt(everyone, 2, 2), headAt(everyone, 1, 5)} {
			errs = append(errs, tx.PutHead(h))
		}
		return errors.Join(errs...)
	})
	view(t, s, func(tx *Tx) error {
		list, err := tx.Heads(everyone, 1, 1, 10)
		equal(t, "heads", list, []feed.Head{headAt(everyone, 1, 3), headAt(everyone, 1, 5)})
		h, err2 := tx.Head(everyone)
		equal(t, "last head of the generation held", h, headAt(everyone, 1, 5))
		later, err3 := tx.HeadAt(everyone, 2, 2)
		equal(t, "head of a later generation", later, headAt(everyone, 2, 2))
		return errors.Join(err, err2, err3)
	})
}

func FuzzEntryRow(f *testing.F) {
	f.Add(uint64(9), encodeEntry(nil, announce(9, 3)))
	f.Add(uint64(9), encodeEntry(nil, withdraw(9, 3)))
	f.Add(uint64(9), []byte{2, 0x81, 0, 3})
	f.Fuzz(func(t *testing.T, n uint64, b []byte) {
		e, err := decodeEntry(n, b)
		if err != nil {
			return
		}
		if got := encodeEntry(nil, e); !slices.Equal(got, b) {
			t.Errorf("row %x is written as %x", b, got)
		}
		if _, err := feed.Decode(e.Encode()); err != nil && n > 0 {
			t.Errorf("a row holds what is no entry: %v", err)
		}
	})
}

// TestAFeedThatIsSeenHasItsName reads as soon as a commit shows, before Update
// could do anything more.
func TestAFeedThatIsSeenHasItsName(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	range1 := group(t, denver, "range")
	err := s.Update(func(tx *Tx) error {
		err := errors.Join(tx.PutEntries(range1, []feed.Entry{announce(1, 1)}), tx.PutHead(headAt(range1, 1, 1)))
		all, err2 := tx.written()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		return errors.Join(s.commit(tx, all), errStop)
	})
	if !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	view(t, s, func(tx *Tx) error {
		feeds, err := tx.Feeds(denver)
		equal(t, "feeds", feeds, []Feed{{ID: range1, Generation: 1}})
		return err
	})
}
