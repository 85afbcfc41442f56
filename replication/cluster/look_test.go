package cluster

import (
	"errors"
	"testing"

	"interlock/replication/registry"
)

func TestAStoppedServerShowsWhatItHas(t *testing.T) {
	n := newTestnet(t, 3)
	command := n.application("denver-pd")
	n.propose(0, command)
	n.await(1, "the application", has(command))
	want, err := n.clusters[1].Export(n.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ExportStopped(n.dirs[1], n.genesis); !errors.Is(err, ErrInUse) {
		t.Fatalf("while it runs: got %v, want %v", err, ErrInUse)
	}
	n.stop(1)
	got, err := ExportStopped(n.dirs[1], n.genesis)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.State) != string(want.State) || got.Index != want.Index || got.Incarnation != 1 {
		t.Fatalf("got index %d of incarnation %d, want %d of 1 and the same state", got.Index, got.Incarnation, want.Index)
	}
	if _, err := registry.Restore(got.State); err != nil {
		t.Fatal(err)
	}
	if _, err := ExportStopped(t.TempDir(), n.genesis); !errors.Is(err, ErrNoPart) {
		t.Errorf("an empty folder: got %v, want %v", err, ErrNoPart)
	}
}
