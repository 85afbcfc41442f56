package exchange

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

const (
	denver  directory.AgencyID = "denver-pd"
	boulder directory.AgencyID = "boulder-so"
)

// shelf is a Log in memory.
type shelf struct {
	mu       sync.Mutex
	entries  map[directory.AgencyID][]feed.Entry
	heads    map[directory.AgencyID][]feed.Head
	changed  chan struct{}
	arrivals int
	spoil    func(*feed.Batch) // what a lying server does to a batch

	history byte // which of several it writes
}

func newShelf() *shelf {
	return &shelf{
		entries: map[directory.AgencyID][]feed.Entry{}, heads: map[directory.AgencyID][]feed.Head{}, changed: make(chan struct{}),
	}
}

func (l *shelf) Head(a directory.AgencyID) (feed.Head, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.heads[a]); n > 0 {
		return l.heads[a][n-1], true, nil
	}
	return feed.Head{}, false, nil
}

func (l *shelf) HeadAt(a directory.AgencyID, n uint64) (feed.Head, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.heads[a] {
		if h.Number == n {
			return h, true, nil
		}
	}
	return feed.Head{}, false, nil
}

func (l *shelf) Batch(a directory.AgencyID, since uint64) (feed.Batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.heads[a]) - 1; i >= 0; i-- {
		h := l.heads[a][i]
		if h.Number <= since+wire.MaxBatch {
			b := feed.Batch{Head: h, Entries: append([]feed.Entry{}, l.entries[a][since:h.Number]...)}
			if l.spoil != nil && len(b.Entries) > 0 {
				l.spoil(&b)
			}
			return b, nil
		}
	}
	return feed.Batch{}, errors.New("no such feed")
}

func (l *shelf) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *shelf) Arrive(a directory.Agency, b feed.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := feed.Start(a.ID)
	if n := len(l.heads[a.ID]); n > 0 {
		held = l.heads[a.ID][n-1].Position
	}
	if _, err := b.Verify(a.ID, a.Key, held); err != nil {
		return err
	}
	l.arrivals++
	l.put(a.ID, b.Entries, []feed.Head{b.Head})
	return nil
}

// put stores and wakes; the caller holds mu.
func (l *shelf) put(a directory.AgencyID, entries []feed.Entry, heads []feed.Head) {
	l.entries[a] = append(l.entries[a], entries...)
	for _, h := range heads {
		if n := len(l.heads[a]); n == 0 || l.heads[a][n-1].Number < h.Number {
			l.heads[a] = append(l.heads[a], h)
		}
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// write appends n entries to the shelf's own feed.
func (l *shelf) write(t testing.TB, a directory.AgencyID, key ed25519.PrivateKey, n int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	at := feed.Start(a)
	if len(l.heads[a]) == 0 {
		l.heads[a] = []feed.Head{feed.Empty(a, key)}
	} else {
		at = l.heads[a][len(l.heads[a])-1].Position
	}
	w := feed.NewWriter(a, key, at)
	var entries []feed.Entry
	for range n {
		e := feed.Entry{Number: w.Next(), Kind: feed.Announce, Epoch: 1, Tag: token.Tag{byte(w.Next()), byte(w.Next() >> 8), l.history}}
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	l.put(a, entries, w.Close())
}

// await returns once ready holds; the log wakes it at each change.
func (l *shelf) await(t testing.TB, ready func() bool) {
	t.Helper()
	for {
		changed := l.Changed()
		l.mu.Lock()
		ok := ready()
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("the test ended first")
		}
	}
}

func signingKey(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func host(t testing.TB, key ed25519.PrivateKey) *link.Host {
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

// pair is denver serving and boulder following.
type pair struct {
	server, subscriber       *shelf
	serverHost, followerHost *link.Host
	denver                   directory.Agency
	followers                *Followers
	served                   chan error
	forks                    chan [2]feed.Head
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{server: newShelf(), subscriber: newShelf(), served: make(chan error, 100), forks: make(chan [2]feed.Head, 100)}
	p.serverHost, p.followerHost = host(t, signingKey(1)), host(t, signingKey(2))
	p.denver = directory.Agency{ID: denver, Key: wire.PeerOf(signingKey(1))}
	if err := p.followerHost.SetAddresses(p.denver.Key, p.serverHost.Addresses()); err != nil {
		t.Fatal(err)
	}
	p.serverHost.Handle(wire.ProtocolFeed, func(ctx context.Context, s *link.Stream) error {
		err := Serve(ctx, p.server, s)
		p.served <- err
		return err
	})
	forked := func(first, second feed.Head) error {
		p.forks <- [2]feed.Head{first, second}
		return nil
	}
	p.followers = NewFollowers(p.subscriber, p.followerHost, Pause{time.Millisecond, 10 * time.Millisecond}, forked, slog.New(slog.NewTextHandler(t.Output(), nil)), time.Now)
	t.Cleanup(p.followers.Wait)
	return p
}

func (p *pair) follow(t *testing.T) context.CancelFunc {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	p.followers.Set(ctx, []directory.Agency{p.denver})
	return cancel
}

func (p *pair) has(n int) func() bool {
	return func() bool { return len(p.subscriber.entries[denver]) == n }
}

func TestAFollowerGetsEverythingOnceAndThenWhatIsNew(t *testing.T) {
	p := newPair(t)
	p.server.write(t, denver, signingKey(1), 3000)
	p.follow(t)
	p.subscriber.await(t, p.has(3000))
	for n := range 20 {
		p.server.write(t, denver, signingKey(1), 1)
		p.subscriber.await(t, p.has(3001+n))
	}
	pr := p.followers.Progress()
	if len(pr) != 1 || !pr[0].Connected || pr[0].Trouble != "" {
		t.Errorf("Progress = %+v, want connected", pr)
	}
}

func TestAFollowerResumesByNumberAfterABreak(t *testing.T) {
	p := newPair(t)
	p.server.write(t, denver, signingKey(1), 10)
	stop := p.follow(t)
	p.subscriber.await(t, p.has(10))
	stop()
	p.followers.Wait()
	p.server.write(t, denver, signingKey(1), 5)
	p.followers.Set(context.Background(), nil)
	p.follow(t)
	p.subscriber.await(t, p.has(15))
}

func TestAnEmptyFeedIsFollowedUntilItsFirstEntry(t *testing.T) {
	p := newPair(t)
	p.server.write(t, denver, signingKey(1), 0)
	p.follow(t)
	p.subscriber.await(t, func() bool { return p.subscriber.arrivals > 0 })
	p.server.write(t, denver, signingKey(1), 1)
	p.subscriber.await(t, p.has(1))
}

func TestALyingServerIsToldWhyAndNothingIsTaken(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*feed.Batch)
		want  wire.Code
	}{
		{"forged", func(b *feed.Batch) { b.Entries[0].Tag[15] ^= 1 }, wire.CodeForged},
		{"gap", func(b *feed.Batch) { b.Entries = b.Entries[1:] }, wire.CodeGap},
		{"another author", func(b *feed.Batch) { b.Head.Author = boulder }, wire.CodeForged},
		{"epoch nought", func(b *feed.Batch) { b.Entries[0].Epoch = 0 }, wire.CodeMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t)
			p.server.spoil = tt.spoil
			p.server.write(t, denver, signingKey(1), 4)
			p.follow(t)
			var r *wire.Refusal
			if err := <-p.served; !errors.As(err, &r) || r.Code != tt.want || r.By != "peer" {
				t.Errorf("the server's stream ended with %v, want code %v from its peer", err, tt.want)
			}
			p.subscriber.mu.Lock()
			defer p.subscriber.mu.Unlock()
			if n := len(p.subscriber.entries[denver]); n != 0 {
				t.Errorf("%d entries taken, want none", n)
			}
		})
	}
}

func TestASubscriberWithAnotherHistoryIsRefused(t *testing.T) {
	p := newPair(t)
	p.server.write(t, denver, signingKey(1), 4)
	p.subscriber.write(t, denver, signingKey(3), 4)
	p.subscriber.heads[denver][1].Hash[0] ^= 1
	p.follow(t)
	var r *wire.Refusal
	if err := <-p.served; !errors.As(err, &r) || r.Code != wire.CodeForged {
		t.Errorf("Serve = %v, want code %v", err, wire.CodeForged)
	}
}

func TestAReaderThatDoesNotAcknowledgeIsSentOnlyAFewBatches(t *testing.T) {
	p := newPair(t)
	p.server.write(t, denver, signingKey(1), 20*wire.MaxBatch)
	s, err := p.followerHost.Open(t.Context(), p.denver.Key, wire.ProtocolFeed)
	if err != nil {
		t.Fatal(err)
	}
	start := feed.Start(denver)
	if err := s.Send(&wire.Subscribe{Author: string(denver), Hash: start.Hash[:]}); err != nil {
		t.Fatal(err)
	}
	for n := range outstanding {
		var b wire.Batch
		if err := s.Receive(&b); err != nil {
			t.Fatalf("batch %d: %v", n+1, err)
		}
	}
	// The next frame comes only once one is acknowledged, and follows it.
	if err := s.Send(&wire.Ack{Number: wire.MaxBatch}); err != nil {
		t.Fatal(err)
	}
	var b wire.Batch
	if err := s.Receive(&b); err != nil || b.Head.Number != (outstanding+1)*wire.MaxBatch {
		t.Fatalf("after one acknowledgement: head %d, %v", b.Head.GetNumber(), err)
	}
	if err := s.Send(&wire.Ack{Number: 7}); err != nil {
		t.Fatal(err)
	}
	var r *wire.Refusal
	if err := <-p.served; !errors.As(err, &r) || r.Code != wire.CodeGap {
		t.Errorf("a false acknowledgement ended with %v, want code %v", err, wire.CodeGap)
	}
	s.Reset(wire.CodeNone)
}

func TestADroppedMemberIsFollowedNoMore(t *testing.T) {
	p := newPair(t)
	p.server.write(t, denver, signingKey(1), 1)
	p.follow(t)
	p.subscriber.await(t, p.has(1))
	p.followers.Set(context.Background(), nil)
	p.followers.Wait()
	if got := p.followers.Progress(); len(got) != 0 {
		t.Errorf("Progress = %v, want none", got)
	}
	<-p.served
}

// TestAMemberThatSignsTwoFeedsOfOneLengthIsConvicted: the member lies to whoever
// subscribes again, with a signed head of another history, and with entries
// under it.
func TestAMemberThatSignsTwoFeedsOfOneLengthIsConvicted(t *testing.T) {
	other := newShelf()
	other.history = 7
	other.write(t, denver, signingKey(1), 10)
	for name, lie := range map[string]feed.Batch{
		"a head alone":   {Head: other.heads[denver][1], Last: 10},
		"all of it anew": {Head: other.heads[denver][1], Entries: other.entries[denver], Last: 10},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.server.write(t, denver, signingKey(1), 10)
			stop := p.follow(t)
			p.subscriber.await(t, p.has(10))
			stop()
			p.followers.Wait()
			p.followers.Set(context.Background(), nil)
			<-p.served
			p.tells(lie)
			p.follow(t)
			got := <-p.forks
			if got[0].Hash != p.server.heads[denver][1].Hash || got[1].Hash != lie.Head.Hash || got[0].Number != got[1].Number {
				t.Errorf("the proof is of %d and %d, want the head held and the other one", got[0].Number, got[1].Number)
			}
			for _, h := range got {
				if !h.Verified(p.denver.Key) {
					t.Error("a head in the proof is not signed")
				}
			}
			var r *wire.Refusal
			if err := <-p.served; !errors.As(err, &r) || r.Code != wire.CodeForged && r.Code != wire.CodeGap {
				t.Errorf("the liar's stream ended with %v, want a refusal", err)
			}
			p.subscriber.mu.Lock()
			defer p.subscriber.mu.Unlock()
			if n := len(p.subscriber.entries[denver]); n != 10 {
				t.Errorf("%d entries held, want the 10 of before", n)
			}
		})
	}
}

// TestNobodyIsConvictedByWhatItDidNotSign: of a head in another hand, or the one
// that is held already, there is no proof.
func TestNobodyIsConvictedByWhatItDidNotSign(t *testing.T) {
	other := newShelf()
	other.history = 7
	other.write(t, denver, signingKey(3), 10)
	p := newPair(t)
	p.server.write(t, denver, signingKey(1), 10)
	for name, head := range map[string]feed.Head{
		"another's signature": other.heads[denver][1], "the same head": p.server.heads[denver][1],
		"another author's": {Author: boulder, Position: other.heads[denver][1].Position, Signature: other.heads[denver][1].Signature},
	} {
		p.subscriber.put(denver, p.server.entries[denver], p.server.heads[denver])
		if err := p.followers.judge(p.denver, head); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	select {
	case got := <-p.forks:
		t.Errorf("convicted by %v", got)
	default:
	}
}

// tells makes the server answer every subscription with one batch.
func (p *pair) tells(b feed.Batch) {
	p.serverHost.Handle(wire.ProtocolFeed, func(ctx context.Context, s *link.Stream) error {
		var sub wire.Subscribe
		if err := s.Receive(&sub); err != nil {
			return err
		}
		err := s.Send(b.Message())
		if err == nil {
			var a wire.Ack
			err = s.Receive(&a)
		}
		p.served <- err
		return err
	})
}
