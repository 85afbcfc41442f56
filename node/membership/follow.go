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
	Roster   *Roster
	Open     Opener
	Log      *slog.Logger
	Pause    time.Duration // between attempts
	Software string        // what the registry is told that this node runs
	// Take acts on a new directory: makes it the roster's, stores it, cuts off
	// who is out, follows who is in.
	Take func(directory.Chain) error
	// Forked is told of two directories of one version, both signed by enough
	// servers: the registry must be looked at.
	Forked func(error)

	taking  sync.Mutex   // held while a directory is checked and taken
	reached atomic.Int32 // servers connected now
}

// Reached reports whether a registry server is connected now.
func (f *Follower) Reached() bool { return f.reached.Load() > 0 }

// Again takes the directory that is in force once more.
func (f *Follower) Again() error {
	f.taking.Lock()
	defer f.taking.Unlock()
	c := f.Roster.now.Load()
	if c.Directory() == nil {
		return nil
	}
	return f.Take(*c)
}

// Run follows until ctx ends: every server that the roster has at the time.
func (f *Follower) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	following := map[wire.Peer]context.CancelFunc{}
	defer func() {
		for _, stop := range following {
			stop()
		}
	}()
	ticker := time.NewTicker(f.Pause)
	defer ticker.Stop()
	for {
		wanted := map[wire.Peer]bool{}
		for _, s := range f.Roster.Servers() {
			wanted[s.Key] = true
			if following[s.Key] == nil {
				one, stop := context.WithCancel(ctx)
				following[s.Key] = stop
				all.Go(func() { f.keep(one, s) })
			}
		}
		for p, stop := range following {
			if !wanted[p] {
				stop()
				delete(following, p)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
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

// follow takes the directories that one server sends until the stream ends, and
// answers each word of it with the version that is in force here.
func (f *Follower) follow(ctx context.Context, server wire.Peer) error {
	s, err := f.Open.Open(ctx, server, wire.ProtocolDirectory)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeNone) })
	defer stop()
	defer s.Reset(wire.CodeNone)
	if err := s.Send(f.word()); err != nil {
		return err
	}
	f.reached.Add(1)
	defer f.reached.Add(-1)
	for {
		var u wire.DirectoryUpdate
		if err := s.Receive(&u); err != nil {
			return err
		}
		if u.Signed != nil {
			if err := f.take(u.Signed); err != nil {
				return err
			}
		}
		if err := s.Send(f.word()); err != nil {
			return err
		}
	}
}

// Catch takes what one server has that is newer, over links of another key than
// the usual one.
func (f *Follower) Catch(ctx context.Context, open Opener, server wire.Peer) error {
	s, err := open.Open(ctx, server, wire.ProtocolDirectory)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeTimeout) })
	defer stop()
	defer s.Reset(wire.CodeNone)
	if err := s.Send(f.word()); err != nil {
		return err
	}
	for more := true; more; {
		var u wire.DirectoryUpdate
		if err := s.Receive(&u); err != nil {
			return err
		}
		if u.Signed != nil {
			if err := f.take(u.Signed); err != nil {
				return err
			}
		}
		more = u.More
	}
	return nil
}

// word is which version is in force here.
func (f *Follower) word() *wire.FollowDirectory {
	m := &wire.FollowDirectory{Software: f.Software}
	if d := f.Roster.Directory(); d != nil {
		m.Version = d.Version
	}
	return m
}

// take passes on a directory that is newer. A server that is behind another
// is no fault of its own; one that forks is reported.
func (f *Follower) take(signed *wire.SignedDirectory) error {
	f.taking.Lock()
	defer f.taking.Unlock()
	c, taken, err := f.Roster.Take(signed)
	switch {
	case errors.Is(err, directory.ErrStale):
		return nil
	case errors.Is(err, directory.ErrForked):
		f.Log.Error("registry signed two directories of one version", "cause", err)
		f.Forked(err)
		return err
	case err != nil || !taken:
		return err
	}
	return f.Take(c)
}
