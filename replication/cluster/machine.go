package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// snapshotLimit bounds what a server reads of another's snapshot.
const snapshotLimit = 256 * wire.MiB

// machine is the state as raft drives it. Raft calls Apply, Snapshot and
// Restore from one goroutine.
type machine struct {
	notify func()

	mu      sync.RWMutex
	state   *registry.State // owned by mu
	applied uint64          // owned by mu: index of the last command in state
}

func newMachine(s *registry.State, notify func()) *machine {
	return &machine{state: s, notify: notify}
}

func (m *machine) view(look func(*registry.State)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	look(m.state)
}

func (m *machine) lastApplied() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.applied
}

// Apply executes one committed command. Its result is the refusal or nil.
func (m *machine) Apply(entry *raft.Log) any {
	defer m.notify()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied = entry.Index
	var c wire.Command
	if err := wire.Unmarshal(entry.Data, &c); err != nil {
		return fmt.Errorf("%w: %w", registry.ErrMalformed, err)
	}
	if err := m.state.Apply(entry.Index, &c); err != nil {
		return err
	}
	return nil
}

// StoreConfiguration is called where a change of the servers that replicate was
// committed. Raft keeps it; whoever waits for it is told.
func (m *machine) StoreConfiguration(uint64, raft.Configuration) { m.notify() }

// A snapshot is the index of the last command in eight bytes, big-endian, and
// the registry's own snapshot.
type snapshot struct{ b []byte }

// Snapshot encodes the state at once, which is a few megabytes at most.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	state, err := m.state.Snapshot()
	if err != nil {
		return nil, err
	}
	return snapshot{append(binary.BigEndian.AppendUint64(nil, m.applied), state...)}, nil
}

// Persist writes the snapshot to where raft keeps it.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(s.b); err != nil {
		return errors.Join(fmt.Errorf("write snapshot: %w", err), sink.Cancel())
	}
	return sink.Close()
}

// Release has nothing to give back.
func (snapshot) Release() {}

// Restore replaces the state by a snapshot of the same network.
func (m *machine) Restore(from io.ReadCloser) (err error) {
	defer func() { err = errors.Join(err, from.Close()) }()
	b, err := io.ReadAll(io.LimitReader(from, snapshotLimit))
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	if len(b) < 8 {
		return fmt.Errorf("read snapshot: %w", registry.ErrSnapshot)
	}
	state, err := registry.Restore(b[8:])
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	defer m.notify()
	m.mu.Lock()
	defer m.mu.Unlock()
	if state.Hash != m.state.Hash {
		return fmt.Errorf("read snapshot: %w", ErrOtherNetwork)
	}
	applied := binary.BigEndian.Uint64(b)
	if applied < m.applied || state.Version() < m.state.Version() {
		return fmt.Errorf("read snapshot: %w", errBackward)
	}
	m.state, m.applied = state, applied
	return nil
}

// errBackward refuses a snapshot that would take back what this server has
// already applied: a suspension, for one.
var errBackward = errors.New("snapshot older than the state held")
