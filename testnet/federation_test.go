package testnet

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"interlock/crypto/vault"
	"interlock/node/desk"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/centre"
)

func TestBothAgenciesAreAlerted(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "aurora-pd")})
	denver, boulder, aurora := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("aurora-pd")
	pastes(t, denver, opens(t, denver, "D-1"), "He writes from J.Doe@Example.ORG and calls from 416-555-0142.")
	pastes(t, boulder, opens(t, boulder, "B-1"), "j.doe [at] example [dot] org, tel:+14165550142")
	pastes(t, aurora, opens(t, aurora, "A-1"), "j.doe2@example.org")
	settleAndCheck(t, net)
	if d, b, a := alerts(t, denver), alerts(t, boulder), alerts(t, aurora); d != 1 || b != 1 || a != 0 {
		t.Errorf("alerts at denver, boulder, aurora: %d %d %d, want 1 1 0", d, b, a)
	}
}

func TestAPartitionDuringImportHealsIntoTheSameAlerts(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so")})
	denver, boulder := net.Agency("denver-pd"), net.Agency("boulder-so")
	d, b := opens(t, denver, "D-1"), opens(t, boulder, "B-1")
	for n := range 12 {
		switch n {
		case 3, 8:
			net.Partition(denver, boulder)
		case 6:
			net.Heal(denver, boulder)
		}
		pastes(t, denver, d, fmt.Sprintf("met.%d@example.org alone.d%d@example.org", n, n))
		pastes(t, boulder, b, fmt.Sprintf("met.%d@example.org alone.b%d@example.org", 11-n, n))
	}
	if got := alerts(t, denver); got > 1 {
		t.Errorf("%d alerts at denver, want at most the one pair of cases", got)
	}
	net.Heal(denver, boulder)
	settleAndCheck(t, net)
	list, err := denver.Alerts()
	if err != nil || len(list) != 1 || len(list[0].Grounds) != 12 {
		t.Errorf("denver has %d alerts, %v; want one on 12 grounds", len(list), err)
	}
}

func TestNodesGoOnWhileTheRegistryIsDown(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so")})
	denver, boulder := net.Agency("denver-pd"), net.Agency("boulder-so")
	d, b := opens(t, denver, "D-1"), opens(t, boulder, "B-1")
	pastes(t, denver, d, "known@example.org, early@example.org")
	settleAndCheck(t, net) // a token that is late is had by now
	for _, s := range net.Servers() {
		stop(t, s)
	}
	// A new token cannot be had; everything else goes on, a restart included.
	if got := pastes(t, boulder, b, "early@example.org"); got != (desk.Saved{Added: 1, Waiting: 1}) {
		t.Errorf("saved %+v, want one added that waits", got)
	}
	stop(t, boulder)
	start(t, boulder)
	if err := net.AwaitLinked(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := opens(t, denver, "D-2")
	if got := pastes(t, denver, second, "known@example.org"); got != (desk.Saved{Added: 1}) {
		t.Errorf("saved %+v, want one added whose token is there", got)
	}
	if got := alerts(t, boulder); got != 0 {
		t.Errorf("%d alerts without a token, want none", got)
	}
	for _, s := range net.Servers() {
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
	}
	settleAndCheck(t, net)
	if d, b := alerts(t, denver), alerts(t, boulder); d != 1 || b != 1 {
		t.Errorf("alerts at denver and boulder: %d %d, want one each", d, b)
	}
}

func TestOneServerMayBeDownAndALeaderMayDieDuringEnrolment(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd")})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	leader, err := net.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	boulder, err := net.enrol(ctx, Members("boulder-so")[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Decide(ctx, operators[0], centre.Approve, "boulder-so", ""); err != nil {
		t.Fatal(err)
	}
	stop(t, leader)
	if err := net.Decide(ctx, operators[1], centre.Approve, "boulder-so", ""); err != nil {
		t.Fatal(err)
	}
	net.agencies = append(net.agencies, boulder)
	start(t, boulder)
	if err := net.AwaitLinked(ctx); err != nil {
		t.Fatal(err)
	}
	denver := net.Agency("denver-pd")
	pastes(t, denver, opens(t, denver, "D-1"), "j.doe@example.org")
	pastes(t, boulder, opens(t, boulder, "B-1"), "j.doe@example.org")
	settleAndCheck(t, net) // with two of three servers nothing goes on waiting for its token
	if got := alerts(t, boulder); got != 1 {
		t.Errorf("%d alerts at boulder, want 1", got)
	}
}

func TestASuspendedMemberIsCutOffAndMatchesNothingMore(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so", "aurora-pd")})
	denver, boulder, aurora := net.Agency("denver-pd"), net.Agency("boulder-so"), net.Agency("aurora-pd")
	b := opens(t, boulder, "B-1")
	pastes(t, boulder, b, "before@example.org, later@example.org")
	settleAndCheck(t, net)
	if err := net.Decide(t.Context(), operators[0], centre.Suspend, "boulder-so", "key lost"); err != nil {
		t.Fatal(err)
	}
	err := net.await(t.Context(), "boulder cut off", func() (bool, error) {
		for _, a := range []*Agency{denver, aurora} {
			if a.Node().Host().Connected(boulder.Peer()) || a.Node().Directory().Version < 4 {
				return false, nil
			}
		}
		return boulder.Node().Status().Standing == directory.Suspended, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	pastes(t, denver, opens(t, denver, "D-1"), "before@example.org")
	pastes(t, boulder, b, "new@example.org")
	pastes(t, aurora, opens(t, aurora, "A-1"), "before@example.org, new@example.org")
	settleAndCheck(t, net)
	if d, s, a := alerts(t, denver), alerts(t, boulder), alerts(t, aurora); d != 1 || s != 0 || a != 1 {
		t.Errorf("alerts at denver, boulder, aurora: %d %d %d, want 1 0 1 (denver and aurora with each other)", d, s, a)
	}
}

// TestAServerThatIsCutOffKeepsNoSuspensionFromTheNodes: it still shows its old
// directory to every node, and the others have a newer one.
func TestAServerThatIsCutOffKeepsNoSuspensionFromTheNodes(t *testing.T) {
	for cut := range 3 {
		t.Run(fmt.Sprintf("server %d", cut+1), func(t *testing.T) {
			net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so")})
			denver, boulder := net.Agency("denver-pd"), net.Agency("boulder-so")
			for other := range 3 {
				if other != cut {
					net.Partition(net.Servers()[cut], net.Servers()[other])
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := net.Decide(ctx, operators[0], centre.Suspend, "boulder-so", "key lost"); err != nil {
				t.Fatal(err)
			}
			err := net.await(ctx, "boulder cut off", func() (bool, error) {
				return !denver.Node().Host().Connected(boulder.Peer()), nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAStrangerGetsNothingButAClosedStream opens every protocol at a node and
// at a registry server, as a host that is no member.
func TestAStrangerGetsNothingButAClosedStream(t *testing.T) {
	net := Start(t, Plan{Agencies: Members("denver-pd", "boulder-so")})
	denver, boulder := net.Agency("denver-pd"), net.Agency("boulder-so")
	keys, err := vault.GenerateKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := link.New(link.Options{Key: keys.Signing, Log: discard(), Roles: func(wire.Peer) wire.Role { return wire.Member | wire.RegistryServer }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stranger.Close(); err != nil {
			t.Error(err)
		}
	})
	server := net.Servers()[0]
	at := map[string]struct {
		peer      wire.Peer
		addresses []string
	}{
		"node":     {denver.Peer(), denver.Node().Addresses()},
		"registry": {server.Peer(), server.Addresses()},
	}
	protocols := []wire.Protocol{
		wire.ProtocolFeed, wire.ProtocolEvaluate, wire.ProtocolDirectory, wire.ProtocolOperate, wire.ProtocolPropose, wire.ProtocolRaft,
		{ID: "/ipfs/id/1.0.0"}, {ID: "/ipfs/ping/1.0.0"},
	}
	for name, host := range at {
		if err := stranger.SetAddresses(host.peer, host.addresses); err != nil {
			t.Fatal(err)
		}
		for _, p := range protocols {
			p.Frame, p.Idle = 1<<20, patience
			s, err := stranger.Open(t.Context(), host.peer, p)
			if err == nil {
				err = errors.Join(s.Send(&wire.FollowDirectory{}), s.Receive(&wire.DirectoryUpdate{}))
			}
			var timeout interface{ Timeout() bool }
			if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("%s answers a stranger on %s: %v", name, p.ID, err)
			}
		}
	}
	// The same addresses answer whoever may ask, so it is not they that are wrong.
	member, err := boulder.Node().Host().Open(t.Context(), denver.Peer(), wire.ProtocolFeed)
	if err != nil {
		t.Fatalf("a member is refused: %v", err)
	}
	member.Reset(wire.CodeNone)
	var resp wire.AdmissionResponse
	err = net.await(t.Context(), "an answer to an applicant", func() (bool, error) {
		resp = wire.AdmissionResponse{}
		s, err := stranger.Open(t.Context(), server.Peer(), wire.ProtocolAdmission)
		if err == nil {
			err = errors.Join(s.Send(&wire.AdmissionRequest{}), s.Receive(&resp))
		}
		var r *wire.Refusal
		if errors.As(err, &r) && r.Code == wire.CodeUnavailable {
			return false, nil // the servers elect a leader
		}
		return true, err
	})
	if err != nil || resp.Status != uint32(directory.Unknown) || resp.Directory != nil || len(resp.Secrets) > 0 {
		t.Errorf("an applicant's question is answered with status %d, %v; want unknown and nothing else", resp.Status, err)
	}
}
