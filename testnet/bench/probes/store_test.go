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
	list := make([]store.Expectation, len(tags))
	for i, tag := range tags {
		list[i] = store.Expectation{Tag: tag, ID: casefile.IdentifierID(i + 1)}
	}
	if err := s.IngestExpected(author, epoch, list, func(*store.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return func(t testing.TB, tags []token.Tag, found []uint64) {
		if err := s.View(func(tx *store.Tx) error { return among(tx, tags, found) }); err != nil {
			t.Fatal(err)
		}
	}
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
