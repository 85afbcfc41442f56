package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// logStore is where the log and the votes are kept.
type logStore interface {
	raft.LogStore
	raft.StableStore
	io.Closer
}

// remembers reports whether the log and the votes are there. A snapshot alone
// does not say for whom its server has voted.
func remembers(log logStore) (bool, error) {
	exists, err := raft.HasExistingState(log, log, raft.NewDiscardSnapshotStore())
	if err != nil {
		return false, fmt.Errorf("look for state: %w", err)
	}
	return exists, nil
}

// role is how a folder begins.
type role int

const (
	goesOn role = iota // where it was
	founds             // with the first configuration, which every founder writes alike
	joins              // empty, without a vote, once the leader has taken it in
)

// beginning decides how the folder begins. A server that took part, and does
// not know any more for whom it voted, must not vote as if it never had.
func (f *Folder) beginning(network *registry.Foundation, self server, log logStore, rejoin bool) (role, mark, error) {
	m, err := f.mark()
	if err != nil {
		return goesOn, mark{}, err
	}
	there, err := remembers(log)
	if err != nil {
		return goesOn, mark{}, err
	}
	first := mark{network: network.Hash, incarnation: firstIncarnation(network.Hash)}
	switch {
	case m != nil && m.network != network.Hash:
		return goesOn, mark{}, ErrOtherNetwork
	case m != nil && m.stage == unsettled:
		return goesOn, mark{}, ErrUnsettled
	case there && m != nil:
		return goesOn, *m, nil
	case there:
		return founds, first, nil // died between the log and the mark
	case m == nil && !rejoin && founder(network, self.index) == self.peer:
		return founds, first, nil
	case m == nil || m.stage == joining || rejoin:
		return joins, mark{network: network.Hash, stage: joining}, nil
	}
	return goesOn, mark{}, ErrStateLost
}

// founder returns the key of a founding server, zero for other numbers.
func founder(network *registry.Foundation, i oprf.Index) wire.Peer {
	if i < 1 || int(i) > len(network.Founders) {
		return wire.Peer{}
	}
	return network.Founders[i-1].Key
}

// checkSelf refuses a number that is another server's, where the genesis says so.
func checkSelf(network *registry.Foundation, self server) error {
	for _, s := range network.Founders {
		if (s.Index == self.index) != (s.Key == self.peer) {
			return fmt.Errorf("this key is not that of server %d", self.index)
		}
	}
	if self.index == 0 {
		return errors.New("a server has a number from 1")
	}
	return nil
}

// found writes the first configuration, all servers of the genesis. Every
// founder writes the same, so it does not matter which is first.
func (c *Cluster) found(state *registry.State, config *raft.Config, snapshots raft.SnapshotStore) error {
	var first raft.Configuration
	for _, s := range state.Founders {
		first.Servers = append(first.Servers, voter(s.Key))
	}
	err := raft.BootstrapCluster(config, c.journal, c.journal, snapshots, c.transport, first)
	if err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return fmt.Errorf("found cluster: %w", err)
	}
	return nil
}

func voter(p wire.Peer) raft.Server {
	address := addressOf(p)
	return raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(address), Address: address}
}

// clear forgets snapshots of a part that is over: raft would stand for election
// by the configuration in one.
func (f *Folder) clear() error {
	if err := os.RemoveAll(filepath.Join(f.path, snapshotDir)); err != nil {
		return fmt.Errorf("clear folder: %w", err)
	}
	return nil
}
