package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"interlock/crypto/oprf"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

func TestACommandReachesEveryServer(t *testing.T) {
	n := newTestnet(t, 3)
	for at := range 3 {
		command := n.application(fmt.Sprintf("agency-%d", at))
		index := n.propose(at, command)
		if index == 0 {
			t.Fatal("taken without an index")
		}
		for i := range 3 {
			n.await(i, "the application", has(command))
		}
	}
}

func TestARefusalComesFromTheLeaderAndIsNotLogged(t *testing.T) {
	n := newTestnet(t, 3)
	follower := n.others(n.leader())[0]
	command, forged, malformed := n.application("denver-pd"), n.application("boulder-pd"), n.application("aurora-pd")
	first := n.propose(follower, command)
	if again := n.propose(follower, command); again != first {
		t.Fatalf("the same application again: got index %d, want %d", again, first)
	}
	forged.GetApplication().Signature[0] ^= 1
	_, err := n.clusters[follower].Propose(n.ctx(), forged)
	if !errors.Is(err, registry.ErrBadSignature) {
		t.Fatalf("got %v, want %v", err, registry.ErrBadSignature)
	}
	malformed.GetApplication().Name = strings.Repeat("x", maxCommand)
	if _, err := n.clusters[follower].Propose(n.ctx(), malformed); !errors.Is(err, registry.ErrMalformed) {
		t.Fatalf("got %v, want %v", err, registry.ErrMalformed)
	}
	for i := range n.clusters {
		n.await(i, "the application", has(command))
		if got := n.clusters[i].Status().Applied; got != first {
			t.Fatalf("server %d: got applied %d, want %d: what was refused was logged", i+1, got, first)
		}
	}
}

func TestTheLeaderDiesAndNothingAcknowledgedIsLost(t *testing.T) {
	n := newTestnet(t, 3)
	for round := range 3 {
		dying := n.leader()
		survivors := n.others(dying)
		var mu sync.Mutex
		var acknowledged []*wire.Command
		var proposers sync.WaitGroup
		begun := make(chan struct{}, 16)
		for p := range 4 {
			at := n.clusters[survivors[p%2]]
			var commands []*wire.Command
			for k := range 4 {
				commands = append(commands, n.application(fmt.Sprintf("r%d-p%d-k%d", round, p, k)))
			}
			ctx := n.ctx()
			proposers.Go(func() {
				for _, command := range commands {
					if _, err := at.Propose(ctx, command); err != nil {
						t.Errorf("propose while the leader dies: %v", err)
						return
					}
					mu.Lock()
					acknowledged = append(acknowledged, command)
					mu.Unlock()
					begun <- struct{}{}
				}
			})
		}
		<-begun
		n.stop(dying)
		proposers.Wait()
		if len(acknowledged) != 16 {
			t.Fatalf("round %d: got %d acknowledged, want 16", round, len(acknowledged))
		}
		n.start(dying)
		for _, command := range acknowledged {
			for i := range n.clusters {
				n.await(i, "an acknowledged command", has(command))
			}
		}
	}
}

func TestAMinorityTakesNothingAndShowsWhatWas(t *testing.T) {
	n := newTestnet(t, 3)
	last := n.others(n.leader())[0]
	before, late := n.application("denver-pd"), n.application("boulder-pd")
	n.propose(last, before)
	n.await(last, "the application", has(before))
	for _, i := range n.others(last) {
		n.stop(i)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*quick.Heartbeat)
	defer cancel()
	if _, err := n.clusters[last].Propose(ctx, late); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("propose: got %v, want %v", err, ErrUnavailable)
	}
	if err := n.clusters[last].Read(ctx, func(*registry.State) {}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("read: got %v, want %v", err, ErrUnavailable)
	}
	if c := n.clusters[last]; !has(before)(c) || has(late)(c) {
		t.Fatal("the minority does not show what was")
	}
	n.start((last + 1) % 3)
	n.propose(last, late)
}

func TestALeaderThatWasCutOffReadsNothingOld(t *testing.T) {
	n := newTestnet(t, 3)
	cut := n.leader()
	majority := n.others(cut)
	command := n.application("denver-pd")
	n.partition(cut, true)
	n.propose(majority[0], command)
	brief, cancel := context.WithTimeout(context.Background(), 2*quick.Heartbeat)
	defer cancel()
	err := n.clusters[cut].Read(brief, func(*registry.State) { t.Error("read while it was cut off") })
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("read while cut off: got %v, want %v", err, ErrUnavailable)
	}
	n.partition(cut, false)
	seen := false
	if err := n.clusters[cut].Read(n.ctx(), func(s *registry.State) {
		status, _ := s.Standing(wire.Peer(command.GetApplication().Key))
		seen = status != 0
	}); err != nil || !seen {
		t.Fatalf("read after healing: got %v, seen %v", err, seen)
	}
}

func TestAReadSeesWhatAnyServerAcknowledged(t *testing.T) {
	n := newTestnet(t, 3)
	for round := range 20 {
		command := n.application(fmt.Sprintf("agency-%d", round))
		n.propose(round%3, command)
		var seen bool
		if err := n.clusters[(round+1)%3].Read(n.ctx(), func(s *registry.State) {
			status, _ := s.Standing(wire.Peer(command.GetApplication().Key))
			seen = status != 0
		}); err != nil {
			t.Fatal(err)
		}
		if !seen {
			t.Fatalf("round %d: the read does not see what was acknowledged before", round)
		}
	}
}

func TestEveryServerStopsAndTheStateIsThere(t *testing.T) {
	n := newTestnet(t, 3)
	commands := []*wire.Command{n.application("denver-pd"), n.application("boulder-pd")}
	for _, command := range commands {
		n.propose(0, command)
	}
	if err := n.clusters[0].Compact(); err != nil {
		t.Fatal(err)
	}
	late := n.application("aurora-pd")
	n.propose(1, late)
	for i := range n.clusters {
		n.stop(i)
	}
	for i := range n.clusters {
		n.start(i)
	}
	for i := range n.clusters {
		for _, command := range append(commands, late) {
			n.await(i, "what was there before", has(command))
		}
	}
}

func TestASnapshotBringsALateServerUp(t *testing.T) {
	n := newTestnet(t, 3)
	leader := n.leader()
	late := n.others(leader)[0]
	n.stop(late)
	var commands []*wire.Command
	for i := range 8 {
		commands = append(commands, n.application(fmt.Sprintf("agency-%d", i)))
		n.propose(leader, commands[i])
	}
	for _, i := range n.others(late) {
		config := n.clusters[i].raft.ReloadableConfig()
		config.TrailingLogs = 1
		if err := n.clusters[i].raft.ReloadConfig(config); err != nil {
			t.Fatal(err)
		}
		if err := n.clusters[i].Compact(); err != nil {
			t.Fatal(err)
		}
	}
	if first, err := n.clusters[leader].journal.FirstIndex(); err != nil || first < 8 {
		t.Fatalf("the log still begins at %d (%v): nothing shows that a snapshot was used", first, err)
	}
	n.start(late)
	for _, command := range commands {
		n.await(late, "the application", has(command))
	}
	want, got := n.snapshot(leader), n.snapshot(late)
	if string(got) != string(want) {
		t.Fatal("after the snapshot two servers have two states")
	}
}

func (n *testnet) snapshot(i int) (b []byte) {
	n.t.Helper()
	var err error
	n.clusters[i].View(func(s *registry.State) { b, err = s.Snapshot() })
	if err != nil {
		n.t.Fatal(err)
	}
	return b
}

func TestALeaderStepsDownWithoutAnElection(t *testing.T) {
	n := newTestnet(t, 3)
	was := n.leader()
	if err := n.clusters[was].StepDown(n.ctx()); err != nil {
		t.Fatal(err)
	}
	n.await(was, "another leader", func(c *Cluster) bool { s := c.Status(); return s.Leader != 0 && !s.Leading })
	follower := n.others(n.leader())[0]
	if err := n.clusters[follower].StepDown(n.ctx()); err != nil {
		t.Fatalf("a follower has nothing to hand over: %v", err)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	first, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(dir); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("got %v, want %v with the folder", err, ErrInUse)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestAServerThatLostItsLogDoesNotVoteAgain(t *testing.T) {
	n := newTestnet(t, 3)
	n.propose(0, n.application("denver-pd"))
	if err := n.clusters[2].Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(n.dirs[2], logFolder)); err != nil {
		t.Fatal(err)
	}
	if _, err := n.open(2); !errors.Is(err, ErrStateLost) {
		t.Fatalf("got %v, want %v", err, ErrStateLost)
	}
}

func TestAFolderBelongsToOneNetwork(t *testing.T) {
	n := newTestnet(t, 3)
	if err := n.clusters[2].Close(); err != nil {
		t.Fatal(err)
	}
	n.genesis.Nonce = []byte(strings.Repeat("x", 32))
	if _, err := n.open(2); !errors.Is(err, ErrOtherNetwork) {
		t.Fatalf("got %v, want %v", err, ErrOtherNetwork)
	}
}

func TestAKeyIsOneServers(t *testing.T) {
	n := newTestnet(t, 3)
	if err := n.clusters[2].Close(); err != nil {
		t.Fatal(err)
	}
	folder, err := Claim(n.dirs[2])
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := folder.Release(); err != nil {
			t.Error(err)
		}
	}()
	for _, self := range []oprf.Index{0, 2, 4} {
		_, err := Open(Options{Folder: folder, Host: n.hosts[2], Genesis: n.genesis, Self: self, Timing: quick})
		if err == nil {
			t.Fatalf("server 3's key was taken for server %d", self)
		}
	}
}

func TestNobodyButServersReplicates(t *testing.T) {
	n := newTestnet(t, 3)
	stranger, err := link.New(link.Options{Key: newKey(t), Roles: n.roles(0)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stranger.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := stranger.SetAddresses(n.peer(0), n.addresses[0]); err != nil {
		t.Fatal(err)
	}
	for _, p := range []wire.Protocol{wire.ProtocolRaft, wire.ProtocolPropose} {
		var refusal *wire.Refusal
		if _, err := stranger.Open(n.ctx(), n.peer(0), p); !errors.As(err, &refusal) || refusal.Code != wire.CodeRefused || refusal.By != "peer" {
			t.Fatalf("%s: got %v, want refused by the peer", p.ID, err)
		}
	}
}

func TestClosedClustersSaySo(t *testing.T) {
	n := newTestnet(t, 3)
	c := n.clusters[1]
	waiting := make(chan error, 1)
	command := n.application("denver-pd")
	n.stop(0)
	n.stop(2)
	go func() {
		_, err := c.Propose(context.Background(), command)
		waiting <- err
	}()
	n.stop(1)
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v, want %v", err, ErrClosed)
	}
	if err := c.Close(); err != nil {
		t.Fatalf("closing again: %v", err)
	}
}

func TestTheLogHoldsNoNamesAndNoKeys(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	n.stop(n.leader())
	for i, c := range n.clusters {
		if c != nil {
			n.await(i, "the application", has(command))
		}
	}
	logged := n.log.String()
	if !strings.Contains(logged, "raft") {
		t.Fatal("raft logged nothing: the test shows nothing")
	}
	secrets := []string{"Secret Name", "denver-pd", hex.EncodeToString(command.GetApplication().Key)}
	for i := range n.keys {
		secrets = append(secrets, string(addressOf(n.peer(i))))
	}
	for _, secret := range secrets {
		if strings.Contains(logged, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestDefaultTimingIsRafts(t *testing.T) {
	for _, timing := range []Timing{{}, quick} {
		config := timing.orDefault().config("self", bridge(nil, newRoster().named))
		if err := raft.ValidateConfig(config); err != nil {
			t.Fatal(err)
		}
	}
}
