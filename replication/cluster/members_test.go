package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// addServer has server i, which join made, added to the network.
func (n *testnet) addServer(at, i int) {
	n.t.Helper()
	peer := n.peer(i)
	n.carry(at, &wire.ServerChange{Server: &wire.Server{
		Name: "Another", Key: peer[:], Addresses: n.addresses[i], Recipient: n.recipient.String(),
	}})
}

func (n *testnet) removeServer(at, i int) {
	n.t.Helper()
	n.carry(at, &wire.ServerChange{Server: &wire.Server{Index: uint32(i + 1)}, Remove: true})
}

func standing(want Standing) func(*Cluster) bool {
	return func(c *Cluster) bool { return c.Status().Standing == want }
}

// voting holds where these servers, and no others, have a vote at c.
func (n *testnet) voting(want ...int) func(*Cluster) bool {
	return func(c *Cluster) bool {
		now := c.configuration()
		for _, i := range want {
			if s, ok := member(now, addressOf(n.peer(i))); !ok || s.Suffrage != raft.Voter {
				return false
			}
		}
		return len(now.Servers) == len(want)
	}
}

func (n *testnet) term(i int) uint64 {
	n.t.Helper()
	return n.clusters[i].raft.CurrentTerm()
}

func TestANewServerJoinsWithAnEmptyFolderAndVotesOnceItHasCaughtUp(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	n.join()
	n.start(3)
	if got := n.clusters[3].Status(); got.Standing != Waiting || got.Incarnation != 0 {
		t.Fatalf("before it is added: got %+v, want it waiting", got)
	}
	n.addServer(0, 3)
	n.await(3, "its vote", standing(Voting))
	n.await(3, "the application", has(command))
	for i := range 4 {
		n.await(i, "four voters", n.voting(0, 1, 2, 3))
	}
	for _, i := range []int{0, 1} {
		n.stop(i)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*quick.Heartbeat)
	defer cancel()
	if err := n.clusters[3].Read(ctx, func(*registry.State) {}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("two of four: got %v, want %v", err, ErrUnavailable)
	}
	n.start(0)
	n.propose(3, n.application("boulder-pd"))
	// It remembers what it is.
	n.stop(3)
	n.start(3)
	n.await(3, "its vote", standing(Voting))
	if m, err := n.clusters[3].folder.mark(); err != nil || m.stage != settled {
		t.Fatalf("got mark %+v, %v, want it settled", m, err)
	}
}

func TestARemovedServerIsCutOffAndSaysSo(t *testing.T) {
	n := newTestnet(t, 3)
	leader := n.leader()
	gone := n.others(leader)[0]
	n.removeServer(leader, gone)
	n.await(gone, "its removal", standing(Removed))
	for _, i := range n.others(gone) {
		n.await(i, "two voters", n.voting(n.others(gone)...))
		if n.clusters[i].Speaks(n.peer(gone)) {
			t.Errorf("server %d speaks with the removed one", i+1)
		}
		n.hosts[i].Review()
	}
	term := n.term(leader)
	if _, err := n.clusters[gone].Propose(n.ctx(), n.application("denver-pd")); !errors.Is(err, ErrRemoved) {
		t.Errorf("proposed by the removed one: got %v, want %v", err, ErrRemoved)
	}
	n.propose(leader, n.application("boulder-pd"))
	if got := n.term(leader); got != term {
		t.Errorf("the removed server disturbed the others: term %d, was %d", got, term)
	}
}

// The removal would leave two, one of which is down: it waits for that one.
func TestAServerThatLeavesKeepsItsVoteWhileItIsNeeded(t *testing.T) {
	n := newTestnet(t, 3)
	leader := n.leader()
	down, leaves := n.others(leader)[0], n.others(leader)[1]
	command := n.application("denver-pd")
	n.stop(down)
	n.removeServer(leader, leaves)
	n.propose(leader, command)
	n.await(leaves, "the application", has(command))
	if c := n.clusters[leader]; !n.voting(0, 1, 2)(c) || !c.Speaks(n.peer(leaves)) {
		t.Fatal("the vote that was needed is gone")
	}
	n.start(down)
	n.await(leader, "two voters", n.voting(leader, down))
}

func TestAServerThatWasRemovedWhileItWasDownIsTurnedAway(t *testing.T) {
	n := newTestnet(t, 3)
	leader := n.leader()
	gone := n.others(leader)[0]
	stay := n.others(gone)
	n.stop(gone)
	n.removeServer(leader, gone)
	for _, i := range stay {
		n.await(i, "two voters", n.voting(stay...))
	}
	for _, i := range stay {
		n.stop(i) // with its last attempt to tell the other
	}
	for _, i := range stay {
		n.start(i)
	}
	leader = n.leader()
	term := n.term(leader)
	n.start(gone)
	n.await(gone, "its removal", standing(Removed))
	if got := n.clusters[gone].Status().RefusedBy; len(got) != 2 {
		t.Errorf("got refused by %v, want both others", got)
	}
	n.propose(leader, n.application("denver-pd"))
	if got := n.term(leader); got != term {
		t.Errorf("the removed server disturbed the others: term %d, was %d", got, term)
	}
}

func TestALeaderThatIsRemovedHandsOver(t *testing.T) {
	n := newTestnet(t, 3)
	was := n.leader()
	stay := n.others(was)
	n.removeServer(was, was)
	n.await(was, "its removal", standing(Removed))
	for _, i := range stay {
		n.await(i, "two voters", n.voting(stay...))
	}
	n.propose(stay[0], n.application("denver-pd"))
}

// Of two servers each is needed for the other's removal, up to the last moment.
func TestTheLeaderOfTwoIsReplaced(t *testing.T) {
	n := newTestnet(t, 2)
	command := n.application("denver-pd")
	n.propose(0, command)
	was := n.leader()
	stays := 1 - was
	n.join()
	n.start(2)
	n.addServer(was, 2)
	n.await(2, "its vote", standing(Voting))
	n.publish(0, 1)
	n.removeServer(was, was)
	n.await(was, "its removal", standing(Removed))
	for _, i := range []int{stays, 2} {
		n.await(i, "two voters", n.voting(stays, 2))
	}
	n.stop(was)
	n.propose(2, n.application("boulder-pd"))
	n.await(2, "the application", has(command))
}

func TestAServerThatMovesIsDialledWhereItIs(t *testing.T) {
	n := newTestnet(t, 3)
	leader := n.leader()
	moves := n.others(leader)[0]
	n.stop(moves)
	n.addresses[moves] = []string{"/ip4/127.0.0.1/tcp/0"}
	n.listen(moves) // without a cluster: it dials nobody
	peer := n.peer(moves)
	reach := func(c *Cluster) bool {
		_, err := c.host.Open(n.ctx(), peer, wire.ProtocolPropose)
		var refusal *wire.Refusal
		return errors.As(err, &refusal)
	}
	if reach(n.clusters[leader]) {
		t.Fatal("reached before anybody said where it is")
	}
	n.carry(leader, &wire.ServerChange{Server: &wire.Server{
		Index: uint32(moves + 1), Name: "Moved", Key: peer[:], Addresses: n.addresses[moves], Recipient: n.recipient.String(),
	}})
	n.await(leader, "the new address", reach)
}

func (n *testnet) loseLog(i int) {
	n.t.Helper()
	n.stop(i)
	if err := os.RemoveAll(filepath.Join(n.dirs[i], logFolder)); err != nil {
		n.t.Fatal(err)
	}
}

func TestAServerThatLostItsLogElectsNobody(t *testing.T) {
	n := newTestnet(t, 3)
	n.propose(0, n.application("denver-pd"))
	leader := n.leader()
	lost, other := n.others(leader)[0], n.others(leader)[1]
	n.loseLog(lost)
	n.stop(leader)
	n.rejoin[lost] = true
	n.start(lost)
	ctx, cancel := context.WithTimeout(context.Background(), 6*quick.Heartbeat)
	defer cancel()
	if err := n.clusters[other].Read(ctx, func(*registry.State) {}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("with a server that forgot its votes: got %v, want %v", err, ErrUnavailable)
	}
	if got := n.clusters[lost].Status().Standing; got != Waiting {
		t.Fatalf("got it %s, want waiting", got)
	}
	n.start(leader)
	n.await(lost, "its vote", standing(Voting))
}

// A snapshot without a log says whom a server might elect, not whom it has.
func TestASnapshotDoesNotStandForALostLog(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	n.await(2, "the application", has(command))
	if err := n.clusters[2].Compact(); err != nil {
		t.Fatal(err)
	}
	n.loseLog(2)
	n.listen(2)
	if _, err := n.open(2); !errors.Is(err, ErrStateLost) {
		t.Fatalf("got %v, want %v", err, ErrStateLost)
	}
}

func TestAServerThatRejoinsLosesItsVoteFirst(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	leader := n.leader()
	lost := n.others(leader)[0]
	n.loseLog(lost)
	before := n.clusters[leader].raft.LastIndex()
	n.rejoin[lost] = true
	n.start(lost)
	n.await(lost, "its vote", standing(Voting))
	// Not by a configuration of before, which it also received.
	if !n.voting(0, 1, 2)(n.clusters[leader]) {
		t.Error("it takes itself for a voter before it is one")
	}
	n.await(lost, "the application", has(command))
	n.await(leader, "three voters", n.voting(0, 1, 2))
	var changes []int // voters after each
	for i := before + 1; i <= n.clusters[leader].raft.LastIndex(); i++ {
		var entry raft.Log
		if err := n.clusters[leader].journal.GetLog(i, &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Type == raft.LogConfiguration {
			voters := slices.DeleteFunc(raft.DecodeConfiguration(entry.Data).Servers, func(s raft.Server) bool { return s.Suffrage != raft.Voter })
			changes = append(changes, len(voters))
		}
	}
	if want := []int{2, 3}; !slices.Equal(changes, want) {
		t.Fatalf("got voters %v, want %v: its vote taken, and given back", changes, want)
	}
	if got := n.clusters[lost].Status(); got.Incarnation != 1 {
		t.Fatalf("got incarnation %d, want 1", got.Incarnation)
	}
	n.stop(leader)
	n.propose(lost, n.application("boulder-pd"))
}

func TestOnlyFoundersFound(t *testing.T) {
	n := newTestnet(t, 1)
	n.join()
	n.start(1)
	c := n.clusters[1]
	if got := c.Status(); got.Standing != Waiting || len(c.configuration().Servers) != 0 {
		t.Errorf("got %+v and %d servers, want it waiting for others", got, len(c.configuration().Servers))
	}
}
