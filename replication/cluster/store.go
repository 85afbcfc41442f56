package cluster

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logFolder holds the log and the votes.
const logFolder = "log"

// openLog opens the log and the votes. Every append is synced before raft
// hears of it.
func openLog(f *Folder, log *slog.Logger) (*journal, error) {
	j, err := openJournal(filepath.Join(f.path, logFolder), vfs.Default, complaints{log})
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return j, nil
}

// complaints passes what Pebble complains of to our log, and drops its chatter. It
// names files and positions, and nothing of what the entries say.
type complaints struct{ log *slog.Logger }

// Infof drops the chatter.
func (complaints) Infof(string, ...any) {}

// Errorf is a fault that Pebble goes on after.
func (f complaints) Errorf(format string, args ...any) {
	f.log.Error("log of the replication", "fault", fmt.Sprintf(format, args...))
}

// Fatalf is called where Pebble cannot go on. The process ends: a server that
// does not know what is on its disk must not vote, and the others go on
// without it.
func (f complaints) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic("log of the replication: " + fmt.Sprintf(format, args...))
}
