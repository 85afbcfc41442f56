package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"interlock/replication/registry"
)

// TestASnapshotTakesNothingBack: a server that raises its term can send any
// snapshot, and an old one would bring back a member that was suspended since.
func TestASnapshotTakesNothingBack(t *testing.T) {
	n := newTestnet(t, 1)
	state, err := registry.New(n.genesis)
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(state, func() {})
	m.applied = 10
	b, err := state.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	at := func(index uint64) io.ReadCloser {
		return io.NopCloser(bytes.NewReader(append(binary.BigEndian.AppendUint64(nil, index), b...)))
	}
	if err := m.Restore(at(9)); !errors.Is(err, errBackward) {
		t.Errorf("an older snapshot: %v, want %v", err, errBackward)
	}
	if err := m.Restore(at(10)); err != nil || m.lastApplied() != 10 {
		t.Errorf("the same: applied %d, %v", m.lastApplied(), err)
	}
	if err := m.Restore(at(12)); err != nil || m.lastApplied() != 12 {
		t.Errorf("a newer one: applied %d, %v", m.lastApplied(), err)
	}
}
