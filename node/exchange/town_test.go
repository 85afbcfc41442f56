package exchange

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// town is members that are linked to one another.
type town struct {
	t         *testing.T
	directory atomic.Pointer[directory.Directory]
	members   map[directory.AgencyID]*member
}

// acknowledged is what an author was told of a reader.
type acknowledged struct {
	reader     directory.AgencyID
	audience   directory.Audience
	generation uint32
	number     uint64
}

// member is one agency's side of the exchange.
type member struct {
	*shelf
	*town
	agency    directory.Agency
	key       ed25519.PrivateKey
	all       feed.ID // its feed for every member
	host      *link.Host
	followers *Followers
	streams   atomic.Int64 // subscriptions that came
	served    chan error   // and how they ended
	acks      chan acknowledged
	told      func(acknowledged) // if set, before acks
	forks     chan [2]feed.Head
}

// newTown founds a network of these agencies; ids ascend.
func newTown(t *testing.T, ids ...directory.AgencyID) *town {
	t.Helper()
	tn := &town{t: t, members: map[directory.AgencyID]*member{}}
	d := &directory.Directory{Version: 1}
	for i, id := range ids {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize))
		d.Agencies = append(d.Agencies, directory.Agency{ID: id, Key: wire.PeerOf(key), Status: directory.Active})
		tn.members[id] = &member{
			town: tn, shelf: newShelf(id, tn.directory.Load), agency: d.Agencies[i], key: key, all: feed.ID{Author: id}, host: newHost(t, key),
			served: make(chan error, 1000), acks: make(chan acknowledged, 1000), forks: make(chan [2]feed.Head, 100),
		}
	}
	tn.directory.Store(d)
	for _, m := range tn.members {
		m.begin()
	}
	return tn
}

func newHost(t testing.TB, key ed25519.PrivateKey) *link.Host {
	t.Helper()
	h, err := link.New(link.Options{
		Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Log: slog.New(slog.DiscardHandler),
		Roles: func(wire.Peer) wire.Role { return wire.Member },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// begin serves what the member holds, and lets it follow others.
func (m *member) begin() {
	for _, other := range m.members {
		if other != m {
			if err := m.host.SetAddresses(other.agency.Key, other.host.Addresses()); err != nil {
				m.t.Fatal(err)
			}
		}
	}
	server := &Server{Self: m.agency.ID, Source: m.shelf, Acknowledged: func(reader directory.AgencyID, a directory.Audience, generation uint32, number uint64) {
		told := acknowledged{reader, a, generation, number}
		if m.told != nil {
			m.told(told)
		}
		m.acks <- told
	}}
	m.host.Handle(wire.ProtocolFeed, func(ctx context.Context, s *link.Stream) error {
		reader, _ := m.directory().AgencyOf(s.Peer())
		m.streams.Add(1)
		err := server.Serve(ctx, reader.ID, s)
		m.served <- err
		return err
	})
	forked := func(first, second feed.Head) error {
		m.forks <- [2]feed.Head{first, second}
		return nil
	}
	m.followers = NewFollowers(m.shelf, m.host, Pause{time.Millisecond, 10 * time.Millisecond}, forked, slog.New(slog.NewTextHandler(m.t.Output(), nil)), time.Now)
	m.t.Cleanup(m.followers.Wait)
}

// directory is the one in force.
func (m *member) directory() *directory.Directory { return m.town.directory.Load() }

// follow follows others until stop, which returns when that has ended.
func (m *member) follow(others ...*member) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	m.t.Cleanup(cancel)
	var list []directory.Agency
	for _, o := range others {
		list = append(list, o.agency)
	}
	m.followers.Set(ctx, list)
	return func() {
		cancel()
		m.followers.Wait()
		m.followers.Set(context.Background(), nil)
	}
}

// writes is write to the member's feed for an audience.
func (m *member) writes(a directory.Audience, n int) feed.ID {
	m.t.Helper()
	id := feed.ID{Author: m.agency.ID, Audience: a}
	m.write(m.t, id, m.key, n)
	return id
}

// subscribes opens a subscription of the member's by hand.
func (m *member) subscribes(to *member, sub *wire.Subscribe) *link.Stream {
	m.t.Helper()
	s, err := m.host.Open(m.t.Context(), to.agency.Key, wire.ProtocolFeed)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { s.Reset(wire.CodeNone) })
	if err := s.Send(sub); err != nil {
		m.t.Fatal(err)
	}
	return s
}

// position is where a feed stands, as a subscriber tells it.
func position(id feed.ID, at feed.Position) *wire.FeedPosition {
	return &wire.FeedPosition{Audience: id.Audience.String(), Generation: at.Generation, Number: at.Number, Hash: at.Hash[:]}
}

// batch receives a batch, and acknowledges it.
func batch(t testing.TB, s *link.Stream) *wire.Batch {
	t.Helper()
	var b wire.Batch
	if err := s.Receive(&b); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&wire.Ack{Audience: b.Head.Audience, Generation: b.Head.Generation, Number: b.Head.Number}); err != nil {
		t.Fatal(err)
	}
	return &b
}

func listed(t testing.TB, agencies ...directory.AgencyID) directory.Audience {
	t.Helper()
	a, err := directory.ListAudience(agencies...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
