package cluster

import (
	"fmt"
	"path/filepath"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
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
