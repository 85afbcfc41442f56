package registry

import (
	"crypto/ed25519"
	"testing"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// head is what an author signs who says that its feed for every member has one
// entry with this tag.
func head(t testing.TB, id directory.AgencyID, key ed25519.PrivateKey, tag byte) feed.Head {
	return headOf(t, feed.ID{Author: id}, 1, key, tag)
}

func headOf(t testing.TB, id feed.ID, generation uint32, key ed25519.PrivateKey, tag byte) feed.Head {
	t.Helper()
	w := feed.NewWriter(id, key, feed.Start(id, generation))
	e := feed.Entry{Number: 1, Kind: feed.Announce, Epoch: 1}
	e.Tag[0] = tag
	if err := w.Append(e); err != nil {
		t.Fatal(err)
	}
	heads := w.Close()
	return heads[len(heads)-1]
}

func fork(t testing.TB, id directory.AgencyID, key ed25519.PrivateKey) *wire.Evidence {
	return &wire.Evidence{First: head(t, id, key, 1).Message(), Second: head(t, id, key, 2).Message()}
}

func TestAForkSuspendsByPolicy(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.founded(t, 1), seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	proof := fork(t, "denver-pd", denver)
	l.takes(proves(proof))
	l.wantStatus(denver, directory.Suspended)
	if _, reason := l.Standing(wire.PeerOf(denver)); reason == "" {
		t.Fatal("the agency does not learn why")
	}
	notices := l.Status().Notices
	if len(notices) != 1 || notices[0].Kind != ForkedFeed || notices[0].Agency != "denver-pd" {
		t.Fatalf("notices: got %v", notices)
	}
	if !sameMessage(l.entry(-2).GetEvidence(), proof) || !sameMessage(l.entry(-1).GetNotice(), notices[0]) {
		t.Fatal("evidence or notice is not in the record")
	}
	l.repeats(proves(proof))
	l.repeats(proves(&wire.Evidence{First: proof.Second, Second: proof.First}))
	l.restart()
	l.repeats(proves(proof))
}

func TestAForkOfAnyFeedAndGenerationIsAFork(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.founded(t, 1), seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	group, err := directory.GroupAudience("border")
	if err != nil {
		t.Fatal(err)
	}
	id := feed.ID{Author: "denver-pd", Audience: group}
	first, second := headOf(t, id, 3, denver, 1), headOf(t, id, 3, denver, 2)
	l.takes(proves(&wire.Evidence{First: first.Message(), Second: second.Message()}))
	l.wantStatus(denver, directory.Suspended)
}

func TestAForkOnlyNotifiesWhereThePolicySaysSo(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.founded(t, 1), seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	p := directory.FirstPolicy()
	p.SuspendForks = false
	l.carries(n, &wire.Motion{Of: &wire.Motion_Policy{Policy: p.Message()}})
	proof := fork(t, "denver-pd", denver)
	l.takes(proves(proof))
	l.wantStatus(denver, directory.Active)
	if got := len(l.Status().Notices); got != 1 {
		t.Fatalf("notices: got %d, want 1", got)
	}
	l.repeats(proves(proof))
	l.restart()
	l.repeats(proves(proof))
}

func TestWhatProvesNoForkIsRefused(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver, boulder := n.founded(t, 1), seeded("agency", 0), seeded("agency", 1)
	l.admit(n, denver, "denver-pd", 1)
	l.admit(n, boulder, "boulder-pd", 1)
	first, second := head(t, "denver-pd", denver, 1), head(t, "denver-pd", denver, 2)
	forged := second.Message()
	forged.Signature[3] ^= 1
	empty := feed.Empty(first.ID, 1, denver)
	group, err := directory.GroupAudience("border")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := headOf(t, feed.ID{Author: "denver-pd", Audience: group}, 1, denver, 2)
	compacted := headOf(t, first.ID, 2, denver, 2)
	rows := []struct {
		name string
		e    *wire.Evidence
		want Refusal
	}{
		{"nothing", nil, ErrUnknownAgency},
		{"one head", &wire.Evidence{First: first.Message()}, ErrMalformed},
		{"a stranger", fork(t, "aurora-pd", denver), ErrUnknownAgency},
		{"equal heads", &wire.Evidence{First: first.Message(), Second: first.Message()}, ErrNoEvidence},
		{"different numbers", &wire.Evidence{First: empty.Message(), Second: first.Message()}, ErrNoEvidence},
		{"feeds of different audiences", &wire.Evidence{First: first.Message(), Second: elsewhere.Message()}, ErrNoEvidence},
		{"different generations", &wire.Evidence{First: first.Message(), Second: compacted.Message()}, ErrNoEvidence},
		{"a forged head", &wire.Evidence{First: first.Message(), Second: forged}, ErrNoEvidence},
		{"another agency's key", fork(t, "denver-pd", boulder), ErrNoEvidence},
		{"another author", &wire.Evidence{First: first.Message(), Second: head(t, "boulder-pd", boulder, 2).Message()}, ErrNoEvidence},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			l.t = t
			l.refuses(proves(row.e), row.want)
		})
	}
}

func TestEvidenceOfTheOldKeyDoesNotHitTheNewOne(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, old, next := n.founded(t, 1), seeded("agency", 0), seeded("agency", 1)
	l.admit(n, old, "denver-pd", 1)
	proof := fork(t, "denver-pd", old)
	l.takes(proves(proof))
	held := wire.PeerOf(old)
	l.invite(n, next)
	l.takes(applies(n.signApplication(
		directory.Signers{Key: next, Replaces: &held, Invitation: invitationOf(next)}, n.agency(next, "denver-pd", ""), 2)))
	l.approve(n, next)
	l.wantStatus(next, directory.Active)
	l.refuses(proves(proof), ErrNoEvidence)
}
