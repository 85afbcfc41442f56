package cluster

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// stopped is a server's folder without the server.
type stopped struct {
	folder      *Folder
	mark        mark
	genesis     *wire.Genesis
	log         logStore
	snapshots   raft.SnapshotStore
	machine     *machine // with all that is in the log, committed or not
	members     raft.Configuration
	term, index uint64 // of the last entry
}

func openStopped(path string, genesis *wire.Genesis) (r *stopped, err error) {
	hash, err := registry.GenesisHash(genesis)
	if err != nil {
		return nil, err
	}
	r = &stopped{genesis: genesis}
	if r.folder, err = Claim(path); err != nil {
		return nil, err
	}
	if err = r.open(hash); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *stopped) close() error {
	var err error
	if r.log != nil {
		err = r.log.Close()
	}
	return errors.Join(err, r.folder.Release())
}

func (r *stopped) open(hash directory.GenesisHash) error {
	m, err := r.folder.mark()
	switch {
	case err != nil:
		return err
	case m == nil || m.stage == joining:
		return ErrNoPart
	case m.network != hash:
		return ErrOtherNetwork
	}
	r.mark = *m
	log, err := openLog(r.folder, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	r.log = log
	there, err := remembers(r.log)
	if err != nil {
		return err
	}
	if !there {
		return ErrStateLost
	}
	if r.snapshots, err = raft.NewFileSnapshotStoreWithLogger(r.folder.path, snapshotsKept, silent()); err != nil {
		return fmt.Errorf("open snapshots: %w", err)
	}
	return r.replay()
}

// replay applies the newest snapshot and the log after it, of which nobody says
// any more how much was committed.
func (r *stopped) replay() (err error) {
	if r.machine, err = freshMachine(r.genesis); err != nil {
		return err
	}
	list, err := r.snapshots.List()
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	if len(list) > 0 {
		newest, from, err := r.snapshots.Open(list[0].ID)
		if err != nil {
			return fmt.Errorf("open snapshot: %w", err)
		}
		if err := r.machine.Restore(from); err != nil {
			return err
		}
		r.term, r.index, r.members = newest.Term, newest.Index, newest.Configuration
	}
	last, err := r.log.LastIndex()
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	for i := r.index + 1; i <= last; i++ {
		var entry raft.Log
		if err := r.log.GetLog(i, &entry); err != nil {
			return fmt.Errorf("read log entry %d: %w", i, err)
		}
		switch entry.Type {
		case raft.LogCommand:
			r.machine.Apply(&entry) // what is refused was refused before
		case raft.LogConfiguration:
			r.members = raft.DecodeConfiguration(entry.Data)
		}
		r.term, r.index = entry.Term, entry.Index
	}
	return nil
}

func freshMachine(genesis *wire.Genesis) (*machine, error) {
	state, err := registry.New(genesis)
	if err != nil {
		return nil, err
	}
	return newMachine(state, func() {}), nil
}

// silent is raft's logger where nobody listens: what fails is in the error.
func silent() hclog.Logger { return bridge(slog.New(slog.DiscardHandler), newRoster().named) }

// transportOf stands for the transport of a server that does not run.
func transportOf(p wire.Peer) raft.Transport {
	_, transport := raft.NewInmemTransport(addressOf(p))
	return transport
}
