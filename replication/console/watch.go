package console

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"interlock/protocol/directory"
	"interlock/replication/centre"
)

const (
	// pollEvery is how often the registry is asked while a page is open.
	pollEvery = 2 * time.Second
	// streamsAtOnce is how many streams of events one session holds open. A
	// browser opens six connections to a server that speaks HTTP/1.1.
	streamsAtOnce = 4
)

// watch is the open pages of one session.
type watch struct {
	mu      sync.Mutex // owns what follows
	streams []*stream  // the oldest first
	polling bool
}

// stream is one page that listens. Its channels have room for one word, and a
// word that is there already need not be said twice.
type stream struct {
	news    chan struct{} // the registry was asked
	retired chan struct{} // a newer page took its place
}

func newWatch() *watch { return &watch{} }

// listen opens a stream; the session's oldest one beyond streamsAtOnce retires.
// While there is one, the registry is asked how it stands.
func (s *session) listen() *stream {
	n := &stream{make(chan struct{}, 1), make(chan struct{}, 1)}
	w := s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	w.streams = append(w.streams, n)
	if len(w.streams) > streamsAtOnce {
		say(w.streams[len(w.streams)-1-streamsAtOnce].retired)
	}
	if !w.polling {
		w.polling = true
		go s.poll()
	}
	return n
}

// leave closes a stream.
func (s *session) leave(n *stream) {
	w := s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, have := range w.streams {
		if have == n {
			w.streams = append(w.streams[:i], w.streams[i+1:]...)
			return
		}
	}
}

// poll asks the registry until no page listens any more.
func (s *session) poll() {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := s.ask(s.ctx); errors.Is(err, errSignedOut) {
			return
		}
		if !s.tell() {
			return
		}
	}
}

// tell lets every stream look. It reports whether there is one.
func (s *session) tell() bool {
	w := s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.streams {
		say(n.news)
	}
	w.polling = len(w.streams) > 0
	return w.polling
}

func say(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// How long an agency may be silent: its node asks for the directory all the
// time.
const (
	recent = 2 * time.Minute
	silent = time.Hour
)

// digest is what pages show of a status, in short: while it stays the same no
// page has to be fetched again. Times count by what pages make of them.
func digest(s *centre.Status, stale bool, now time.Time) [sha256.Size]byte {
	h := sha256.New()
	put := func(list ...uint64) {
		for _, n := range list {
			h.Write(binary.BigEndian.AppendUint64(nil, n))
		}
	}
	flag := func(b bool) uint64 {
		if b {
			return 1
		}
		return 0
	}
	put(s.Version, uint64(s.Endorsed), s.Motioned, s.RecordSize, s.Day, flag(stale), uint64(len(s.Notices)), uint64(len(s.Motions)), uint64(len(s.Pending)))
	h.Write([]byte(s.Leader))
	for _, a := range s.Pending {
		h.Write(a.Hash[:])
		put(uint64(len(a.Approvals)))
	}
	for _, a := range s.Agencies {
		if act := s.Activity[a.Agency.ID]; act != nil {
			put(act.Version, percent(act.Used, act.Daily)/2, flag(act.Flagged), uint64(lately(act.Seen, now)))
			h.Write([]byte(act.Software))
		}
	}
	for _, server := range s.Servers {
		if a := s.Health[server.Index]; a != nil {
			put(uint64(a.Server), flag(a.Voter), flag(a.Reachable), flag(a.Endorsed), uint64(a.Generation))
		}
	}
	if s.Ceremony != nil {
		if b, err := (proto.MarshalOptions{Deterministic: true}).Marshal(s.Ceremony); err == nil {
			h.Write(b)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// lately is how long ago somebody was seen, in the steps that pages tell apart.
func lately(seen uint64, now time.Time) int {
	d := now.Sub(time.Unix(int64(min(seen, 1<<40)), 0))
	switch {
	case seen == 0:
		return 3
	case d < recent:
		return 0
	case d < silent:
		return 1
	}
	return 2
}

// percent is how much of a whole is used.
func percent(part, whole uint64) uint64 {
	if whole == 0 {
		return 0
	}
	return min(100, uint64(float64(part)/float64(whole)*100))
}

// behind is how many directories an agency has still to take.
func behind(s *centre.Status, id directory.AgencyID) uint64 {
	a := s.Activity[id]
	if a == nil || a.Version == 0 || a.Version >= s.Version {
		return 0
	}
	return s.Version - a.Version
}
