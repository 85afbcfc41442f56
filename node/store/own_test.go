package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/protocol/feed"
)

// ofDenver are options of the node of an agency.
func ofDenver(mem vfs.FS) Options {
	o := options("/store", mem)
	o.Agency = denver
	return o
}

func countRows(t testing.TB, s *Store, table byte) (n int) {
	t.Helper()
	view(t, s, func(tx *Tx) error {
		return tx.scan([]byte{table}, []byte{table}, func(_, _ []byte) error { n++; return nil })
	})
	return n
}

func TestNothingRefersToWhatANodeAnnouncesItself(t *testing.T) {
	s := open(t, ofDenver(vfs.NewMem()))
	takes(t, s, everyone, 1, announce(1, 1), announce(2, 2), withdraw(3, 1), announce(4, 4))
	takes(t, s, feed.ID{Author: boulder}, 1, announce(1, 1))
	to := headAt(everyone, 2, 4).Position
	step(t, s, everyone, feed.Start(everyone, 2), to, feed.Run{First: 2, Last: 2}, feed.Run{First: 4, Last: 4})
	update(t, s, func(tx *Tx) error { return tx.Moved(everyone) })
	equal(t, "rows of tags", countRows(t, s, tableTagged), 1)
	equal(t, "standing of another", announcements(t, s, boulder, 1), []string{"1 "})
	view(t, s, func(tx *Tx) error {
		b, err := tx.Batch(everyone, 0)
		equal(t, "own entries", b.Entries, []feed.Entry{announce(2, 2), announce(4, 4)})
		return err
	})
}

func TestAnAudienceOfOursIsNumberedOnce(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, ofDenver(mem))
	range1 := group(t, denver, "range")
	at := Standing{Audience: range1.Audience, Epoch: 1, Number: 1}
	takes(t, s, range1, 1, announce(1, 1))
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutStanding(7, at), tx.Acknowledge(boulder, range1.Audience, 1, 1))
	})
	equal(t, "names", countRows(t, s, tableName), 2) // of this audience, and of everyone
	s = open(t, ofDenver(mem.CrashClone(vfs.CrashCloneCfg{})))
	view(t, s, func(tx *Tx) error {
		list, err := tx.Standing(7)
		equal(t, "standing", list, []Standing{at})
		_, n, err2 := tx.Acknowledged(boulder, range1.Audience)
		equal(t, "acknowledged", n, uint64(1))
		return errors.Join(err, err2)
	})
}

func TestAStoreWrittenWithoutItsAgencyIsNotOpenedWithOne(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, options("/store", mem))
	update(t, s, func(tx *Tx) error { return tx.PutStanding(7, Standing{Epoch: 1, Number: 1}) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ofDenver(mem)); !errors.Is(err, errAgency) {
		t.Errorf("Open = %v, want %v", err, errAgency)
	}
	open(t, options("/store", mem))
}
