package cluster

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"

	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// segmentSize is the size of one file of the log, which is taken up at once.
const segmentSize = 4 * wire.MiB

// journal is the log and the votes.
type journal struct {
	*wal.WAL
	meta *metadb.BoltMetaDB
}

// openLog opens the log and the votes. Every append is synced before raft
// hears of it.
func openLog(f *Folder, logger hclog.Logger) (*journal, error) {
	dir, err := f.sub("log")
	if err != nil {
		return nil, err
	}
	meta := &metadb.BoltMetaDB{}
	w, err := wal.Open(dir, wal.WithMetaStore(meta), wal.WithSegmentSize(segmentSize), wal.WithLogger(logger))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), meta.Close())
	}
	return &journal{WAL: w, meta: meta}, nil
}

// Close closes the log, and the votes, which raft-wal leaves open and locked.
func (j *journal) Close() error {
	if err := errors.Join(j.WAL.Close(), j.meta.Close()); err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

// found writes the first configuration, all servers of the genesis, into a
// folder that never took part. Every server writes the same, so it does not
// matter which is first. A folder that took part, and has no log any more, may
// have voted for somebody: it must not begin anew.
func found(f *Folder, s *registry.State, config *raft.Config, w *journal, snapshots raft.SnapshotStore, transport raft.Transport) error {
	took, err := f.network()
	if err != nil {
		return err
	}
	if took != nil && *took != s.Hash {
		return ErrOtherNetwork
	}
	exists, err := raft.HasExistingState(w, w, snapshots)
	if err != nil {
		return fmt.Errorf("look for state: %w", err)
	}
	switch {
	case exists && took != nil:
		return nil
	case took != nil:
		return ErrStateLost
	case !exists:
		if err := raft.BootstrapCluster(config, w, w, snapshots, transport, voters(s)); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
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
