package probes

import (
	"log/slog"
	"testing"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
)

// author is whose entries are expected.
const (
	author directory.AgencyID = "boulder-so"
	epoch  token.Epoch        = 1
)

// openStore fills a node's store with what it expects of one member, as when
// that member joins.
func openStore(t testing.TB, tags []token.Tag) probe {
	t.Helper()
	s, err := store.Open(store.Options{Dir: t.TempDir(), Key: [32]byte{1}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for first := 0; first < len(tags); first += expectedAtOnce {
		if err := s.Update(func(tx *store.Tx) error { return expect(tx, tags, first) }); err != nil {
			t.Fatal(err)
		}
	}
	return func(t testing.TB, tags []token.Tag, found []uint64) {
		if err := s.View(func(tx *store.Tx) error { return among(tx, tags, found) }); err != nil {
			t.Fatal(err)
		}
	}
}

// expectedAtOnce is how many tags are expected in one transaction.
const expectedAtOnce = 100_000

// expect expects the tags of one transaction, from the place first on.
func expect(tx *store.Tx, tags []token.Tag, first int) error {
	for i, tag := range tags[first:min(first+expectedAtOnce, len(tags))] {
		if err := tx.Expect(author, epoch, tag, casefile.IdentifierID(first+i+1)); err != nil {
			return err
		}
	}
	return nil
}

// among is the store's answer to one batch.
func among(tx *store.Tx, tags []token.Tag, found []uint64) error {
	expected, err := tx.ExpectedAmong(author, epoch, tags)
	if err != nil {
		return err
	}
	for i, ids := range expected {
		found[i] = 0
		if len(ids) > 0 {
			found[i] = uint64(ids[0])
		}
	}
	return nil
}
