package testnet

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"interlock/node/casefile"
	"interlock/node/store"
)

// errKilled is what the disk of a killed node answers.
var errKilled = errors.New("killed: nothing reaches the disk any more")

// fate is the disk of one run of a node: until it is struck it takes writes, and
// from then on none, so that the folder stays as kill -9 would leave it.
type fate struct {
	disk  func() error // asked first, where set
	left  atomic.Int64 // writes until it strikes; below zero: never
	dead  atomic.Bool
	never chan struct{}
}

func newFate(disk func() error) *fate {
	f := &fate{disk: disk, never: make(chan struct{})}
	f.left.Store(-1)
	return f
}

// write is node.Options.Disk.
func (f *fate) write() error {
	if f.left.Load() >= 0 && f.left.Add(-1) < 0 {
		f.dead.Store(true)
	}
	if f.dead.Load() {
		if inUpkeep() {
			<-f.never
		}
		return errKilled
	}
	if f.disk != nil {
		return f.disk()
	}
	return nil
}

// inUpkeep reports whether the store's own upkeep writes. Where it cannot list its
// files it ends the process; the upkeep of a node that was killed in this process
// is halted instead, for as long as the process lives.
func inUpkeep() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, "pebble") && strings.Contains(f.Function, "(*versionSet).UpdateVersionLocked") {
			return true
		}
		if !more {
			return false
		}
	}
}

// KillAt lets the agency's node die at one of its next writes to the disk, this
// many after now. It stays to be stopped with Kill.
func (a *Agency) KillAt(writes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fate.left.Store(writes)
}

// Died reports whether the node has met the write that KillAt named.
func (a *Agency) Died() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fate != nil && a.fate.dead.Load()
}

// Kill ends the agency's node as kill -9 would, if it runs: nothing that it has not
// written yet reaches its disk.
func (a *Agency) Kill() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.node == nil {
		return nil
	}
	a.fate.dead.Store(true)
	n := a.node
	a.node = nil
	// A store that a write has failed in leaves its folder as it is.
	if _, err := n.Desk().OpenCase(chaosOfficer, casefile.NewCase{Number: "never"}); err == nil {
		return fmt.Errorf("kill %s: its disk took a write", a.ID)
	}
	if err := n.Close(); err != nil && !errors.Is(err, store.ErrDisk) && !errors.Is(err, errKilled) {
		return fmt.Errorf("kill %s: %w", a.ID, err)
	}
	return nil
}
