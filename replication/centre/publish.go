package centre

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// publication is the newest published directory that this server has seen. It
// is kept in a file, so that a server that starts alone can still show it.
type publication struct {
	keeping sync.Mutex // held while the file is written
	mu      sync.Mutex
	signed  *wire.SignedDirectory // owned by mu
	parsed  *directory.Directory  // owned by mu
	changed chan struct{}         // owned by mu; closed at the next change
}

// load reads the file, where there is one. It is this server's own: whoever
// follows verifies it again.
func (p *publication) load(path string, genesis directory.GenesisHash) error {
	p.changed = make(chan struct{})
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", directoryFile, err)
	}
	signed := &wire.SignedDirectory{}
	if err := wire.Unmarshal(b, signed); err != nil {
		return fmt.Errorf("read %s: %w", directoryFile, err)
	}
	d, err := directory.Decode(signed.Directory)
	if err != nil {
		return fmt.Errorf("read %s: %w", directoryFile, err)
	}
	if d.Genesis != genesis {
		return fmt.Errorf("read %s: %w", directoryFile, directory.ErrOtherNetwork)
	}
	p.signed, p.parsed = signed, d
	return nil
}

// get returns what is published, nil before the first, and a channel that is
// closed when something newer is.
func (p *publication) get() (*wire.SignedDirectory, *directory.Directory, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.signed, p.parsed, p.changed
}

func (p *publication) directory() *directory.Directory {
	_, d, _ := p.get()
	return d
}

// set takes a directory that is newer than the one held.
func (p *publication) set(signed *wire.SignedDirectory, d *directory.Directory) (newer bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parsed != nil && d.Version <= p.parsed.Version {
		return false
	}
	p.signed, p.parsed = signed, d
	close(p.changed)
	p.changed = make(chan struct{})
	return true
}

// publish acts on every change of the state: who is suspended loses the link,
// and what was endorsed by a majority goes to those who follow.
func (s *Server) publish() {
	var reviewed uint64
	leaving := false // a server is removed, and raft has not let go of it
	for {
		changed := s.cluster.Changed()
		left := leaving
		leaving = s.cluster.Leaving()
		var version uint64
		var signed *wire.SignedDirectory
		s.cluster.View(func(state *registry.State) { version, signed = state.Version(), state.Published() })
		if version != reviewed || left && !leaving {
			reviewed = version
			s.host.Review()
		}
		if err := s.show(signed); err != nil {
			s.log.Error("directory could not be published", "cause", err)
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return
		}
	}
}

// show publishes a directory that is newer than what was shown. That enough
// servers have endorsed it, the replicated state has verified.
func (s *Server) show(signed *wire.SignedDirectory) error {
	was, shown, _ := s.published.get()
	if signed == nil || was != nil && string(was.Directory) == string(signed.Directory) {
		return nil
	}
	d, err := directory.Decode(signed.Directory)
	if err != nil {
		return err
	}
	if shown != nil && d.Version <= shown.Version {
		return nil // replayed from the log
	}
	if err := s.keepPublished(signed, d); err != nil {
		return err
	}
	s.activity.keep(func(p wire.Peer) bool { _, member := d.AgencyOf(p); return member })
	s.log.Info("directory published", "server", s.Index(), "version", d.Version, "agencies", len(d.Agencies))
	return nil
}

// keepPublished makes a directory the newest one, here and on the disk.
func (s *Server) keepPublished(signed *wire.SignedDirectory, d *directory.Directory) error {
	b, err := wire.Marshal(signed)
	if err != nil {
		return fmt.Errorf("encode directory: %w", err)
	}
	s.published.keeping.Lock()
	defer s.published.keeping.Unlock()
	if !s.published.set(signed, d) {
		return nil
	}
	return writeFile(s.config.path(directoryFile), b, 0o600)
}

// serveDirectory sends every directory newer than what the follower has, as it
// is published, and a sign of life in between. Where other servers have come to
// be trusted since, those directories come first that say so, one by one.
func (s *Server) serveDirectory(ctx context.Context, st *link.Stream) error {
	var follow wire.FollowDirectory
	if err := st.Receive(&follow); err != nil {
		return err
	}
	s.activity.note(st.Peer(), &follow, s.now())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		s.hearFollower(st)
	}()
	alive := time.NewTicker(wire.Heartbeat)
	defer alive.Stop()
	for have, due := follow.Version, true; ; {
		signed, d, changed := s.published.get()
		update := &wire.DirectoryUpdate{}
		if d != nil && d.Version > have {
			if err := s.sendHandovers(st, have, d.Version); err != nil {
				return err
			}
			update.Signed, have, due = signed, d.Version, true
		}
		if due {
			if err := st.Send(update); err != nil {
				return err
			}
		}
		select {
		case <-changed:
			due = false
		case <-alive.C:
			due = true
		case <-ctx.Done():
			return nil
		}
	}
}

// sendHandovers sends the directories between two versions after each of which
// other servers were trusted.
func (s *Server) sendHandovers(st *link.Stream, after, before uint64) error {
	var list []*wire.SignedDirectory
	s.cluster.View(func(state *registry.State) { list = state.HandoversBetween(after, before) })
	for _, signed := range list {
		if err := st.Send(&wire.DirectoryUpdate{Signed: signed, More: true}); err != nil {
			return err
		}
	}
	return nil
}

// hearFollower notes which version a follower acts on, which it says in answer to
// whatever is sent, and returns when it is gone.
func (s *Server) hearFollower(st *link.Stream) {
	for {
		var word wire.FollowDirectory
		if err := st.Receive(&word); err != nil {
			return
		}
		s.activity.note(st.Peer(), &word, s.now())
	}
}
