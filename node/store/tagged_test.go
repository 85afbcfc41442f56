package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// nth is a tag told by its number; all of them are spread over the tags there are.
func nth(n int) (t token.Tag) {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	binary.BigEndian.PutUint64(t[:], r.Uint64())
	binary.BigEndian.PutUint64(t[8:], r.Uint64())
	return t
}

func expected(t testing.TB, s *Store, author directory.AgencyID, e token.Epoch, tags ...token.Tag) (list [][]casefile.IdentifierID) {
	t.Helper()
	view(t, s, func(tx *Tx) (err error) {
		list, err = tx.ExpectedAmong(author, e, tags)
		return err
	})
	return list
}

func TestExpectingATagTwiceIsExpectingItOnce(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	expect := func(id casefile.IdentifierID) {
		update(t, s, func(tx *Tx) error { return tx.Expect(boulder, 1, nth(1), id) })
	}
	for _, id := range []casefile.IdentifierID{7, 5, 7} {
		expect(id)
	}
	// Candidates are found by how a tag begins: whoever opens the pointer knows.
	alike := nth(1)
	alike[15]++
	equal(t, "expected", expected(t, s, boulder, 1, nth(1), alike, nth(2)), [][]casefile.IdentifierID{{5, 7}, {5, 7}, nil})
	equal(t, "expected in another epoch", expected(t, s, boulder, 2, nth(1)), [][]casefile.IdentifierID{nil})
	equal(t, "expected of another member", expected(t, s, denver, 1, nth(1)), [][]casefile.IdentifierID{nil})
	update(t, s, func(tx *Tx) error { return tx.Unexpect(boulder, 1, nth(1), 7) })
	equal(t, "expected after one was taken back", expected(t, s, boulder, 1, nth(1)), [][]casefile.IdentifierID{{5}})
	update(t, s, func(tx *Tx) error { return tx.Unexpect(boulder, 1, nth(1), 5) })
	equal(t, "expected after all were", expected(t, s, boulder, 1, nth(1)), [][]casefile.IdentifierID{nil})
	expect(5)
	equal(t, "expected again", expected(t, s, boulder, 1, nth(1)), [][]casefile.IdentifierID{{5}})
}

// TestManyTagsAreAnsweredInTheirOrder asks for more than one processor is given,
// and for more than are put into one order, with some twice and some not there.
func TestManyTagsAreAnsweredInTheirOrder(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	const held = 3000
	update(t, s, func(tx *Tx) error {
		for n := range held {
			if err := tx.Expect(boulder, 1, nth(n), casefile.IdentifierID(n+1)); err != nil {
				return err
			}
		}
		return nil
	})
	settle(t, s)
	r := rand.New(rand.NewPCG(1, 1))
	for _, size := range []int{0, 1, halved - 1, halved, 5 * halved, orderedAtOnce + halved} {
		tags, want := make([]token.Tag, size), make([][]casefile.IdentifierID, size)
		for i := range tags {
			n := r.IntN(2 * held)
			if tags[i] = nth(n); n < held {
				want[i] = []casefile.IdentifierID{casefile.IdentifierID(n + 1)}
			}
		}
		equal(t, fmt.Sprintf("%d tags", size), expected(t, s, boulder, 1, tags...), want)
		err := s.Update(func(tx *Tx) error {
			// Over what the transaction has written itself.
			list, err := tx.ExpectedAmong(boulder, 1, tags)
			equal(t, fmt.Sprintf("%d tags in an update", size), list, want)
			if err := errors.Join(err, tx.Expect(boulder, 1, nth(-1), 9)); err != nil {
				return err
			}
			list, err = tx.ExpectedAmong(boulder, 1, append(tags, nth(-1)))
			equal(t, fmt.Sprintf("%d tags after a write", size), list, append(want, []casefile.IdentifierID{9}))
			return errors.Join(err, tx.Unexpect(boulder, 1, nth(-1), 9))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestOneLookFindsTheAnnouncementsOfManyAuthors(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	var list []Sought
	var want [][]Announced
	for n := range 40 {
		author := directory.AgencyID(fmt.Sprintf("agency-%d", n))
		e := feed.Entry{Number: 1, Kind: feed.Announce, Epoch: 1, Tag: nth(n)}
		if n%3 != 0 {
			takes(t, s, feed.ID{Author: author}, 1, e)
		}
		list = append(list, Sought{Author: author, Epoch: 1, Tag: nth(n)}, Sought{Author: author, Epoch: 1, Tag: nth(n + 1)})
		if want = append(want, nil, nil); n%3 != 0 {
			want[2*n] = []Announced{{Entry: e}}
		}
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(list), func(i, j int) {
		list[i], list[j], want[i], want[j] = list[j], list[i], want[j], want[i]
	})
	view(t, s, func(tx *Tx) error {
		got, err := tx.TaggedOf(list)
		equal(t, "announcements", got, want)
		return err
	})
}

func TestATransactionSeesWhatItWrote(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	update(t, s, func(tx *Tx) error {
		if err := tx.PutEntries(everyone, []feed.Entry{announce(1, 1)}); err != nil {
			return err
		}
		found, err := tx.Tagged(denver, 1, token.Tag{1})
		equal(t, "found", found, []Announced{{Entry: announce(1, 1)}})
		// What is written after a read is written after what was read.
		err2 := tx.PutEntries(everyone, []feed.Entry{withdraw(2, 1)})
		return errors.Join(err, err2, tx.Expect(boulder, 1, nth(1), 1))
	})
	equal(t, "standing", announcements(t, s, denver, 1), []string(nil))
	view(t, s, func(tx *Tx) error {
		_, err := tx.Entry(everyone, 2)
		return err
	})
	equal(t, "expected", expected(t, s, boulder, 1, nth(1)), [][]casefile.IdentifierID{{1}})
}

func TestTagsOfFormerEpochsAreForgotten(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	for _, author := range []directory.AgencyID{boulder, denver} {
		for e := token.Epoch(1); e <= 3; e++ {
			update(t, s, func(tx *Tx) error { return tx.Expect(author, e, nth(1), 4) })
		}
	}
	update(t, s, func(tx *Tx) error { return tx.DropExpected(boulder, 3) })
	var got []bool
	for _, author := range []directory.AgencyID{boulder, denver} {
		for e := token.Epoch(1); e <= 3; e++ {
			got = append(got, expected(t, s, author, e, nth(1))[0] != nil)
		}
	}
	equal(t, "expected", got, []bool{false, false, true, true, true, true})
}

// TestWhatWasWrittenAfterAReadIsWrittenLast: the two batches of a transaction come
// together in the order of their writes, whatever tables each of them has.
func TestWhatWasWrittenAfterAReadIsWrittenLast(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	for _, read := range []bool{false, true} {
		update(t, s, func(tx *Tx) error {
			errs := []error{tx.Expect(boulder, 1, nth(1), 1), tx.PutMeta("m", []byte("first"))}
			if read {
				_, err := tx.ExpectedAmong(boulder, 1, []token.Tag{nth(1)})
				errs = append(errs, err)
			}
			errs = append(errs, tx.refer(keyOfTag(tableExpected, 1, 1, nth(1)), ref{number: 1, gone: true}),
				tx.Expect(boulder, 1, nth(1), 2), tx.PutMeta("m", []byte("last")))
			return errors.Join(errs...)
		})
		equal(t, fmt.Sprintf("expected, read %t", read), expected(t, s, boulder, 1, nth(1)), [][]casefile.IdentifierID{{2}})
		view(t, s, func(tx *Tx) error {
			v, err := tx.Meta("m")
			equal(t, fmt.Sprintf("the other table, read %t", read), string(v), "last")
			return err
		})
	}
}

func TestAReferenceWithoutItsEntryIsAFault(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	takes(t, s, everyone, 1, announce(1, 1))
	update(t, s, func(tx *Tx) error { return tx.delete(entryKey(feedNumber{author: 1}, 1)) })
	err := s.View(func(tx *Tx) error {
		_, err := tx.TaggedOf([]Sought{{Author: denver, Epoch: 1, Tag: token.Tag{1}}})
		return err
	})
	if !errors.Is(err, errNoEntry) || errors.Is(err, ErrNotFound) {
		t.Errorf("TaggedOf = %v, want %v", err, errNoEntry)
	}
}
