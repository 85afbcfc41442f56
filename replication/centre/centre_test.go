package centre

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"interlock/crypto/oprf"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

func TestTheLeaderDiesDuringEnrolment(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	dying := n.leader(0)
	survivor := n.others(dying)[0]
	denver, boulder := n.invited("denver-pd"), n.invited("boulder-pd")
	denver.applies(survivor)
	answered := make(chan error, 1)
	go func() {
		m, err := boulder.admission(survivor, boulder.application(""))
		if err == nil && directory.Status(m.Status) != directory.Pending {
			err = fmt.Errorf("status %d: %s", m.Status, m.Refusal)
		}
		answered <- err
	}()
	n.stop(dying, (*Server).Kill)
	if err := <-answered; err != nil {
		t.Fatalf("the application that was under way: %v", err)
	}
	for _, id := range []directory.AgencyID{"denver-pd", "boulder-pd"} {
		n.decide("alice", Approve, id, "")
		n.decide("bob", Approve, id, "")
	}
	n.start(dying)
	for i := range n.servers {
		denver.awaitActive(i)
		boulder.awaitActive(i)
	}
}

func TestEveryServerIsKilledInTurnAndTogether(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	for i := range n.servers {
		n.stop(i, (*Server).Kill)
		n.start(i)
		denver.awaitActive(i)
	}
	boulder := n.invited("boulder-pd")
	boulder.applies(2)
	n.decide("bob", Approve, "boulder-pd", "")
	for i := range n.servers {
		n.stop(i, (*Server).Kill)
	}
	for i := range n.servers {
		n.start(i)
	}
	for i := range n.servers {
		denver.awaitActive(i)
	}
	n.decide("alice", Approve, "boulder-pd", "")
	boulder.awaitActive(0)
}

func TestAMinorityShowsTheDirectoryAndNothingElse(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	alone := 1
	denver.awaitActive(alone)
	for _, i := range n.others(alone) {
		n.stop(i, (*Server).Kill)
	}
	shown := n.servers[alone].published.directory().Version
	request, _ := denver.blind(alone, []oprf.Index{2, 3}, "j.doe@example.org")
	for _, when := range []string{"left alone", "restarted alone"} {
		n.await(alone, "the leader to be gone", func(*registry.State) bool { return n.servers[alone].Status().Leader == 0 })
		if d := denver.follows(alone); d.Version != shown {
			t.Fatalf("%s: got version %d, want %d", when, d.Version, shown)
		}
		var answer wire.EvaluateResponse
		wantRefusal(t, when+": evaluation", denver.askOnce(alone, wire.ProtocolEvaluate, request, &answer), wire.CodeUnavailable)
		stranger := n.client("boulder-pd")
		err := stranger.askOnce(alone, wire.ProtocolAdmission, &wire.AdmissionRequest{}, &wire.AdmissionResponse{})
		wantRefusal(t, when+": standing of a stranger", err, wire.CodeUnavailable)
		n.stop(alone, (*Server).Kill)
		n.start(alone)
	}
}

func TestASecondProcessOnOneFolderIsRefused(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	if _, err := Start(n.ctx(), n.options(0)); !errors.Is(err, cluster.ErrInUse) {
		t.Fatalf("got %v, want %v", err, cluster.ErrInUse)
	}
	request, _ := denver.blind(0, []oprf.Index{1, 2}, "j.doe@example.org")
	if err := denver.ask(0, wire.ProtocolEvaluate, request, &wire.EvaluateResponse{}); err != nil {
		t.Fatalf("the first process: %v", err)
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	n.stop(0, (*Server).Close)
	o := n.options(0)
	o.Config.Listen = n.network.Servers[1].Addresses
	_, err := Start(n.ctx(), o)
	if !errors.Is(err, link.ErrAddressInUse) || !strings.Contains(err.Error(), o.Config.Listen[0]) {
		t.Fatalf("got %v, want %v with the address", err, link.ErrAddressInUse)
	}
	n.start(0)
}

func TestARunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	n := found(t, 1)
	n.stop(0, (*Server).Close)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	o := n.options(0)
	go func() { done <- Run(ctx, o) }()
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestTheLogHoldsNoNamesAndNoKeys(t *testing.T) {
	t.Parallel()
	n := found(t, 3)
	denver := n.enrolled("denver-pd")
	request, _ := denver.blind(0, []oprf.Index{1, 2}, "j.doe@example.org")
	if err := denver.ask(0, wire.ProtocolEvaluate, request, &wire.EvaluateResponse{}); err != nil {
		t.Fatal(err)
	}
	n.decide("bob", Suspend, "denver-pd", "secret reason")
	n.stop(n.leader(0), (*Server).Kill)
	logged := n.log.String()
	if !strings.Contains(logged, "evaluated") {
		t.Fatal("nothing was logged: the test shows nothing")
	}
	peer := denver.peer()
	secrets := []string{"Secret Name", "denver-pd", "secret reason", "alice", hex.EncodeToString(peer[:]), hex.EncodeToString(request.Blinded)}
	for _, s := range n.network.Servers {
		secrets = append(secrets, hex.EncodeToString(s.Key[:]))
	}
	for _, secret := range secrets {
		if strings.Contains(logged, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
