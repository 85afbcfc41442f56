package testnet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
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

var (
	watched   = casefile.Sharing{Way: casefile.Watch}
	withdrawn = casefile.Sharing{Way: casefile.Withdrawn}
	shared    = casefile.Sharing{}
)

func toGroup(t *testing.T, name string) casefile.Sharing {
	t.Helper()
	a, err := directory.GroupAudience(name)
	if err != nil {
		t.Fatal(err)
	}
	return casefile.Sharing{Audience: a}
}

func toListed(t *testing.T, agencies ...directory.AgencyID) casefile.Sharing {
	t.Helper()
	a, err := directory.ListAudience(agencies...)
	if err != nil {
		t.Fatal(err)
	}
	return casefile.Sharing{Audience: a}
}

func shares(t *testing.T, a *Agency, c casefile.CaseID, to casefile.Sharing, text string) {
	t.Helper()
	if _, err := a.Shares(t.Context(), okafor, c, to, text); err != nil {
		t.Fatal(err)
	}
}

func handles(t *testing.T, a *Agency, c casefile.CaseID, to casefile.Sharing, text string) {
	t.Helper()
	if err := a.Handles(t.Context(), okafor, c, to, text); err != nil {
		t.Fatal(err)
	}
}

// group makes one group of the federation, and lets every node act on it.
func group(t *testing.T, net *Net, name string, agencies ...directory.AgencyID) {
	t.Helper()
	slices.Sort(agencies)
	err := net.Groups(t.Context(), []directory.Group{{Name: name, Agencies: agencies}})
	if err == nil {
		err = net.await(t.Context(), "the group everywhere", func() (bool, error) {
			return !slices.ContainsFunc(net.Agencies(), func(a *Agency) bool {
				d := a.Node().Directory()
				return d == nil || !slices.Equal(d.Policy.Group(name), agencies)
			}), nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// feedsOf is how far an agency holds the feeds of an author, by audience.
func feedsOf(t *testing.T, a *Agency, author string) map[string]uint64 {
	t.Helper()
	held := map[string]uint64{}
	err := a.Node().View(func(tx *store.Tx) error {
		feeds, err := tx.Feeds(directory.AgencyID(author))
		for _, f := range feeds {
			at, err := tx.Position(f.ID)
			if err != nil {
				return err
			}
			held[f.ID.Audience.String()] = at.Number
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// alertedOf is what an agency's alerts are about: agency and value, once for each
// case of the other side.
func alertedOf(t *testing.T, a *Agency) []string {
	t.Helper()
	list := []string{}
	err := a.Node().View(func(tx *store.Tx) error {
		all, err := a.Alerts()
		for _, al := range all {
			grounds, err := tx.Grounds(al.ID, math.MaxInt)
			if err != nil {
				return err
			}
			for _, g := range grounds {
				list = append(list, string(al.Pair.Agency)+" "+g.Identifier.Value())
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func wantAlerted(t *testing.T, a *Agency, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(append([]string{}, want...), alertedOf(t, a)); diff != "" {
		t.Errorf("%s is alerted of, want and got:\n%s", a.ID, diff)
	}
}

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

func TestAnEntryReachesItsAudienceAndNobodyElse(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "aurora-pd", "golden-pd")})
	denver, boulder, aurora, golden := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("aurora-pd"), net.Agency("golden-pd")
	group(t, net, "border", "denver-pd", "boulder-so")
	for _, a := range []*Agency{boulder, aurora, golden} {
		shares(t, a, opens(t, a, "W-1"), watched, "group1@example.org group2@example.org listed@example.org both@example.org all@example.org")
	}
	d := opens(t, denver, "D-1")
	shares(t, denver, d, toGroup(t, "border"), "group1@example.org group2@example.org")
	shares(t, denver, d, toListed(t, "boulder-so"), "listed@example.org")
	shares(t, denver, d, toListed(t, "boulder-so", "aurora-pd"), "both@example.org")
	shares(t, denver, d, shared, "all@example.org")
	settleAndCheck(t, net)

	const one, two = "agencies:boulder-so", "agencies:aurora-pd,boulder-so"
	all := map[string]uint64{"": 1, "group:border": 2, one: 1, two: 1}
	for a, want := range map[*Agency]map[string]uint64{
		denver: all, boulder: all, aurora: {"": 1, two: 1}, golden: {"": 1},
	} {
		if diff := cmp.Diff(want, feedsOf(t, a, denver.ID)); diff != "" {
			t.Errorf("%s holds of denver's feeds, want and got:\n%s", a.ID, diff)
		}
	}
	wantAlerted(t, denver)
	wantAlerted(t, boulder, "denver-pd group1@example.org", "denver-pd group2@example.org", "denver-pd listed@example.org", "denver-pd both@example.org", "denver-pd all@example.org")
	wantAlerted(t, aurora, "denver-pd both@example.org", "denver-pd all@example.org")
	wantAlerted(t, golden, "denver-pd all@example.org")

	o := outside(t, golden)
	o.subscribesInVain(t, denver, boulder)
	o.comparesInVain(t, denver, boulder)
	o.hearsNothing(t, denver, d)
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

func TestWhoLeavesAGroupHoldsNothingMoreOfItAndWhoJoinsIsMatchedWithWhatWasThere(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "aurora-pd")})
	denver, boulder, aurora := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("aurora-pd")
	group(t, net, "border", "denver-pd", "boulder-so")
	d, b, a := opens(t, denver, "D-1"), opens(t, boulder, "B-1"), opens(t, aurora, "A-1")
	shares(t, denver, d, toGroup(t, "border"), "before@example.org early@example.org")
	shares(t, boulder, b, watched, "before@example.org later@example.org")
	shares(t, aurora, a, watched, "before@example.org later@example.org")
	settleAndCheck(t, net)
	wantAlerted(t, boulder, "denver-pd before@example.org")
	wantAlerted(t, aurora)

	group(t, net, "border", "denver-pd", "aurora-pd")
	settleAndCheck(t, net) // which waits until boulder holds nothing that it may not
	if held := feedsOf(t, boulder, denver.ID); held["group:border"] != 0 {
		t.Errorf("boulder has left the group and holds %v", held)
	}
	wantAlerted(t, aurora, "denver-pd before@example.org")
	shares(t, denver, d, toGroup(t, "border"), "later@example.org")
	shares(t, boulder, b, watched, "early@example.org") // it was announced while boulder was in the group
	settleAndCheck(t, net)
	wantAlerted(t, boulder, "denver-pd before@example.org")
	wantAlerted(t, aurora, "denver-pd before@example.org", "denver-pd later@example.org")

	// An author that has left speaks to the group no more; one that is back is.
	group(t, net, "border", "aurora-pd", "boulder-so")
	settleAndCheck(t, net)
	shares(t, boulder, b, toGroup(t, "border"), "new@example.org")
	shares(t, aurora, a, watched, "early@example.org new@example.org")
	settleAndCheck(t, net)
	wantAlerted(t, aurora, "denver-pd before@example.org", "denver-pd later@example.org", "boulder-so new@example.org")
	group(t, net, "border", "aurora-pd", "boulder-so", "denver-pd")
	settleAndCheck(t, net)
	wantAlerted(t, aurora, "denver-pd before@example.org", "denver-pd early@example.org", "denver-pd later@example.org", "boulder-so new@example.org")
	wantAlerted(t, boulder, "denver-pd before@example.org", "denver-pd early@example.org", "denver-pd later@example.org")
}

func TestHandlingIsWidenedAndNarrowedLater(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "aurora-pd")})
	denver, boulder, aurora := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("aurora-pd")
	d := opens(t, denver, "D-1")
	const name = "j.doe@example.org"
	watches := func(a *Agency, number string) {
		t.Helper()
		shares(t, a, opens(t, a, number), watched, name)
	}
	one := "denver-pd " + name
	shares(t, denver, d, toListed(t, "boulder-so"), name)
	watches(boulder, "B-1")
	watches(aurora, "A-1")
	settleAndCheck(t, net)
	wantAlerted(t, boulder, one)
	wantAlerted(t, aurora)

	handles(t, denver, d, shared, name) // wider
	settleAndCheck(t, net)
	wantAlerted(t, boulder, one) // not again
	wantAlerted(t, aurora, one)

	handles(t, denver, d, toListed(t, "boulder-so"), name) // narrower
	settleAndCheck(t, net)
	watches(aurora, "A-2")
	watches(boulder, "B-2")
	settleAndCheck(t, net)
	wantAlerted(t, boulder, one, one)
	wantAlerted(t, aurora, one)

	for _, to := range []casefile.Sharing{watched, withdrawn} {
		handles(t, denver, d, to, name)
		settleAndCheck(t, net)
		watches(boulder, fmt.Sprintf("B-3-%d", to.Way))
		settleAndCheck(t, net)
		wantAlerted(t, boulder, one, one)
	}
	shares(t, boulder, opens(t, boulder, "B-5"), shared, name) // meets the second case of aurora too
	settleAndCheck(t, net)
	wantAlerted(t, denver) // has withdrawn it
	wantAlerted(t, aurora, one, "boulder-so "+name, "boulder-so "+name)

	handles(t, denver, d, toListed(t, "aurora-pd"), name)
	settleAndCheck(t, net)
	wantAlerted(t, denver, "boulder-so "+name)
	wantAlerted(t, aurora, one, one, "boulder-so "+name, "boulder-so "+name)
	wantAlerted(t, boulder, one, one)

	if err := denver.Purges(t.Context(), okafor, d, name); err != nil {
		t.Fatal(err)
	}
	settleAndCheck(t, net)
	watches(aurora, "A-6")
	settleAndCheck(t, net)
	wantAlerted(t, aurora, one, one, "boulder-so "+name, "boulder-so "+name, "boulder-so "+name)
	for _, a := range net.Agencies() {
		for audience := range feedsOf(t, denver, denver.ID) {
			if n := announcements(t, a, denver.ID, audience); n != 0 {
				t.Errorf("%s holds %d announcements of denver to %q, which has purged all", a.ID, n, audience)
			}
		}
	}
}

// announcements counts those that an agency holds in a feed, standing or not.
func announcements(t *testing.T, a *Agency, author, audience string) (n int) {
	t.Helper()
	of, err := directory.ParseAudience(audience)
	if err == nil {
		err = a.Node().View(func(tx *store.Tx) error {
			list, err := tx.EntriesAfter(feed.ID{Author: directory.AgencyID(author), Audience: of}, 0, math.MaxInt)
			for _, e := range list {
				if e.Kind == feed.Announce {
					n++
				}
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}
