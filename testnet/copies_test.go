package testnet

import (
	"context"
	"crypto/ed25519"
	"slices"
	"testing"

	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// plays serves a feed in a member's place to whoever subscribes to it.
func (o *outsider) plays(key ed25519.PrivateKey, author directory.AgencyID, held []feed.Entry, more []feed.Entry) error {
	id := feed.ID{Author: author}
	at := feed.Start(id, 1)
	for _, e := range held {
		at = at.After(e)
	}
	since := at.Number
	w := feed.NewWriter(id, key, at)
	for _, e := range more {
		if err := w.Append(e); err != nil {
			return err
		}
	}
	heads := w.Close()
	b := feed.Batch{Entries: more, Head: heads[len(heads)-1], Last: heads[len(heads)-1].Number}
	o.Handle(wire.ProtocolFeed, func(_ context.Context, s *link.Stream) error {
		var sub wire.Subscribe
		if err := s.Receive(&sub); err != nil {
			return err
		}
		for _, p := range sub.Feeds {
			if p.Audience == "" && p.Number > since {
				b = feed.Batch{Head: b.Head, Last: b.Last} // it has them
			}
		}
		err := s.Send(b.Message())
		for err == nil {
			err = s.Receive(&wire.Ack{})
		}
		return err
	})
	return nil
}

// copied are entries with what stands in others, under numbers of their own.
func copied(from []seen, after uint64) (list []feed.Entry) {
	for _, s := range from {
		after++
		list = append(list, feed.Entry{Number: after, Kind: s.Kind, Epoch: s.Epoch, Tag: s.Tag, Pointer: s.Pointer})
	}
	return list
}

func TestCopiedTagsAndPointersRaiseNoAlert(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "golden-pd", "aurora-pd")})
	denver, boulder, golden, aurora := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("golden-pd"), net.Agency("aurora-pd")
	d := opens(t, denver, "D-1")
	pastes(t, denver, d, "one@example.org two@example.org three@example.org")
	shares(t, denver, d, toListed(t, "boulder-so"), "listed@example.org")
	all := "one@example.org two@example.org three@example.org listed@example.org"
	shares(t, boulder, opens(t, boulder, "B-1"), watched, all)
	shares(t, aurora, opens(t, aurora, "A-1"), watched, all)
	settleAndCheck(t, net)
	o := observe(t, net)
	whole := o.entries["denver-pd"]
	var listed []seen
	err := denver.Node().View(func(tx *store.Tx) error {
		entries, err := tx.EntriesAfter(feed.ID{Author: "denver-pd", Audience: toListed(t, "boulder-so").Audience}, 0, 10)
		for _, e := range entries {
			listed = append(listed, seen{author: "denver-pd", Entry: e})
		}
		return err
	})
	if err != nil || len(listed) != 1 {
		t.Fatalf("%d entries for boulder, %v", len(listed), err)
	}
	boulders, auroras := alertedOf(t, boulder), alertedOf(t, aurora)

	// Golden copies the feed as it is, what is for boulder alone, and both again in
	// another order under other numbers.
	turned := append(slices.Clone(listed), whole...)
	slices.Reverse(turned)
	fake := slices.Concat(copied(whole, 0), copied(listed, 3), copied(turned, 4))
	awaitTaken(t, net, outside(t, golden), golden, nil, fake, boulder, aurora)
	wantAlerted(t, boulder, boulders...)
	wantAlerted(t, aurora, auroras...)

	// Denver itself copies what is for boulder alone into its feed for all.
	var held []feed.Entry
	for _, s := range whole {
		held = append(held, s.Entry)
	}
	awaitTaken(t, net, outside(t, denver), denver, held, copied(listed, uint64(len(held))), boulder, aurora)
	wantAlerted(t, boulder, boulders...)
	wantAlerted(t, aurora, auroras...)

	// Who enters the identifiers only now is alerted of what denver announced, and of
	// no copy.
	shares(t, aurora, opens(t, aurora, "A-2"), watched, all)
	wantAlerted(t, aurora, append(auroras, auroras...)...)
}

// awaitTaken has a member say these entries beyond what is held of its feed, until
// the readers have taken them.
func awaitTaken(t *testing.T, net *Net, o *outsider, a *Agency, held, more []feed.Entry, readers ...*Agency) {
	t.Helper()
	if err := o.plays(o.key, directory.AgencyID(a.ID), held, more); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := net.await(ctx, "the copies to be taken", func() (bool, error) {
		for _, r := range readers {
			if feedsOf(t, r, a.ID)[""] != uint64(len(held)+len(more)) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
