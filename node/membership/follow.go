package membership

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// Follower keeps the roster up to date from whichever registry server answers.
type Follower struct {
	Roster *Roster
	Open   Opener
	Log    *slog.Logger
	Pause  time.Duration // between attempts
	// Take acts on a new directory: stores it, cuts off who is out, follows
	// who is in. Only then does it become the roster's.
	Take func(*directory.Directory, *wire.SignedDirectory) error

	reached atomic.Bool
}

// Reached reports whether a registry server is connected now.
func (f *Follower) Reached() bool { return f.reached.Load() }

// Run follows until ctx ends, going from server to server as they fail.
func (f *Follower) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		servers := f.Roster.network.Servers
		s := servers[i%len(servers)]
		err := f.follow(ctx, s.Key)
		f.reached.Store(false)
		if ctx.Err() != nil {
			return
		}
		f.Log.Info("directory stream ended", "server", s.Name, "cause", err)
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
	for {
		var u wire.DirectoryUpdate
		if err := s.Receive(&u); err != nil {
			return err
		}
		f.reached.Store(true)
		if u.Signed == nil {
			continue // a heartbeat
		}
		if err := f.take(u.Signed); err != nil {
			return err
		}
	}
}

// take passes on a directory that is newer. A server that is behind is no
// fault of its own; one that forks is reported.
func (f *Follower) take(signed *wire.SignedDirectory) error {
	d, err := f.Roster.Check(signed)
	switch {
	case errors.Is(err, ErrForked):
		f.Log.Error("registry signed two directories of one version", "cause", err)
		return err
	case err != nil || d == nil:
		return err
	}
	return f.Take(d, signed)
}
