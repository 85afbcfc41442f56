package registry

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

func TestTwoOperatorsAdmitAnAgency(t *testing.T) {
	n := newNetwork(t, 3, 3)
	l, denver := n.log(t), seeded("agency", 0)
	l.wantStatus(denver, directory.Unknown)
	l.invite(n, denver)
	l.takes(applies(n.application(denver, "denver-pd", "desk", 1)))
	l.wantStatus(denver, directory.Pending)

	l.takes(decides(n.decision(l.State, 0, Approve, denver, "")))
	l.wantStatus(denver, directory.Pending)
	if got := len(l.Directory().Agencies); got != 0 {
		t.Fatalf("after one approval: got %d agencies in the directory, want none", got)
	}
	l.takes(decides(n.decision(l.State, 2, Approve, denver, "")))
	l.wantStatus(denver, directory.Active)
	d := l.Directory()
	if a, ok := d.Agency("denver-pd"); !ok || a.Status != directory.Active || a.Key != wire.PeerOf(denver) || a.Contact != "desk" {
		t.Fatalf("directory: got %+v", d.Agencies)
	}
}

func TestFourEyesAreOfTwoPeople(t *testing.T) {
	n := newNetwork(t, 3, 3)
	l, denver := n.log(t), seeded("agency", 0)
	l.invite(n, denver)
	l.takes(applies(n.application(denver, "denver-pd", "", 1)))
	first := n.decision(l.State, 0, Approve, denver, "")
	l.takes(decides(first))

	again := clone(first)
	again.Time = 99
	l.refuses(decides(n.sign(0, again)), ErrSameOperator)

	second := n.decision(l.State, 1, Approve, denver, "")
	forged := clone(second)
	forged.Signature[10] ^= 1
	l.refuses(decides(forged), ErrBadSignature)

	borrowed := clone(first)
	borrowed.Operator = second.Operator
	l.refuses(decides(borrowed), ErrBadSignature)

	outsider, err := SignDecision(denver, second)
	if err != nil {
		t.Fatal(err)
	}
	l.refuses(decides(outsider), ErrNotOperator)

	elsewhere := clone(second)
	elsewhere.Genesis = make([]byte, 32)
	l.refuses(decides(n.sign(1, elsewhere)), ErrWrongNetwork)
	l.wantStatus(denver, directory.Pending)
}

func TestTheSameDecisionOnceMoreIsOneDecision(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver, boulder := n.log(t), seeded("agency", 0), seeded("agency", 1)
	l.invite(n, denver, boulder)
	l.takes(applies(n.application(denver, "denver-pd", "", 1)))
	l.takes(applies(n.application(boulder, "boulder-pd", "", 1)))
	decisions := []*wire.Decision{n.decision(l.State, 0, Approve, denver, ""), n.decision(l.State, 1, Approve, denver, "")}
	decisions = append(decisions, n.decision(l.State, 1, Refuse, boulder, "not known to us"))
	for _, d := range decisions {
		l.takes(decides(d))
	}
	suspension := n.decision(l.State, 0, Suspend, denver, "left")
	l.takes(decides(suspension))
	before := l.snapshot()
	for _, d := range append(decisions, suspension) {
		l.takes(decides(d))
	}
	if string(l.snapshot()) != string(before) {
		t.Fatal("repeating the decisions changed the state")
	}
}

func TestAChangedApplicationLosesItsApprovals(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	l.invite(n, denver)
	l.takes(applies(n.application(denver, "denver-pd", "", 5)))
	early := n.decision(l.State, 1, Approve, denver, "")
	l.takes(decides(n.decision(l.State, 0, Approve, denver, "")))
	l.takes(applies(n.application(denver, "denver-pd", "another desk", 6)))
	l.refuses(decides(early), ErrStale)

	mixed := n.decision(l.State, 1, Approve, denver, "")
	mixed.Application = early.Application
	l.refuses(decides(n.sign(1, mixed)), ErrWrongHash)

	// The application from before, replayed, does not come back.
	l.refuses(applies(n.application(denver, "denver-pd", "", 5)), ErrStale)

	l.takes(decides(n.decision(l.State, 1, Approve, denver, "")))
	l.wantStatus(denver, directory.Pending)
	l.takes(decides(n.decision(l.State, 0, Approve, denver, "")))
	l.wantStatus(denver, directory.Active)
}

func TestNoDecisionOutlivesWhatItDecided(t *testing.T) {
	n := newNetwork(t, 3, 3)
	l, denver := n.log(t), seeded("agency", 0)
	application := n.application(denver, "denver-pd", "", 1)
	l.invite(n, denver)
	l.takes(applies(application))
	late := n.decision(l.State, 2, Approve, denver, "")
	var old []*wire.Decision
	for operator := range 2 {
		old = append(old, n.decision(l.State, operator, Approve, denver, ""))
		l.takes(decides(old[operator]))
	}
	l.refuses(decides(late), ErrAlreadyActive)
	suspension := n.decision(l.State, 0, Suspend, denver, "left")
	l.takes(decides(suspension))

	// The suspended agency cannot come back with what was approved once.
	l.refuses(decides(late), ErrStale)
	l.refuses(applies(application), ErrStale)
	l.takes(applies(n.application(denver, "denver-pd", "", 2)))
	l.refuses(decides(late), ErrStale)
	for _, d := range old {
		l.refuses(decides(d), ErrStale)
	}
	l.takes(decides(n.decision(l.State, 1, Approve, denver, "")))
	l.takes(decides(n.decision(l.State, 2, Approve, denver, "")))
	l.wantStatus(denver, directory.Active)
	// And the suspension from before does not hit it again.
	l.refuses(decides(suspension), ErrStale)
}

func TestSuspensionDropsApprovalsUnderWay(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	l.takes(applies(n.application(denver, "denver-pd", "another desk", 2)))
	second := n.decision(l.State, 1, Approve, denver, "")
	l.takes(decides(n.decision(l.State, 0, Approve, denver, "")))
	l.takes(decides(n.decision(l.State, 0, Suspend, denver, "key stolen")))
	l.refuses(decides(second), ErrStale)
	l.wantStatus(denver, directory.Suspended)
}

func TestAnActiveAgencyChangesItsDetailsUnderFourEyes(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	l.refuses(applies(n.application(denver, "denver-pd", "", 9)), ErrAlreadyActive)
	l.takes(applies(n.application(denver, "denver-pd", "another desk", 9)))
	l.wantStatus(denver, directory.Active)
	l.takes(decides(n.decision(l.State, 0, Approve, denver, "")))
	l.takes(decides(n.decision(l.State, 1, Approve, denver, "")))
	if a, _ := l.Agency(wire.PeerOf(denver)); a.Contact != "another desk" {
		t.Fatalf("got contact %q, want the new one", a.Contact)
	}
}

func TestAnIDAndAKeyBelongToOneAgency(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver, thief := n.log(t), seeded("agency", 0), seeded("agency", 1)
	// Before anybody is admitted both may ask: a stranger cannot occupy an id.
	l.invite(n, thief)
	l.takes(applies(n.application(thief, "denver-pd", "", 1)))
	l.admit(n, denver, "denver-pd", 1)
	l.wantStatus(thief, directory.Unknown)
	l.refuses(applies(n.application(thief, "denver-pd", "", 2)), ErrTaken)
	l.refuses(applies(n.application(denver, "denver-two", "", 2)), ErrTaken)
	l.refuses(applies(n.application(n.operators[0], "oscar", "", 2)), ErrTaken)
	l.refuses(applies(n.application(n.servers[0], "server", "", 2)), ErrTaken)
	l.takes(decides(n.decision(l.State, 0, Suspend, denver, "left")))
	l.refuses(applies(n.application(thief, "denver-pd", "", 3)), ErrTaken)
}

func TestARefusedApplicantLearnsWhy(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	application := n.application(denver, "denver-pd", "", 1)
	l.invite(n, denver)
	l.takes(applies(application))
	l.refuses(decides(n.decision(l.State, 0, Refuse, denver, "")), ErrNoReason)
	l.refuses(decides(n.decision(l.State, 0, Refuse, denver, "two\nlines")), ErrNoReason)
	l.takes(decides(n.decision(l.State, 0, Refuse, denver, "wrong contact")))
	if status, reason := l.Standing(wire.PeerOf(denver)); status != directory.Refused || reason != "wrong contact" {
		t.Fatalf("standing: got %s, %q", status, reason)
	}
	l.refuses(applies(application), ErrAlreadyRefused)
	l.takes(applies(n.application(denver, "denver-pd", "right contact", 1)))
	l.wantStatus(denver, directory.Pending)
}

func TestOneOperatorSuspends(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	unknown := n.sign(0, &wire.Decision{Verb: uint32(Suspend), Agency: "denver-pd", Reason: "x", Genesis: n.hash[:], Application: make([]byte, 32)})
	l.refuses(decides(unknown), ErrUnknownAgency)
	l.admit(n, denver, "denver-pd", 1)
	l.takes(decides(n.decision(l.State, 1, Suspend, denver, "key stolen")))
	if status, reason := l.Standing(wire.PeerOf(denver)); status != directory.Suspended || reason != "key stolen" {
		t.Fatalf("standing: got %s, %q", status, reason)
	}
	l.refuses(decides(n.decision(l.State, 0, Suspend, denver, "key stolen")), ErrAlreadySuspended)
	if a, ok := l.Directory().Agency("denver-pd"); !ok || a.Status != directory.Suspended {
		t.Fatalf("directory: got %v %s, want suspended", ok, a.Status)
	}
}

func TestAMajorityPublishes(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	if l.Published() != nil {
		t.Fatal("published before anybody endorsed")
	}
	l.takes(endorses(n.endorsement(l.State, 2)))
	if l.Published() != nil {
		t.Fatal("published by one of three")
	}
	l.takes(endorses(n.endorsement(l.State, 0)))
	l.wantPublished(1, 2)
	l.takes(endorses(n.endorsement(l.State, 1)))
	l.wantPublished(1, 3)

	first := n.endorsement(l.State, 0)
	l.admit(n, denver, "denver-pd", 1)
	l.wantPublished(1, 3)
	l.refuses(endorses(first), ErrStale)
	first.Version = l.Version()
	l.refuses(endorses(first), ErrBadSignature)
	wrong := n.endorsement(l.State, 0)
	wrong.Endorsement.Server = 2
	l.refuses(endorses(wrong), ErrBadSignature)
	wrong.Endorsement.Server = 4
	l.refuses(endorses(wrong), ErrUnknownServer)
	future := n.endorsement(l.State, 0)
	future.Version++
	l.refuses(endorses(future), ErrMalformed)

	l.takes(endorses(n.endorsement(l.State, 0)))
	l.takes(endorses(n.endorsement(l.State, 0)))
	l.wantPublished(1, 3)
	l.takes(endorses(n.endorsement(l.State, 1)))
	l.wantPublished(l.Version(), 2)
}

func (l *log) wantPublished(version uint64, endorsements int) {
	l.t.Helper()
	trusted := l.Trusted()
	if n := len(l.handovers); n > 0 && proto.Equal(l.handovers[n-1], l.Published()) {
		trusted = l.before
	}
	d, err := trusted.Verify(l.Published())
	if err != nil {
		l.t.Fatal(err)
	}
	if d.Version != version || len(l.Published().Endorsements) != endorsements {
		l.t.Fatalf("published: got version %d by %d, want %d by %d", d.Version, len(l.Published().Endorsements), version, endorsements)
	}
}

func TestMalformedCommandsAreRefused(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	l.invite(n, denver)
	l.takes(applies(n.application(denver, "denver-pd", "", 1)))
	decision := n.decision(l.State, 0, Approve, denver, "")
	withDecision := func(change func(*wire.Decision)) *wire.Command {
		d := clone(decision)
		change(d)
		return decides(n.sign(0, d))
	}
	unsigned := n.application(seeded("agency", 1), "boulder-pd", "", 1)
	unsigned.Signature = nil
	nameless := n.application(seeded("agency", 1), "boulder-pd", "", 1)
	nameless.Name = ""
	elsewhere := n.application(seeded("agency", 1), "boulder-pd", "", 1)
	elsewhere.Genesis = make([]byte, 32)
	rows := []struct {
		name    string
		command *wire.Command
		want    Refusal
	}{
		{"nothing", &wire.Command{Time: 1}, ErrMalformed},
		{"no application", applies(nil), ErrMalformed},
		{"no decision", decides(nil), ErrMalformed},
		{"no endorsement", endorses(nil), ErrMalformed},
		{"empty endorsement", endorses(&wire.EndorseVersion{Version: 1}), ErrMalformed},
		{"verb 0", withDecision(func(d *wire.Decision) { d.Verb = 0 }), ErrMalformed},
		{"verb 7", withDecision(func(d *wire.Decision) { d.Verb = 7 }), ErrMalformed},
		{"short hash", withDecision(func(d *wire.Decision) { d.Application = d.Application[:31] }), ErrMalformed},
		{"other id", withDecision(func(d *wire.Decision) { d.Agency = "boulder-pd" }), ErrWrongHash},
		{"unsigned application", applies(unsigned), ErrBadSignature},
		{"nameless application", applies(nameless), ErrMalformed},
		{"other network", applies(elsewhere), ErrWrongNetwork},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			l.t = t
			l.refuses(row.command, row.want)
		})
	}
}

func TestApplicationsAreBounded(t *testing.T) {
	n := newNetwork(t, 1, 2)
	l := n.log(t)
	for i := range MaxPending {
		l.invite(n, seeded("flood", i))
		l.takes(applies(n.application(seeded("flood", i), fmt.Sprintf("flood-%d", i), "", 1)))
	}
	l.refuses(applies(n.application(seeded("agency", 0), "denver-pd", "", 1)), ErrFull)
	l.refuses(applies(n.application(seeded("flood", 7), "denver-pd", "", 1)), ErrStale)
	l.takes(applies(n.application(seeded("flood", 7), "denver-pd", "", 2)))
	if got := len(l.pending); got != MaxPending {
		t.Fatalf("pending: got %d, want %d", got, MaxPending)
	}
}

func TestOldRefusalsAreForgottenFirst(t *testing.T) {
	n := newNetwork(t, 1, 2)
	l := n.log(t)
	for i := range MaxRefused {
		l.invite(n, seeded("flood", i))
		l.takes(applies(n.application(seeded("flood", i), "flood", "", 1)))
		l.takes(decides(n.decision(l.State, 0, Refuse, seeded("flood", i), "not an agency")))
	}
	denver := seeded("agency", 0)
	l.invite(n, denver)
	l.takes(applies(n.application(denver, "denver-pd", "", 1)))
	l.takes(decides(n.decision(l.State, 0, Refuse, denver, "wrong contact")))
	l.wantStatus(denver, directory.Refused)
	l.wantStatus(seeded("flood", 0), directory.Unknown)
	l.wantStatus(seeded("flood", 1), directory.Refused)
}

func TestTheApplicantsBytesCannotChangeTheState(t *testing.T) {
	n := newNetwork(t, 3, 2)
	l, denver := n.log(t), seeded("agency", 0)
	m := n.application(denver, "denver-pd", "", 1)
	l.invite(n, denver)
	l.takes(applies(m))
	before := l.snapshot()
	m.Name = "changed"
	m.Key[0] ^= 1
	if diff := cmp.Diff(before, l.snapshot()); diff != "" {
		t.Fatalf("the caller's message is part of the state: %s", diff)
	}
}

func TestAFullListKeepsNoMemberFromChangingItsAddress(t *testing.T) {
	n := newNetwork(t, 1, 2)
	l := n.log(t)
	denver := seeded("agency", 0)
	l.admit(n, denver, "denver-pd", 1)
	for i := range MaxPending {
		l.invite(n, seeded("flood", i))
		l.takes(applies(n.application(seeded("flood", i), fmt.Sprintf("flood-%d", i), "", 1)))
	}
	l.takes(applies(n.application(denver, "denver-pd", "another desk", 2)))
	l.restart()
}
