package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/crypto/token"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// townsfolk are n active members beside us.
func townsfolk(n int) []directory.Agency {
	list := make([]directory.Agency, n)
	for i := range list {
		id := directory.AgencyID(fmt.Sprintf("member-%04d", i))
		list[i] = directory.Agency{ID: id, Key: wire.PeerOf(townKey(i)), Status: directory.Active}
	}
	return list
}

const (
	sentByEach = 1_000 // entries
	addedTurn  = 64    // identifiers in a turn
)

// BenchmarkAddingOne adds one identifier of ours whose token is in hand, in a
// transaction of its own: what it would be in the feed of each member is derived,
// recorded, and looked for among what the member has sent. The reference is the
// same derivations, and for each member one Get of a bare Pebble that has as many
// keys. Both disks are in memory, for adding waits for one sync, however many
// members there are.
func BenchmarkAddingOne(b *testing.B) {
	for _, n := range []int{10, 100, 300} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			members := townsfolk(n)
			d := newDesktopOn(b, "denver-pd", &registry{}, store.Options{
				Dir: "/store", FS: vfs.NewMem(), Log: slog.New(slog.DiscardHandler), Free: func() (uint64, error) { return 1 << 40, nil },
			})
			d.join(b, members...)
			random := rand.NewChaCha8([32]byte{2})
			db := bareTags(b)
			for _, m := range members {
				sendsMany(b, d, db, random, m.ID)
			}
			if err := db.Flush(); err != nil {
				b.Fatal(err)
			}
			var ours, reference, faster []float64
			for b.Loop() {
				mine := addOneByOne(b, d, random)
				other := deriveAndGet(b, db, members, random)
				ours, reference = append(ours, float64(mine.Nanoseconds())/addedTurn), append(reference, float64(other.Nanoseconds())/addedTurn)
				faster = append(faster, other.Seconds()/mine.Seconds())
			}
			b.ReportMetric(median(ours), "ours-ns/identifier")
			b.ReportMetric(median(reference), "reference-ns/identifier")
			b.ReportMetric(median(faster), "times-faster")
		})
	}
}

// randomToken is the token of an identifier that nobody has.
func randomToken(random *rand.ChaCha8) (t [token.Size]byte) {
	for i := 0; i < len(t); i += 8 {
		binary.LittleEndian.PutUint64(t[i:], random.Uint64())
	}
	return t
}

// addOneByOne looks new identifiers up as a save does, each in its own transaction.
func addOneByOne(b *testing.B, d *desktop, random *rand.ChaCha8) time.Duration {
	b.Helper()
	began := time.Now()
	for range addedTurn {
		t := store.HeldToken{Epoch: 1, Token: randomToken(random)}
		err := d.flow.commit(func(_ *store.Tx, p *pen) error { return p.look(held{id: 1}, t) })
		if err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

// deriveAndGet is the least that adding can be.
func deriveAndGet(b *testing.B, db *pebble.DB, members []directory.Agency, random *rand.ChaCha8) time.Duration {
	b.Helper()
	began := time.Now()
	for range addedTurn {
		k := token.Derive(randomToken(random), token.Secret{7}, 1)
		for _, m := range members {
			t := k.Tag(m.ID.Author())
			_, closer, err := db.Get(t[:])
			if err == nil {
				err = errors.Join(closer.Close(), errors.New("found what nobody has"))
			}
			if !errors.Is(err, pebble.ErrNotFound) {
				b.Fatal(err)
			}
		}
		k.Destroy()
	}
	return time.Since(began)
}

// sendsMany gives the desktop entries of a member, and the bare Pebble their tags.
func sendsMany(b *testing.B, d *desktop, db *pebble.DB, random *rand.ChaCha8, id directory.AgencyID) {
	b.Helper()
	entries := make([]feed.Entry, sentByEach)
	tags := db.NewBatch()
	for i := range entries {
		entries[i] = strange(random, uint64(i+1))
		if err := tags.Set(entries[i].Tag[:], []byte{1}, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := tags.Commit(pebble.NoSync); err != nil {
		b.Fatal(err)
	}
	if err := d.store.Update(func(tx *store.Tx) error { return tx.PutEntries(feed.ID{Author: id}, entries) }); err != nil {
		b.Fatal(err)
	}
}

// bareTags is a Pebble as it is, with the filters of a store.
func bareTags(b *testing.B) *pebble.DB {
	b.Helper()
	o := &pebble.Options{FS: vfs.NewMem(), CacheSize: 64 << 20, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{b}}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := pebble.Open("/bare", o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

// quiet says nothing of what Pebble does, and fails the benchmark with what Pebble
// says is wrong.
type quiet struct{ testing.TB }

func (quiet) Infof(string, ...any) {}
