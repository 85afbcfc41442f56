package testnet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"interlock/crypto/vault"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// outsider is an agency's end of links without its node: it asks what it likes.
type outsider struct {
	*link.Host
	net *Net
	key ed25519.PrivateKey
}

// outside stops an agency's node and speaks in its place.
func outside(t *testing.T, a *Agency) *outsider {
	t.Helper()
	stop(t, a)
	o, err := a.Options()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.LoadKeys(filepath.Join(a.dir, "identity.age"), o.Unlock)
	if err != nil {
		t.Fatal(err)
	}
	h, err := link.New(link.Options{Key: keys.Signing, Listen: o.Config.Listen, Log: discard(), Roles: func(wire.Peer) wire.Role { return wire.Member }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		keys.Destroy()
	})
	for _, other := range a.net.Agencies() {
		if n := other.Node(); n != nil {
			if err := h.SetAddresses(other.Peer(), n.Addresses()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &outsider{h, a.net, keys.Signing}
}

// answers are the frames that answer one subscription to the end, and the code
// with which it was refused, if it was.
func answers(t *testing.T, h *link.Host, to *Agency, sub *wire.Subscribe) []string {
	t.Helper()
	sub.Once = true
	s, err := h.Open(t.Context(), to.Peer(), wire.ProtocolFeed)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset(wire.CodeNone)
	if err := s.Send(sub); err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for {
		var b wire.Batch
		if err := s.Receive(&b); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			var r *wire.Refusal
			if !errors.As(err, &r) {
				t.Fatal(err)
			}
			return append(list, r.Code.String())
		}
		frame, err := wire.Marshal(&b)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(frame))
		ack := &wire.Ack{Audience: b.Head.GetAudience(), Generation: b.Head.GetGeneration(), Number: b.Head.GetNumber()}
		if err := s.Send(ack); err != nil {
			t.Fatal(err)
		}
	}
}

// asked is what somebody may claim to hold of a feed.
func asked(h feed.Head) map[string]*wire.FeedPosition {
	start := feed.Start(h.ID, h.Generation)
	return map[string]*wire.FeedPosition{
		"nothing":            {Generation: h.Generation, Hash: start.Hash[:]},
		"all of it":          {Generation: h.Generation, Number: h.Number, Hash: h.Hash[:]},
		"another history":    {Generation: h.Generation, Number: h.Number, Hash: bytes.Repeat([]byte{7}, len(h.Hash))},
		"more than there is": {Generation: h.Generation, Number: h.Number + 1000, Hash: h.Hash[:]},
		"a later generation": {Generation: h.Generation + 1, Number: h.Number, Hash: h.Hash[:], Held: h.Number},
		"a move under way":   {Generation: h.Generation, Hash: start.Hash[:], Held: h.Number},
	}
}

// subscribesInVain names feeds of denver, with everything that it may know of them,
// to their author and to one who is in their audience: the answers are those for
// feeds that do not exist.
func (o *outsider) subscribesInVain(t *testing.T, denver, boulder *Agency) {
	t.Helper()
	for _, to := range []*Agency{denver, boulder} {
		for real, invented := range map[string]string{"group:border": "group:nobody", "agencies:boulder-so": "agencies:nobody-so"} {
			h := headOf(t, boulder, denver.ID, real)
			for claim, p := range asked(h) {
				p.Audience = invented
				want := answers(t, o.Host, to, &wire.Subscribe{Author: denver.ID, Feeds: []*wire.FeedPosition{p}})
				p.Audience = real
				got := answers(t, o.Host, to, &wire.Subscribe{Author: denver.ID, Feeds: []*wire.FeedPosition{p}})
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s answers an outsider that claims to hold %s of %s otherwise than for %s:\n%s", to.ID, claim, real, invented, diff)
				}
				if text := strings.Join(got, ""); strings.Contains(text, "border") || strings.Contains(text, "agencies:") {
					t.Errorf("%s tells an outsider of an audience", to.ID)
				}
			}
		}
	}
	// The same question from one who may ask is answered.
	inside := answers(t, boulder.Node().Host(), denver, &wire.Subscribe{Author: denver.ID})
	if !strings.Contains(strings.Join(inside, ""), "group:border") {
		t.Error("a member of the group is not answered")
	}
}

func headOf(t *testing.T, a *Agency, author, audience string) (h feed.Head) {
	t.Helper()
	of, err := directory.ParseAudience(audience)
	if err == nil {
		err = a.Node().View(func(tx *store.Tx) (err error) {
			h, err = tx.Head(feed.ID{Author: directory.AgencyID(author), Audience: of})
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// comparesInVain asks for holdings and receipts: neither is of what it may not hold.
func (o *outsider) comparesInVain(t *testing.T, denver, boulder *Agency) {
	t.Helper()
	everyone := headOf(t, denver, denver.ID, "")
	for _, to := range []*Agency{denver, boulder} {
		var holdings wire.Holdings
		var receipts wire.ReceiptsResponse
		o.asks(t, to, wire.ProtocolHoldings, &holdings)
		o.asks(t, to, wire.ProtocolReceipts, &receipts)
		for _, h := range holdings.Heads {
			if h.Author == denver.ID && (h.Audience != "" || h.Number != everyone.Number || h.Generation != everyone.Generation) {
				t.Errorf("%s says that it holds %d of denver's feed, want the %d that are for every member", to.ID, h.Number, everyone.Number)
			}
		}
		for _, r := range receipts.Receipts {
			if r.Author != "golden-pd" {
				t.Errorf("%s gives golden a receipt of %s", to.ID, r.Author)
			}
		}
	}
}

func (o *outsider) asks(t *testing.T, to *Agency, p wire.Protocol, answer proto.Message) {
	t.Helper()
	s, err := o.Open(t.Context(), to.Peer(), p)
	if err == nil {
		err = s.Receive(answer)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Reset(wire.CodeNone)
}

// hearsNothing listens to what the members tell one another.
func (o *outsider) hearsNothing(t *testing.T, denver *Agency, d casefile.CaseID) {
	t.Helper()
	var mu sync.Mutex
	heard := []*wire.Head{}
	network := o.net.pinned(t)
	topic, err := o.Join("interlock/heads/1/"+hex.EncodeToString(network.Genesis[:16]), link.Gossip{
		Check: func(_ wire.Peer, b []byte) link.Verdict {
			mu.Lock()
			defer mu.Unlock()
			var h wire.Head
			if err := wire.Unmarshal(b, &h); err != nil {
				t.Error(err)
			}
			heard = append(heard, &h)
			return link.Accept
		},
		Deliver: func(wire.Peer, []byte) {}, MaxSize: link.MaxGossip,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := o.net.await(ctx, "neighbours", func() (bool, error) { return len(topic.Neighbours()) > 0, nil }); err != nil {
		t.Fatal(err)
	}
	for n := uint64(2); n < 5; n++ { // between entries for the group there is always one for all
		shares(t, denver, d, toGroup(t, "border"), strings.Repeat("g", int(n))+"@example.org")
		shares(t, denver, d, shared, strings.Repeat("a", int(n))+"@example.org")
		err := o.net.await(ctx, "what is for all", func() (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			return slices.ContainsFunc(heard, func(h *wire.Head) bool { return h.Author == denver.ID && h.Number == n }), nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, h := range heard {
		if h.Audience != "" || h.Author == denver.ID && h.Number > 4 {
			t.Errorf("gossip tells of a head at %d for %q", h.Number, h.Audience)
		}
	}
}
