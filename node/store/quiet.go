package store

import (
	"errors"
	"log/slog"
	"syscall"
)

// fatal is what Pebble's last words become: a panic that commit recovers, or
// that ends the process where Pebble's own upkeep met it.
type fatal struct{ message string }

// quiet passes Pebble's faults to the node's log and drops its chatter. Some of
// its messages show keys, and ours hold identifiers: so a message is told by
// its fixed part, with the system's own error where there is one.
type quiet struct{ log *slog.Logger }

func (quiet) Infof(string, ...any) {}

func (q quiet) Errorf(format string, args ...any) {
	q.log.Error("store fault", "fault", fixedPart(format, args))
}

func (q quiet) Fatalf(format string, args ...any) {
	f := fatal{fixedPart(format, args)}
	q.log.Error("store failed", "fault", f.message)
	panic(f)
}

func fixedPart(format string, args []any) string {
	for _, a := range args {
		var cause syscall.Errno
		if err, ok := a.(error); ok && errors.As(err, &cause) {
			return format + " (" + cause.Error() + ")"
		}
	}
	return format
}
