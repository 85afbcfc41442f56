package cluster

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/hashicorp/raft"

	"interlock/crypto/oprf"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// Exported is the registry at one moment, for a backup.
type Exported struct {
	State       []byte // as registry.Restore takes it
	Index       uint64 // of the last command in it
	Incarnation uint64 // that it was taken from
}

// Export returns the registry with everything that was acknowledged anywhere
// before the call. Errors are those of Read.
func (c *Cluster) Export(ctx context.Context) (e Exported, err error) {
	if err := c.Read(ctx, func(*registry.State) {}); err != nil {
		return e, fmt.Errorf("export: %w", err)
	}
	e.Incarnation = c.part.now().incarnation.number
	if e.State, e.Index, err = c.machine.export(); err != nil {
		return e, fmt.Errorf("export: %w", err)
	}
	return e, nil
}

func (m *machine) export() (state []byte, applied uint64, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	state, err = m.state.Snapshot()
	return state, m.applied, err
}

// seedGap is how far the log of a seeded network begins after the backup: the
// lost one may have given out numbers that the backup does not know of.
const seedGap = 1 << 20

// Seed makes a new folder at path hold an exported registry, for server self of
// it to begin a new incarnation alone, after every server was lost. The others
// rejoin it with empty folders. What was acknowledged after the export is gone.
// Where Seed fails half way, the folder is to be deleted.
func Seed(path string, genesis *wire.Genesis, self oprf.Index, e Exported) (err error) {
	state, err := registry.Restore(e.State)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	hash, err := registry.GenesisHash(genesis)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if state.Hash != hash {
		return fmt.Errorf("seed: %w", ErrOtherNetwork)
	}
	me, ok := state.Server(self)
	if !ok {
		return fmt.Errorf("seed: server %d: %w", self, ErrNoPart)
	}
	folder, err := Claim(path)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	defer func() { err = errors.Join(err, folder.Release()) }()
	next := mark{network: hash, incarnation: incarnation{number: e.Incarnation + 1}}
	if _, err := rand.Read(next.incarnation.id[:]); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if err := folder.seed(next, me.Key, e); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	return nil
}

func (f *Folder) seed(next mark, self wire.Peer, e Exported) (err error) {
	if m, err := f.mark(); err != nil || m != nil {
		return errors.Join(ErrNotEmpty, err)
	}
	log, err := openLog(f, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if there, err := remembers(log); err != nil || there {
		return errors.Join(ErrNotEmpty, err)
	}
	half := next
	half.stage = unsettled
	if err := f.write(half); err != nil {
		return err
	}
	if err := f.plant(log, self, e); err != nil {
		return err
	}
	return f.write(next)
}

// plant writes what a server has that has taken a snapshot at the exported
// state, and let go of its log.
func (f *Folder) plant(log logStore, self wire.Peer, e Exported) error {
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(f.path, snapshotsKept, silent())
	if err != nil {
		return fmt.Errorf("open snapshots: %w", err)
	}
	alone := raft.Configuration{Servers: []raft.Server{voter(self)}}
	config, transport := DefaultTiming().config(addressOf(self), silent()), transportOf(self)
	if err := raft.BootstrapCluster(config, log, log, snapshots, transport, alone); err != nil {
		return fmt.Errorf("begin log: %w", err)
	}
	index := e.Index + seedGap
	sink, err := snapshots.Create(raft.SnapshotVersionMax, index, 1, alone, 1, transport)
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := (snapshot{append(binary.BigEndian.AppendUint64(nil, index), e.State...)}).Persist(sink); err != nil {
		return err
	}
	if err := log.DeleteRange(1, 1); err != nil {
		return fmt.Errorf("let go of log: %w", err)
	}
	return nil
}
