package exchange

import (
	"context"
	"errors"
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// tells makes the member answer every subscription with one batch, and returns
// how they end.
func (m *member) tells(b func(since uint64) feed.Batch) <-chan error {
	ended := make(chan error, 100)
	m.host.Handle(wire.ProtocolFeed, func(ctx context.Context, s *link.Stream) error {
		var sub wire.Subscribe
		err := s.Receive(&sub)
		since := uint64(0)
		if len(sub.Feeds) > 0 {
			since = sub.Feeds[0].Number
		}
		if err == nil {
			err = s.Send(b(since).Message())
		}
		for err == nil {
			err = s.Receive(&wire.Ack{})
		}
		ended <- err
		return err
	})
	return ended
}

// another is what denver wrote in another history, signed by a key.
func another(t *testing.T, m *member, keyOf *member, n int) *held {
	t.Helper()
	other := newShelf(m.agency.ID, m.directory)
	other.history = 7
	other.write(t, m.all, keyOf.key, n)
	return other.copyOf(m.all)
}

// TestAMemberThatSignsTwoFeedsOfOneLengthIsConvicted: the member lies to whoever
// subscribes again, with a signed head of another history, and with entries
// under it.
func TestAMemberThatSignsTwoFeedsOfOneLengthIsConvicted(t *testing.T) {
	for name, entries := range map[string]bool{"a head alone": false, "all of it anew": true} {
		t.Run(name, func(t *testing.T) {
			denver, boulder := pair(t)
			other := another(t, denver, denver, 10)
			lie := feed.Batch{Head: other.heads[1], Last: 10}
			if entries {
				lie.Entries = other.entries
			}
			denver.writes(directory.Everyone, 10)
			stop := boulder.follow(denver)
			boulder.await(t, boulder.has(denver.all, 10))
			stop()
			ended := denver.tells(func(uint64) feed.Batch { return lie })
			boulder.follow(denver)
			got := <-boulder.forks
			if got[0].Hash != denver.copyOf(denver.all).at().Hash || got[1].Hash != lie.Head.Hash || !got[0].Conflicts(got[1]) {
				t.Errorf("the proof is of %d and %d, want the head held and the other one", got[0].Number, got[1].Number)
			}
			for _, h := range got {
				if !h.Verified(denver.agency.Key) {
					t.Error("a head in the proof is not signed")
				}
			}
			var r *wire.Refusal
			if err := <-ended; !errors.As(err, &r) || r.Code != wire.CodeForged && r.Code != wire.CodeGap {
				t.Errorf("the liar's stream ended with %v, want a refusal", err)
			}
			if n := boulder.count(denver.all); n != 10 {
				t.Errorf("%d entries held, want the 10 of before", n)
			}
		})
	}
}

// TestNobodyIsConvictedByWhatItDidNotSign: of a head in another hand, or the one
// that is held already, or that of another feed, there is no proof.
func TestNobodyIsConvictedByWhatItDidNotSign(t *testing.T) {
	denver, boulder := pair(t)
	boulder.write(t, denver.all, denver.key, 10)
	held := boulder.copyOf(denver.all).heads[1]
	forged, signed := another(t, denver, boulder, 10).heads[1], another(t, denver, denver, 10).heads[1]
	few := feed.ID{Author: "denver-pd", Audience: listed(t, "boulder-so")}
	later := signed.Position
	later.Generation = 2
	for name, head := range map[string]feed.Head{
		"another's signature": forged, "the same head": held,
		"another author's":   feed.Sign(boulder.all, boulder.key, signed.Position),
		"another audience's": feed.Sign(few, denver.key, signed.Position),
		"another generation": feed.Sign(denver.all, denver.key, later),
	} {
		if err := Judge(boulder.shelf, denver.agency, head, boulder.followers.forked); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	select {
	case got := <-boulder.forks:
		t.Errorf("convicted by %v", got)
	default:
	}
	if err := Judge(boulder.shelf, denver.agency, signed, boulder.followers.forked); err != nil || len(boulder.forks) != 1 {
		t.Errorf("what it did sign: %v, %d proofs; want one", err, len(boulder.forks))
	}
}
