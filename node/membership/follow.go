package membership

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Follower keeps the roster up to date. It follows every registry server at
// once and takes the newest directory that any of them has: one that is cut
// off, or keeps a suspension to itself, holds nothing back.
type Follower struct {
	Roster *Roster
	Open   Opener
	Log    *slog.Logger
	Pause  time.Duration // between attempts
	// Take acts on a new directory: stores it, cuts off who is out, follows
	// who is in. Only then does it become the roster's.
	Take func(*directory.Directory, *wire.SignedDirectory) error

	taking  sync.Mutex   // held while a directory is checked and taken
	reached atomic.Int32 // servers connected now
}

// Reached reports whether a registry server is connected now.
func (f *Follower) Reached() bool { return f.reached.Load() > 0 }

// Again takes the directory that is in force once more.
func (f *Follower) Again() error {
	f.taking.Lock()
	defer f.taking.Unlock()
	h := f.Roster.now.Load()
	if h == nil {
		return nil
	}
	return f.Take(h.directory, h.signed)
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range f.Roster.network.Servers {
		all.Go(func() { f.keep(ctx, s) })
	}
	all.Wait()
}

// keep follows one server, again and again.
func (f *Follower) keep(ctx context.Context, s directory.NetworkServer) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := f.follow(ctx, s.Key); ctx.Err() == nil {
			f.Log.Info("directory stream ended", "server", s.Name, "cause", err)
		}
		timer.Reset(f.Pause)
	}
}

// follow takes the directories that one server sends until the stream ends.
func (f *Follower) follow(ctx context.Context, server wire.Peer) error {
	s, err := f.Open.Open(ctx, server, wire.ProtocolDirectory)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeNone) })
	defer stop()
	defer s.Reset(wire.CodeNone)
	have := uint64(0)
	if d := f.Roster.Directory(); d != nil {
		have = d.Version
	}
	if err := s.Send(&wire.FollowDirectory{Version: have}); err != nil {
		return err
	}
	f.reached.Add(1)
	defer f.reached.Add(-1)
	for {
		var u wire.DirectoryUpdate
		if err := s.Receive(&u); err != nil {
			return err
		}
		if u.Signed == nil {
			continue // a heartbeat
		}
		if err := f.take(u.Signed); err != nil {
			return err
		}
	}
}

// take passes on a directory that is newer. A server that is behind another
// is no fault of its own; one that forks is reported.
func (f *Follower) take(signed *wire.SignedDirectory) error {
	f.taking.Lock()
	defer f.taking.Unlock()
	d, err := f.Roster.Check(signed)
	switch {
	case errors.Is(err, ErrStale):
		return nil
	case errors.Is(err, ErrForked):
		f.Log.Error("registry signed two directories of one version", "cause", err)
		return err
	case err != nil || d == nil:
		return err
	}
	return f.Take(d, signed)
}
