package psi

import (
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"log/slog"
	"testing"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// desk is an agency with a store on the disk.
type desk struct {
	id       directory.AgencyID
	key      ed25519.PrivateKey
	registry *registry
	tokens   []oprf.Token // of identifier number i+1
	options  store.Options
	store    *store.Store
	own      feed.Position // of its own feed
	theirs   feed.Position // of the other's, as it has it
}

func newDesk(t testing.TB, r *registry, id directory.AgencyID, seed byte) *desk {
	t.Helper()
	d := &desk{
		id: id, registry: r,
		key: ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), seed)),
		options: store.Options{
			Dir: t.TempDir(), Key: [32]byte{seed}, Log: slog.New(slog.DiscardHandler),
			Free: func() (uint64, error) { return 1 << 40, nil },
		},
	}
	d.open(t)
	t.Cleanup(func() { d.close(t) })
	return d
}

func (d *desk) open(t testing.TB) {
	t.Helper()
	var err error
	if d.store, err = store.Open(d.options); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) close(t testing.TB) {
	t.Helper()
	if err := d.store.Close(); err != nil {
		t.Error(err)
	}
}

// settle opens the store anew, so that what it was filled with lies in sorted
// tables, as after a night.
func (d *desk) settle(t testing.TB) {
	t.Helper()
	d.close(t)
	d.open(t)
}

// number gives an identifier with this token its number at the desk.
func (d *desk) number(t oprf.Token) casefile.IdentifierID {
	d.tokens = append(d.tokens, t)
	return casefile.IdentifierID(len(d.tokens))
}

// meet puts two agencies beside each other, of which the second holds n
// identifiers: those given, and others whose tokens nobody asks for.
func meet(t testing.TB, held [][]byte, n int) (denver, boulder *desk) {
	t.Helper()
	r := newRegistry(t)
	denver, boulder = newDesk(t, r, "denver-pd", 1), newDesk(t, r, "boulder-so", 2)
	denver.own, boulder.theirs = start(denver.id), start(denver.id)
	tokens := r.tokens(t, held)
	for i := len(held); i < n; i++ {
		tokens = append(tokens, oprf.Token(sha512.Sum512(fmt.Appendf(nil, "token of nobody %d", i))))
	}
	w := feed.NewWriter(everyone(boulder.id), boulder.key, start(boulder.id))
	for len(tokens) > 0 {
		now := tokens[:min(len(tokens), wire.MaxBatch)]
		boulder.fill(t, denver, now, w)
		tokens = tokens[len(now):]
	}
	denver.settle(t)
	boulder.settle(t)
	return denver, boulder
}

// fill has boulder expect, and denver store, one batch of boulder's entries.
func (boulder *desk) fill(t testing.TB, denver *desk, tokens []oprf.Token, w *feed.Writer) {
	t.Helper()
	entries := make([]feed.Entry, len(tokens))
	err := boulder.store.Update(func(tx *store.Tx) error {
		for i, held := range tokens {
			k := boulder.registry.derive(held)
			entries[i] = entry(t, k, boulder.id, w.Next())
			if err := w.Append(entries[i]); err != nil {
				return err
			}
			if err := tx.Expect(denver.id, epoch, k.Tag(denver.id.Author()), boulder.number(held)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = denver.store.UpdateForeign(func(tx *store.Tx) error {
		return tx.PutEntries(everyone(boulder.id), entries)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// enter takes one new identifier: token, derivation, a look among what other
// has sent, and the entry that tells of it; all that on the disk.
func (d *desk) enter(t testing.TB, other directory.AgencyID, identifier []byte) (b feed.Batch, met bool) {
	t.Helper()
	tok := d.registry.tokens(t, [][]byte{identifier})[0]
	k := d.registry.derive(tok)
	defer k.Destroy()
	w := feed.NewWriter(everyone(d.id), d.key, d.own)
	err := d.store.Update(func(tx *store.Tx) (err error) {
		if met, err = probe(tx, k, other, d.number(tok)); err != nil {
			return err
		}
		e := entry(t, k, d.id, w.Next())
		if err := tx.PutEntries(everyone(d.id), []feed.Entry{e}); err != nil {
			return err
		}
		if err := w.Append(e); err != nil {
			return err
		}
		b = feed.Batch{Entries: []feed.Entry{e}, Head: w.Close()[0]}
		return tx.PutHead(b.Head)
	})
	if err != nil {
		t.Fatal(err)
	}
	d.own = b.Head.Position
	return b, met
}

// probe expects a new identifier in the feed of author, and looks it up there.
func probe(tx *store.Tx, k *token.Key, author directory.AgencyID, id casefile.IdentifierID) (met bool, err error) {
	tag := k.Tag(author.Author())
	if err := tx.Expect(author, epoch, tag, id); err != nil {
		return false, err
	}
	sent, err := tx.Tagged(author, epoch, tag)
	if err != nil || len(sent) == 0 {
		return false, err
	}
	e := sent[0].Entry
	_, err = k.Open(author.Author(), e.Number, e.Pointer)
	return err == nil, err
}

// take is the arrival of such an entry at the other side.
func (d *desk) take(t testing.TB, from *desk, b feed.Batch) (met bool) {
	t.Helper()
	err := d.store.UpdateForeign(func(tx *store.Tx) error {
		at, err := b.Verify(everyone(from.id), wire.PeerOf(from.key), d.theirs)
		if err != nil {
			return err
		}
		if err := tx.PutEntries(everyone(from.id), b.Entries); err != nil {
			return err
		}
		e := b.Entries[0]
		expected, err := tx.ExpectedAmong(from.id, epoch, []token.Tag{e.Tag})
		if err != nil {
			return err
		}
		ours := len(expected[0]) > 0
		if ours {
			k := d.registry.derive(d.tokens[expected[0][0]-1])
			defer k.Destroy()
			if _, err := k.Open(from.id.Author(), e.Number, e.Pointer); err != nil {
				return err
			}
		}
		met, d.theirs = ours, at
		return tx.PutHead(b.Head)
	})
	if err != nil {
		t.Fatal(err)
	}
	return met
}
