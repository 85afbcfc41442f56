package registry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// follow goes from the founding document to the published directory as a node
// does that knows nothing else.
func (l *log) follow(from directory.Trust) *directory.Directory {
	l.t.Helper()
	for i, h := range l.Handovers() {
		d, err := from.Verify(h)
		if err != nil {
			l.t.Fatalf("handover %d: %v", i+1, err)
		}
		from = d.Trust()
	}
	if n := len(l.Handovers()); n > 0 && proto.Equal(l.Handovers()[n-1], l.Published()) {
		d, err := directory.Decode(l.Published().Directory)
		if err != nil {
			l.t.Fatal(err)
		}
		return d
	}
	d, err := from.Verify(l.Published())
	if err != nil {
		l.t.Fatalf("published directory: %v", err)
	}
	return d
}

func (l *log) foundersTrust() directory.Trust {
	l.t.Helper()
	f, err := CheckGenesis(l.Document())
	if err != nil {
		l.t.Fatal(err)
	}
	return f.Trust()
}

func TestANewSetOfServersIsHandedOverToByTheOldOne(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 1)
	l.publish(n, 1, 2)
	if got := len(l.Handovers()); got != 0 {
		t.Fatalf("handovers: got %d before any change", got)
	}
	l.carries(n, changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: 1}))
	// The new server's word does not count yet; the word of the one that leaves does.
	if _, _, ok := l.Unendorsed(4); ok {
		t.Fatal("the new server is asked to endorse its own coming")
	}
	l.refuses(endorses(n.endorsement(l.State, 3)), ErrUnknownServer)
	l.publish(n, 1, 3)
	l.wantPublished(l.Version(), 2)
	if got := len(l.Handovers()); got != 1 {
		t.Fatalf("handovers: got %d, want 1", got)
	}
	// Whoever was trusted for the handover may still add its name.
	l.restart()
	if _, _, ok := l.Unendorsed(2); !ok {
		t.Fatal("a late endorsement is not asked for")
	}
	l.publish(n, 2)
	if got := len(l.Handovers()[0].Endorsements); got != 3 || len(l.Handovers()) != 1 {
		t.Fatalf("late endorsement: got %d of it in %d handovers", got, len(l.Handovers()))
	}
	l.refuses(endorses(n.endorsement(l.State, 3)), ErrUnknownServer)

	l.performs()
	l.refuses(endorses(n.endorsement(l.State, 0)), ErrUnknownServer)
	l.publish(n, 3, 4)
	l.wantPublished(l.Version(), 2)
	if d := l.follow(l.foundersTrust()); d.Version != l.Version() || len(d.Servers) != 3 {
		t.Fatalf("followed to version %d, want %d", d.Version, l.Version())
	}
	l.restart()
	l.follow(l.foundersTrust())
}

func TestAsManyEndorseAsCouldMakeAToken(t *testing.T) {
	n := newNetwork(t, 3, 2)
	n.genesis.Threshold = 3
	n.rehash(t)
	l := n.log(t)
	if got := l.Trusted().Quorum; got != 3 {
		t.Fatalf("founding: got quorum %d, want the threshold", got)
	}
	l.publish(n, 1, 2)
	if l.Published() != nil {
		t.Fatal("published by fewer than the threshold")
	}
	l.performs()
	l.publish(n, 1, 2, 3)
	l.carries(n, newEpoch(2))
	l.performs()
	l.publish(n, 1, 2, 3)
	if got := l.Trusted().Quorum; got != 3 {
		t.Fatalf("while the old epoch matches: got quorum %d, want 3", got)
	}
	l.carries(n, retires(1))
	l.publish(n, 1, 2)
	l.publish(n, 3)
	if got := l.Trusted().Quorum; got != 2 {
		t.Fatalf("afterwards: got quorum %d, want 2", got)
	}
	l.follow(l.foundersTrust())
}

// walk exchanges the servers once round and publishes each change.
func (l *log) walk(n *network, changes int) {
	for range changes {
		leaves := l.Servers()[0].Index
		l.carries(n, changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: uint32(leaves)}))
		l.publish(n, int(l.Servers()[0].Index), int(l.Servers()[1].Index))
	}
}

func TestANodeFollowsTheHandoversThatAreKept(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.walk(n, MaxHandovers)
	if d := l.follow(l.foundersTrust()); d.Version != l.Version() {
		t.Fatalf("followed to version %d, want %d", d.Version, l.Version())
	}
	l.restart()
	first, err := directory.Decode(l.Handovers()[0].Directory)
	if err != nil {
		t.Fatal(err)
	}
	l.walk(n, 3)
	if got := len(l.Handovers()); got != MaxHandovers {
		t.Fatalf("handovers: got %d, want %d", got, MaxHandovers)
	}
	// Who was at the first change is three behind what is kept; who was at the third is not.
	if _, err := first.Trust().Verify(l.Handovers()[0]); err == nil {
		t.Fatal("a gap in the chain was followed")
	}
	at, err := directory.Decode(l.Handovers()[0].Directory)
	if err != nil {
		t.Fatal(err)
	}
	trust := at.Trust()
	for _, h := range l.Handovers()[1:] {
		d, err := trust.Verify(h)
		if err != nil {
			t.Fatal(err)
		}
		trust = d.Trust()
	}
	if !trust.Equal(l.Trusted()) {
		t.Fatal("the chain leads to somebody else than the state trusts")
	}
	l.restart()
	l.walk(n, 1)
	l.restart()
}

func TestHandoversBetweenTwoVersions(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.walk(n, 3)
	all := l.HandoversBetween(0, l.Version()+1)
	if diff := cmp.Diff(len(all), 3); diff != "" {
		t.Fatal(diff)
	}
	second, err := directory.Decode(all[1].Directory)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.HandoversBetween(second.Version-1, l.Version()); len(got) != 1 || got[0] != all[1] {
		t.Fatalf("got %d handovers, want the second", len(got))
	}
	l.restart()
	if got := l.HandoversBetween(second.Version, second.Version+100); len(got) != 1 {
		t.Fatalf("after a restart: got %d handovers, want the third", len(got))
	}
}

// A change that is not published yet is endorsed by those of before, however
// many versions it takes.
func TestTheOldServersEndorseUntilAChangeIsPublished(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.publish(n, 1, 2)
	l.carries(n, changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: 3}))
	l.invite(n, seeded("agency", 0))
	l.takes(endorses(n.endorsement(l.State, 0)))
	l.invite(n, seeded("agency", 1)) // the endorsement of before is lost
	l.refuses(endorses(n.endorsement(l.State, 3)), ErrUnknownServer)
	l.publish(n, 2)
	l.publish(n, 3)
	l.wantPublished(l.Version(), 2)
	if got := l.Trusted().Servers[oprf.Index(4)]; got != wire.PeerOf(n.servers[3]) {
		t.Fatal("the new server is not trusted for the next version")
	}
}
