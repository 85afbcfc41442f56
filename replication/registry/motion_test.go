package registry

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

func policies(daily uint64) *wire.Motion {
	p := directory.FirstPolicy()
	p.Daily = daily
	return &wire.Motion{Of: &wire.Motion_Policy{Policy: p.Message()}}
}

func changesServer(m *wire.ServerChange) *wire.Motion {
	return &wire.Motion{Of: &wire.Motion_Server{Server: m}}
}

func changesOperator(o *wire.Operator, remove bool) *wire.Motion {
	return &wire.Motion{Of: &wire.Motion_Operator{Operator: &wire.OperatorChange{Operator: o, Remove: remove}}}
}

func changesAgency(id string, change uint32) *wire.Motion {
	return &wire.Motion{Of: &wire.Motion_Agency{Agency: &wire.AgencyChange{Agency: id, Change: change}}}
}

func newEpoch(threshold uint32) *wire.Motion {
	return &wire.Motion{Of: &wire.Motion_NewEpoch{NewEpoch: &wire.NewEpoch{Threshold: threshold}}}
}

func retires(epoch uint32) *wire.Motion {
	return &wire.Motion{Of: &wire.Motion_RetireEpoch{RetireEpoch: &wire.RetireEpoch{Epoch: epoch}}}
}

func reshares(threshold uint32) *wire.Motion {
	return &wire.Motion{Of: &wire.Motion_Reshare{Reshare: &wire.Reshare{Threshold: threshold}}}
}

// cannot checks that a motion is refused when it is put.
func (l *log) cannot(n *network, m *wire.Motion, want Refusal) {
	l.t.Helper()
	l.refuses(decides(n.motion(l.State, 0, m)), want)
}

func TestTwoOperatorsCarryAMotion(t *testing.T) {
	n := newNetwork(t, 3, 3)
	l := n.log(t)
	l.takes(decides(n.motion(l.State, 0, policies(7))))
	if l.policy.Daily == 7 || len(l.Status().Motions) != 1 {
		t.Fatalf("after one signature: got daily %d, %d motions", l.policy.Daily, len(l.Status().Motions))
	}
	l.takes(decides(n.onMotion(l.State, 2, Approve)))
	if got := l.Directory().Policy.Daily; got != 7 || len(l.motions) != 0 {
		t.Fatalf("after two: got daily %d and %d motions, want 7 and none", got, len(l.motions))
	}
	l.cannot(n, policies(7), ErrNoChange)
	l.cannot(n, policies(0), ErrMalformed)
	l.cannot(n, &wire.Motion{}, ErrMalformed)
}

func TestAMotionTakesTwoPeopleToo(t *testing.T) {
	n := newNetwork(t, 3, 3)
	n.genesis.Operators = append(n.genesis.Operators, n.newOperator(Admission), n.newOperator(Audit))
	n.rehash(t)
	l := n.log(t)
	put := n.motion(l.State, 0, policies(7))
	l.takes(decides(put))
	l.refuses(decides(n.onMotion(l.State, 0, Approve)), ErrSameOperator)

	second := n.onMotion(l.State, 1, Approve)
	forged := clone(second)
	forged.Signature[10] ^= 1
	l.refuses(decides(forged), ErrBadSignature)
	borrowed := clone(second)
	key := wire.PeerOf(n.operators[2])
	borrowed.Operator = key[:]
	l.refuses(decides(borrowed), ErrBadSignature)
	l.refuses(decides(n.onMotion(l.State, 3, Approve)), ErrRole)
	l.refuses(decides(n.onMotion(l.State, 4, Approve)), ErrRole)
	other := clone(second)
	hash, err := MotionHash(policies(8))
	if err != nil {
		t.Fatal(err)
	}
	other.Application = hash[:]
	l.refuses(decides(n.sign(1, other)), ErrWrongHash)
	outsider, err := SignDecision(seeded("agency", 0), second)
	if err != nil {
		t.Fatal(err)
	}
	l.refuses(decides(outsider), ErrNotOperator)
	elsewhere := clone(second)
	elsewhere.Genesis = make([]byte, 32)
	l.refuses(decides(n.sign(1, elsewhere)), ErrWrongNetwork)

	// Changed after it was signed.
	changed := clone(put)
	changed.Motion = policies(9)
	l.refuses(decides(changed), ErrBadSignature)
	l.refuses(decides(n.sign(0, changed)), ErrWrongHash)
	l.takes(decides(second))
	if l.policy.Daily != 7 {
		t.Fatalf("daily: got %d, want 7", l.policy.Daily)
	}
}

func TestAMotionIsNotPutAgainBySomebodyElse(t *testing.T) {
	n := newNetwork(t, 3, 3)
	l := n.log(t)
	put := n.motion(l.State, 0, policies(7))
	overtaken := n.motion(l.State, 1, policies(8))
	l.takes(decides(put))
	l.refuses(decides(overtaken), ErrStale)
	l.repeats(decides(put))
	refusal := n.onMotion(l.State, 1, Refuse)
	approval := n.onMotion(l.State, 2, Approve)
	l.takes(decides(refusal))
	// Neither the motion nor its approval finds anything any more.
	l.repeats(decides(put))
	l.repeats(decides(refusal))
	l.refuses(decides(approval), ErrStale)

	// Whoever put it may withdraw it.
	l.takes(decides(n.motion(l.State, 0, policies(7))))
	l.takes(decides(n.onMotion(l.State, 0, Refuse)))
	if l.policy.Daily == 7 || len(l.motions) != 0 {
		t.Fatal("a motion that was refused was carried")
	}
}

func TestADecisionOnAMotionMayBeSentAgain(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	put := n.motion(l.State, 0, policies(7))
	l.takes(decides(put))
	approval := n.onMotion(l.State, 1, Approve)
	l.takes(decides(approval))
	l.carries(n, policies(8))
	l.repeats(decides(put))
	l.repeats(decides(approval))
	if l.policy.Daily != 8 {
		t.Fatal("a decision that was sent again was carried out again")
	}
}

func TestAMotionThatTheWorldOvertookIsRefused(t *testing.T) {
	n := newNetwork(t, 3, 3)
	l := n.founded(t, 1)
	l.takes(decides(n.motion(l.State, 0, changesServer(&wire.ServerChange{Server: &wire.Server{Index: 3}, Remove: true}))))
	first := n.onMotion(l.State, 1, Approve)
	l.carries(n, reshares(3))
	l.performs()
	// Now all three are needed.
	l.refuses(decides(first), ErrTooFew)
	if len(l.motions) != 1 || len(l.servers) != 3 {
		t.Fatal("the motion left something behind")
	}
	l.takes(decides(n.onMotion(l.State, 1, Refuse)))
}

func TestWhoIsDismissedHasNoSignatureInWhatIsUndecided(t *testing.T) {
	n := newNetwork(t, 3, 4)
	l, denver := n.log(t), seeded("agency", 0)
	l.invite(n, denver)
	l.takes(applies(n.application(denver, "denver-pd", "", 1)))
	l.takes(decides(n.decision(l.State, 3, Approve, denver, "")))
	l.takes(decides(n.motion(l.State, 3, policies(7))))
	late := n.onMotion(l.State, 0, Approve)
	dismissed := n.genesis.Operators[3]
	l.carries(n, changesOperator(&wire.Operator{Key: dismissed.Key}, true))
	if l.IsOperator(wire.Peer(dismissed.Key)) || l.OperatorName(wire.Peer(dismissed.Key)) != dismissed.Name {
		t.Fatal("a former operator has a role, or no name")
	}
	l.refuses(decides(late), ErrStale)
	l.refuses(decides(n.decision(l.State, 3, Approve, denver, "")), ErrNotOperator)
	l.refuses(decides(n.motion(l.State, 3, policies(7))), ErrNotOperator)
	l.takes(decides(n.decision(l.State, 0, Approve, denver, "")))
	l.wantStatus(denver, directory.Pending)
	l.takes(decides(n.decision(l.State, 1, Approve, denver, "")))
	l.wantStatus(denver, directory.Active)
	l.restart()
}

func TestRolesBoundWhatAnOperatorDecides(t *testing.T) {
	n := newNetwork(t, 3, 2)
	n.genesis.Operators = append(n.genesis.Operators, n.newOperator(Admission), n.newOperator(Operations), n.newOperator(Audit))
	n.rehash(t)
	const admission, operations, audit = 2, 3, 4
	l, denver := n.log(t), seeded("agency", 0)
	l.invite(n, denver)
	l.takes(applies(n.application(denver, "denver-pd", "", 1)))
	for _, o := range []int{operations, audit} {
		l.refuses(decides(n.decision(l.State, o, Approve, denver, "")), ErrRole)
		l.refuses(decides(n.decision(l.State, o, Refuse, denver, "no")), ErrRole)
		l.refuses(decides(n.invitation(o, seeded("agency", 1), 9)), ErrRole)
	}
	l.refuses(decides(n.motion(l.State, admission, policies(7))), ErrRole)
	l.refuses(decides(n.motion(l.State, audit, policies(7))), ErrRole)
	l.takes(decides(n.motion(l.State, operations, policies(7))))

	// The number of a motion in another kind of decision gives no other role.
	number := l.motions[0].record.Number
	smuggled := n.invitation(operations, seeded("agency", 1), 9)
	smuggled.Number = number
	l.refuses(decides(n.sign(operations, smuggled)), ErrRole)
	clearing := n.sign(operations, &wire.Decision{
		Verb: uint32(Clear), Agency: "denver-pd", Genesis: n.hash[:], Application: make([]byte, 32), Number: number,
	})
	l.refuses(decides(clearing), ErrRole)

	l.approve(n, denver)
	l.refuses(decides(n.decision(l.State, operations, Suspend, denver, "x")), ErrRole)
	l.refuses(decides(n.motion(l.State, operations, changesAgency("denver-pd", RemoveAgency))), ErrRole)
	l.takes(decides(n.motion(l.State, admission, changesAgency("denver-pd", RemoveAgency))))
	l.refuses(decides(n.onMotion(l.State, operations, Approve)), ErrRole)
}

func TestOperatorsComeChangeAndGoByMotion(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	o := n.newOperator(Admission)
	taken := clone(o)
	taken.Name = n.genesis.Operators[0].Name
	l.cannot(n, changesOperator(taken, false), ErrTaken)
	server := clone(o)
	server.Key = n.genesis.Servers[0].Key
	l.cannot(n, changesOperator(server, false), ErrTaken)
	l.cannot(n, changesOperator(&wire.Operator{Name: o.Name, Key: o.Key}, false), ErrMalformed)
	l.cannot(n, changesOperator(o, true), ErrUnknownOperator)
	l.cannot(n, changesOperator(nil, true), ErrUnknownOperator)
	l.cannot(n, changesOperator(nil, false), ErrMalformed)

	// Never fewer than two for each role that takes two.
	first := n.genesis.Operators[0]
	l.cannot(n, changesOperator(first, true), ErrTooFew)
	for _, roles := range []Role{Admission | Audit, Operations, Audit} {
		l.cannot(n, changesOperator(&wire.Operator{Name: first.Name, Key: first.Key, Roles: uint32(roles)}, false), ErrTooFew)
	}
	l.carries(n, changesOperator(o, false))
	l.cannot(n, changesOperator(o, false), ErrNoChange)
	l.cannot(n, changesOperator(first, true), ErrTooFew) // nobody else for operations
	o.Roles = uint32(Admission | Operations)
	l.carries(n, changesOperator(o, false))
	if got := l.RolesOf(wire.Peer(o.Key)); got != Admission|Operations {
		t.Fatalf("roles: got %s", got)
	}
	renamed := clone(o)
	renamed.Name = "somebody else"
	l.cannot(n, changesOperator(renamed, false), ErrTaken)
	l.carries(n, changesOperator(first, true))
	l.cannot(n, changesOperator(first, true), ErrNotOperator) // signed by operator 0 itself
	l.restart()
	if l.IsOperator(wire.Peer(first.Key)) {
		t.Fatal("the first operator is one still")
	}
}

func TestServersComeAndGoByMotion(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 1)
	fourth := n.newServer()
	for _, row := range []struct {
		name   string
		change *wire.ServerChange
		want   Refusal
	}{
		{"nothing", nil, ErrMalformed},
		{"the key of an operator", &wire.ServerChange{Server: &wire.Server{
			Name: "x", Key: n.genesis.Operators[0].Key, Recipient: fourth.Recipient, Addresses: fourth.Addresses}}, ErrTaken},
		{"the key of a server", &wire.ServerChange{Server: &wire.Server{
			Name: "x", Key: n.genesis.Servers[0].Key, Recipient: fourth.Recipient, Addresses: fourth.Addresses}}, ErrTaken},
		{"nowhere to be found", &wire.ServerChange{Server: &wire.Server{Name: "x", Key: fourth.Key, Recipient: fourth.Recipient}}, ErrMalformed},
		{"instead of nobody", &wire.ServerChange{Server: fourth, Replaces: 9}, ErrUnknownServer},
		{"a threshold over the servers", &wire.ServerChange{Server: fourth, Threshold: 5}, ErrTooFew},
		{"removing nobody", &wire.ServerChange{Remove: true}, ErrUnknownServer},
		{"removing another", &wire.ServerChange{Server: &wire.Server{Index: 65537}, Remove: true}, ErrUnknownServer},
		{"moving nobody", &wire.ServerChange{Server: &wire.Server{Index: 9}}, ErrUnknownServer},
	} {
		t.Run(row.name, func(t *testing.T) {
			l.t = t
			l.cannot(n, changesServer(row.change), row.want)
		})
	}
	l.t = t
	l.carries(n, changesServer(&wire.ServerChange{Server: fourth}))
	if got := numbersOf(l.indices()); cmp.Diff(got, []uint32{1, 2, 3, 4}) != "" {
		t.Fatalf("servers: got %v", got)
	}
	l.performs()
	l.publish(n, 1, 2)
	l.carries(n, changesServer(&wire.ServerChange{Server: &wire.Server{Index: 4}, Remove: true}))
	l.performs()
	l.publish(n, 1, 2, 3)
	// The number is not given again, not even to the same machine.
	l.carries(n, changesServer(&wire.ServerChange{Server: fourth, Replaces: 1, Threshold: 3}))
	if got := numbersOf(l.indices()); cmp.Diff(got, []uint32{2, 3, 5}) != "" {
		t.Fatalf("servers: got %v, want 2, 3 and 5", got)
	}
	l.restart()
}

func TestAServerMovesAndKeepsItsShare(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.founded(t, 1)
	moved := clone(n.genesis.Servers[1])
	moved.Addresses = []string{"/dns4/two.example/tcp/1"}
	l.carries(n, changesServer(&wire.ServerChange{Server: moved}))
	if got, _ := l.Server(2); len(got.Addresses) != 1 || got.Addresses[0] != moved.Addresses[0] {
		t.Fatalf("addresses: got %v", got.Addresses)
	}
	if _, ok := l.Ceremony(); ok {
		t.Fatal("new addresses began a key ceremony")
	}
	other := clone(moved)
	key := wire.PeerOf(seeded("server", 8))
	other.Key = key[:]
	l.cannot(n, changesServer(&wire.ServerChange{Server: other}), ErrMalformed)
	l.cannot(n, changesServer(&wire.ServerChange{Server: moved, Threshold: 3}), ErrMalformed)
	moved.Addresses = nil
	l.cannot(n, changesServer(&wire.ServerChange{Server: moved}), ErrMalformed)
}

// Whoever could publish a change must still be there after it.
func TestEnoughServersStayToPublishAChange(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	replace := func(old uint32) *wire.Motion {
		return changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: old})
	}
	l.carries(n, replace(1))
	l.cannot(n, replace(2), ErrTooFew)
	n.servers = n.servers[:4]
	l.performs()
	l.cannot(n, replace(2), ErrTooFew) // the new key is there, yet nothing is published
	n.servers = n.servers[:4]
	l.publish(n, 2, 3)
	l.carries(n, replace(2))
	l.performs()
	l.publish(n, 3, 4)
	l.wantPublished(l.Version(), 2)
}

func TestEnoughHoldersOfTheKeyStayWhileANewOneIsMade(t *testing.T) {
	n := newNetwork(t, 5, 2)
	l := n.founded(t, 1)
	l.publish(n, 1, 2, 3)
	l.carries(n, newEpoch(0))
	for i := uint32(1); i <= 2; i++ {
		l.carries(n, changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: i}))
		// Whoever is there may publish, though the key is not made yet.
		l.publish(n, 3, 4, 5)
	}
	l.cannot(n, changesServer(&wire.ServerChange{Server: n.newServer(), Replaces: 3}), ErrTooFew)
}

func TestAThresholdThatWasDecidedHolds(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.carries(n, reshares(3))
	l.carries(n, changesServer(&wire.ServerChange{Server: n.newServer()})) // the threshold as it is
	l.performs()
	if got := l.Directory().Epochs[0].Keys.Threshold; got != 3 {
		t.Fatalf("first key: got threshold %d, want the 3 that were decided", got)
	}
	l.publish(n, 1, 2, 3)
	l.carries(n, reshares(2))
	l.carries(n, reshares(0))
	l.performs()
	if got := l.Directory().Epochs[0].Keys.Threshold; got != 2 {
		t.Fatalf("shares: got threshold %d, want the 2 that were decided", got)
	}
	l.cannot(n, reshares(5), ErrTooFew)
}

func TestServersNumbersRunOut(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	l.nextServer = ^oprf.Index(0)
	l.cannot(n, changesServer(&wire.ServerChange{Server: n.newServer()}), ErrFull)
}

func TestARemovedAgencyNeverReturns(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.founded(t, 1), seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	l.takes(leases(signed(n, &wire.Lease{Server: 1, Agency: "denver-pd", Day: 1, Number: 1, Amount: 5})))
	l.takes(applies(n.application(denver, "denver-pd", "another desk", 2)))
	l.cannot(n, changesAgency("boulder-pd", RemoveAgency), ErrUnknownAgency)
	l.cannot(n, changesAgency("denver-pd", ReinstateAgency), ErrNoChange)
	l.cannot(n, changesAgency("denver-pd", 3), ErrMalformed)
	l.carries(n, changesAgency("denver-pd", RemoveAgency))
	l.wantStatus(denver, directory.Unknown)
	if len(l.Directory().Agencies) != 0 || len(l.pending) != 0 || len(l.accounts) != 0 {
		t.Fatal("something of the agency is left")
	}
	l.refuses(applies(n.application(denver, "denver-pd", "", 9)), ErrTaken)
	boulder := seeded("agency", 1)
	l.invite(n, boulder)
	l.refuses(applies(n.application(boulder, "denver-pd", "", 9)), ErrTaken)
	l.restart()
	l.refuses(applies(n.application(boulder, "denver-pd", "", 9)), ErrTaken)
}

func TestAReinstatedAgencyIsNotHitByWhatWasBefore(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	suspension := n.decision(l.State, 0, Suspend, denver, "key stolen")
	l.takes(decides(suspension))
	l.takes(decides(n.motion(l.State, 0, changesAgency("denver-pd", ReinstateAgency))))
	approval := n.onMotion(l.State, 1, Approve)
	l.takes(decides(approval))
	l.wantStatus(denver, directory.Active)
	l.refuses(decides(suspension), ErrStale)
	again := n.decision(l.State, 0, Suspend, denver, "stolen again")
	l.takes(decides(again))
	l.wantStatus(denver, directory.Suspended)
	l.repeats(decides(approval))
	l.restart()
	l.repeats(decides(again))
}

// A motion to reinstate that nobody approved is about one suspension.
func TestAReinstatementIsOfOneSuspension(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	l.takes(decides(n.decision(l.State, 0, Suspend, denver, "left")))
	l.takes(decides(n.motion(l.State, 0, changesAgency("denver-pd", ReinstateAgency))))
	old := n.onMotion(l.State, 1, Approve)
	l.takes(applies(n.application(denver, "denver-pd", "", 2)))
	l.approve(n, denver)
	l.takes(decides(n.decision(l.State, 0, Suspend, denver, "key stolen")))
	l.refuses(decides(old), ErrStale)
	l.wantStatus(denver, directory.Suspended)
}

func TestMotionsAreBounded(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l := n.log(t)
	for i := range MaxMotions {
		l.takes(decides(n.motion(l.State, i%2, policies(uint64(i+1)))))
	}
	l.cannot(n, policies(500), ErrFull)
	l.restart()
	if got := fmt.Sprint(l.Status().Motioned, len(l.Status().Motions)); got != "100 100" {
		t.Fatalf("got %s motions, want 100 100", got)
	}
}
