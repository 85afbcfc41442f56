package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"interlock/replication/registry"
)

// logFolder holds the log and the votes.
const logFolder = "log"

// openLog opens the log and the votes. Every append is synced before raft
// hears of it.
func openLog(f *Folder, log *slog.Logger) (*journal, error) {
	j, err := openJournal(filepath.Join(f.path, logFolder), vfs.Default, faults{log})
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return j, nil
}

// faults passes what Pebble complains of to our log, and drops its chatter. It
// names files and positions, and nothing of what the entries say.
type faults struct{ log *slog.Logger }

// Infof drops the chatter.
func (faults) Infof(string, ...any) {}

// Errorf is a fault that Pebble goes on after.
func (f faults) Errorf(format string, args ...any) {
	f.log.Error("log of the replication", "fault", fmt.Sprintf(format, args...))
}

// Fatalf is called where Pebble cannot go on. The process ends: a server that
// does not know what is on its disk must not vote, and the others go on
// without it.
func (f faults) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic("log of the replication: " + fmt.Sprintf(format, args...))
}

// found writes the first configuration, all servers of the genesis, into a
// folder that never took part. Every server writes the same, so it does not
// matter which is first. A folder that took part, and has no log any more, may
// have voted for somebody: it must not begin anew.
func found(f *Folder, s *registry.State, config *raft.Config, log *journal, snapshots raft.SnapshotStore, transport raft.Transport) error {
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
