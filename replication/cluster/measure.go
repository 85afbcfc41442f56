package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
)

// Measure is what this server's part amounts to, in numbers. Indices are of the
// log; a follower's are as far as it has been told.
type Measure struct {
	Term, Last, Committed, Applied uint64

	Voters    int       // servers whose vote counts
	Following int       // servers that receive the log without a vote
	Heard     time.Time // when the leader was last heard here; the zero time for never, and on the leader
	LogBytes  int64     // the file of the log and the votes

	SnapshotIndex uint64    // of the newest snapshot; 0 for none
	SnapshotAt    time.Time // when it was begun; the zero time for none
}

// Measure returns the numbers of this moment. It reads the folder, so that its
// error is of the file system.
func (c *Cluster) Measure() (Measure, error) {
	m := Measure{
		Term: c.raft.CurrentTerm(), Last: c.raft.LastIndex(), Committed: c.raft.CommitIndex(), Applied: c.raft.AppliedIndex(),
	}
	if c.raft.State() != raft.Leader {
		m.Heard = c.raft.LastContact()
	}
	for _, s := range c.configuration().Servers {
		if s.Suffrage == raft.Voter {
			m.Voters++
		} else {
			m.Following++
		}
	}
	var err error
	if m.LogBytes, err = sizeOf(filepath.Join(c.folder.path, logFolder)); err != nil {
		return m, fmt.Errorf("measure log: %w", err)
	}
	return m, m.readSnapshot(filepath.Join(c.folder.path, snapshotDir))
}

// sizeOf is how many bytes the files of a folder have. Those that go while it
// looks count for nothing.
func sizeOf(dir string) (size int64, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			size += info.Size()
		}
	}
	return size, err
}

// readSnapshot finds the newest snapshot by its name, as raft gives them: term,
// index and milliseconds of the Unix time. One that is being written has another.
func (m *Measure) readSnapshot(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("measure snapshots: %w", err)
	}
	for _, e := range entries {
		var term, index uint64
		var milliseconds int64
		n, err := fmt.Sscanf(e.Name(), "%d-%d-%d", &term, &index, &milliseconds)
		if err != nil || n != 3 || e.Name() != fmt.Sprintf("%d-%d-%d", term, index, milliseconds) || index < m.SnapshotIndex {
			continue
		}
		m.SnapshotIndex, m.SnapshotAt = index, time.UnixMilli(milliseconds)
	}
	return nil
}
