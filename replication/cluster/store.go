package cluster

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"interlock/replication/registry"
)

// logFile holds the log and the votes.
const logFile = "log.bolt"

// openLog opens the log and the votes. Every append is synced before raft
// hears of it.
func openLog(f *Folder) (*raftboltdb.BoltStore, error) {
	log, err := raftboltdb.NewBoltStore(filepath.Join(f.path, logFile))
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return log, nil
}

// found writes the first configuration, all servers of the genesis, into a
// folder that never took part. Every server writes the same, so it does not
// matter which is first. A folder that took part, and has no log any more, may
// have voted for somebody: it must not begin anew.
func found(f *Folder, s *registry.State, config *raft.Config, log *raftboltdb.BoltStore, snapshots raft.SnapshotStore, transport raft.Transport) error {
	took, err := f.network()
	if err != nil {
		return err
	}
	if took != nil && *took != s.Hash {
		return ErrOtherNetwork
	}
	exists, err := raft.HasExistingState(log, log, snapshots)
	if err != nil {
		return fmt.Errorf("look for state: %w", err)
	}
	switch {
	case exists && took != nil:
		return nil
	case took != nil:
		return ErrStateLost
	case !exists:
		if err := raft.BootstrapCluster(config, log, log, snapshots, transport, voters(s)); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
			return fmt.Errorf("found cluster: %w", err)
		}
	}
	return f.join(s.Hash)
}

func voters(s *registry.State) raft.Configuration {
	var c raft.Configuration
	for _, server := range s.Servers {
		address := addressOf(server.Key)
		c.Servers = append(c.Servers, raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(address), Address: address})
	}
	return c
}
