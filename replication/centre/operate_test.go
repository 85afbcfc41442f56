package centre

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

func TestDecisionsComeFromTheirOwnKey(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	n.invited("denver-pd").applies(0)
	alice, bob := n.operator("alice"), n.operator("bob")
	status, err := alice.Status(n.ctx())
	if err != nil {
		t.Fatal(err)
	}
	subject := status.Pending[0]
	d, err := registry.SignDecision(alice.keys.Signing, &wire.Decision{
		Verb: uint32(Approve), Agency: "denver-pd", Application: subject.Hash[:], Number: subject.Number, Genesis: n.network.Genesis[:],
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bob.ask(n.ctx(), &wire.OperateRequest{Decision: d})
	wantRefusal(t, "a decision by somebody else", err, wire.CodeForged)
}

func TestTwoApplicantsForOneIDAreToldApart(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver, thief := n.invited("denver-pd"), n.invited("denver-pd")
	thief.applies(0)
	denver.applies(0)
	alice := n.operator("alice")
	if err := alice.Decide(n.ctx(), Approve, "denver-pd", ""); !errors.Is(err, ErrAmbiguous) {
		t.Fatalf("got %v, want %v", err, ErrAmbiguous)
	}
	status, err := alice.Status(n.ctx())
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range status.Pending {
		got, err := status.Find(Approve, "denver-pd", hex.EncodeToString(subject.Hash[:6]))
		if err != nil || got.Agency.Key != subject.Agency.Key {
			t.Fatalf("by hash: got %v, %v", got.Agency.Key, err)
		}
	}
	if err := alice.Decide(n.ctx(), Approve, "boulder-pd", ""); !errors.Is(err, ErrNoSubject) {
		t.Fatalf("got %v, want %v", err, ErrNoSubject)
	}
}

func TestADecisionIsConfirmedByWhatAMajoritySigned(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	n.invited("denver-pd").applies(0)
	alice, bob := n.operator("alice"), n.operator("bob")
	for _, o := range []*Operator{alice, bob} {
		if err := o.Decide(n.ctx(), Approve, "denver-pd", ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := alice.Confirm(n.ctx(), "denver-pd", directory.Active); err != nil {
		t.Fatalf("an approval: %v", err)
	}
	ctx, cancel := context.WithTimeout(n.ctx(), 200*time.Millisecond)
	defer cancel()
	if err := alice.Confirm(ctx, "denver-pd", directory.Suspended); !errors.Is(err, ErrUnconfirmed) {
		t.Fatalf("what nobody decided: got %v, want %v", err, ErrUnconfirmed)
	}
	if err := bob.Decide(n.ctx(), Suspend, "denver-pd", "key lost"); err != nil {
		t.Fatal(err)
	}
	if err := bob.Confirm(n.ctx(), "denver-pd", directory.Suspended); err != nil {
		t.Fatalf("a suspension: %v", err)
	}
}

func TestAMinorityTakesNoDecision(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	n.invited("denver-pd").applies(0)
	n.stop(1, (*Server).Kill)
	n.stop(2, (*Server).Kill)
	n.await(0, "the leader to be gone", func(*registry.State) bool { return n.servers[0].Status().Leader == 0 })
	alice := n.operator("alice")
	status, err := alice.Status(n.ctx())
	if err != nil || status.Leader != "" || len(status.Pending) != 1 {
		t.Fatalf("status: got %+v, %v, want the old state without a leader", status, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*QuickTiming().Heartbeat)
	defer cancel()
	if _, err := alice.DecideOn(ctx, Approve, status.Pending[0], ""); err == nil {
		t.Fatal("a minority took a decision")
	}
	n.start(1)
	n.decide("bob", Approve, "denver-pd", "")
}
