package node

import (
	"crypto/ed25519"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"interlock/crypto/token"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// onDisk is an agency's flow on a disk, with the store as a node opens it.
func onDisk(b *testing.B, id directory.AgencyID, r *registry, dir string) *desktop {
	b.Helper()
	return newDesktopOn(b, id, r, store.Options{Dir: dir, Key: [32]byte{1}, Log: slog.New(slog.DiscardHandler)})
}

// enterMany enters identifiers into case 1, some at a time.
func (d *desktop) enterMany(b *testing.B, list []identifier.Identifier) {
	b.Helper()
	for some := range slices.Chunk(list, 1000) {
		d.enter(b, 1, some...)
	}
}

// ownKey is the key of an identifier in epoch 1.
func ownKey(i identifier.Identifier) *token.Key {
	return token.Derive(tokenOf(i, 1), token.Secret{7}, 1)
}

// strange is an announcement of what nobody else has.
func strange(r *rand.ChaCha8, number uint64) feed.Entry {
	e := feed.Entry{Number: number, Kind: feed.Announce, Epoch: 1}
	binary.LittleEndian.PutUint64(e.Tag[:], r.Uint64())
	binary.LittleEndian.PutUint64(e.Tag[8:], r.Uint64())
	for i := 0; i+8 <= len(e.Pointer); i += 8 {
		binary.LittleEndian.PutUint64(e.Pointer[i:], r.Uint64())
	}
	return e
}

// met is an announcement of an identifier.
func met(b *testing.B, author directory.AgencyID, number uint64, i identifier.Identifier) feed.Entry {
	b.Helper()
	k := ownKey(i)
	defer k.Destroy()
	e := feed.Entry{Number: number, Kind: feed.Announce, Epoch: 1, Tag: k.Tag(author.Author())}
	var err error
	e.Pointer, err = k.Seal(nil, author.Author(), number, token.Pointer{Case: token.CasePointer{9}, Kind: uint8(i.Kind()), Handling: handling})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// announce writes entries to the desktop's own feed as they are, with a head at
// every full batch and at the end.
func (d *desktop) announce(b *testing.B, entries []feed.Entry) {
	b.Helper()
	id := feed.ID{Author: d.agency.ID}
	at := feed.Start(id, 1)
	for some := range slices.Chunk(entries, 16*wire.MaxBatch) {
		w := feed.NewWriter(id, d.flow.key, at)
		err := d.store.Update(func(tx *store.Tx) error {
			for _, e := range some {
				if err := w.Append(e); err != nil {
					return err
				}
			}
			for _, h := range w.Close() {
				if err := tx.PutHead(h); err != nil {
					return err
				}
			}
			return tx.PutEntries(id, some)
		})
		if err != nil {
			b.Fatal(err)
		}
		at = w.At()
	}
}

// linked is a host that is known as a member to everybody.
func linked(b *testing.B, key ed25519.PrivateKey) *link.Host {
	b.Helper()
	h, err := link.New(link.Options{
		Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Log: slog.New(slog.DiscardHandler),
		Roles: func(wire.Peer) wire.Role { return wire.Member },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Close(); err != nil {
			b.Error(err)
		}
	})
	return h
}

// median is the middle one of a list, which it sorts.
func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
