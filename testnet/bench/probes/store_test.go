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

// openStore fills a node's store with what it expects of one member.
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
	const each = 1 << 16
	for from := 0; from < len(tags); from += each {
		err := s.Update(func(tx *store.Tx) error {
			for i := from; i < min(from+each, len(tags)); i++ {
				if err := tx.Expect(author, epoch, tags[i], casefile.IdentifierID(i+1)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return func(t testing.TB, tags []token.Tag, found []uint64) {
		if err := s.View(func(tx *store.Tx) error { return among(tx, tags, found) }); err != nil {
			t.Fatal(err)
		}
	}
}

// among is the store's answer to one batch.
func among(tx *store.Tx, tags []token.Tag, found []uint64) error {
	for i, tag := range tags {
		id, _, err := tx.Expected(author, epoch, tag)
		if err != nil {
			return err
		}
		found[i] = uint64(id)
	}
	return nil
}
