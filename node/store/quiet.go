package store

import (
	"fmt"
	"log/slog"
)

// fatal is what Pebble's last words become: a panic that commit recovers, or
// that ends the process where Pebble's own upkeep met it.
type fatal struct{ message string }

// quiet passes Pebble's faults to the node's log and drops its chatter.
// Pebble's messages name files and errors, never keys or values.
type quiet struct{ log *slog.Logger }

func (quiet) Infof(string, ...any) {}

func (q quiet) Errorf(format string, args ...any) {
	q.log.Error("store fault", "fault", fmt.Sprintf(format, args...))
}

func (q quiet) Fatalf(format string, args ...any) {
	f := fatal{fmt.Sprintf(format, args...)}
	q.log.Error("store failed", "fault", f.message)
	panic(f)
}
