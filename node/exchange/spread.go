package exchange

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// Topic is where the heads of feeds are told; a link.Topic is one.
type Topic interface {
	Publish([]byte) error
	Neighbours() []wire.Peer
}

// Spread brings the feeds of members that are not followed directly: their
// heads come by gossip, and their entries from whoever told of them. What gossip
// lost is found when two neighbours compare what they hold. Only feeds for every
// member spread so; others come from their author alone.
type Spread struct {
	SpreadOptions

	mu     sync.Mutex
	forked map[directory.AgencyID]bool      // owned by mu; who is known to have forked its feed
	told   map[directory.AgencyID]feed.Head // owned by mu; the newest head that gossip told of
	wanted map[directory.AgencyID]*want     // owned by mu
	queue  chan directory.AgencyID
}

// SpreadOptions are what a Spread is made from.
type SpreadOptions struct {
	Self      directory.AgencyID
	Followers *Followers
	Source    Source
	Directory func() *directory.Directory
	Log       *slog.Logger
	Pause     Spreading
}

// Spreading is how often a node tells and compares.
type Spreading struct {
	Tell    time.Duration // at most so often our own head is told
	Compare time.Duration // so often holdings are compared with a neighbour
	Again   time.Duration // before what was not there is asked for again; doubles
}

// DefaultSpreading is that of a node in service.
var DefaultSpreading = Spreading{Tell: 200 * time.Millisecond, Compare: 30 * time.Second, Again: 100 * time.Millisecond}

// want is a feed that somebody has more of.
type want struct {
	at   feed.Position
	from []wire.Peer // who has it, the latest last
}

const (
	pullsAtOnce = 4 // feeds fetched at the same time
	pullTries   = 6 // before comparing holdings must find it
	holdersKept = 3 // of one wanted feed
)

// NewSpread spreads nothing yet; Run does.
func NewSpread(o SpreadOptions) *Spread {
	return &Spread{
		SpreadOptions: o, forked: map[directory.AgencyID]bool{}, told: map[directory.AgencyID]feed.Head{}, wanted: map[directory.AgencyID]*want{},
		queue: make(chan directory.AgencyID, directory.MaxAgencies),
	}
}

// Neighbours are the members that a node is linked to and follows directly:
// all of them up to a limit; beyond it those at the distances 1, 2, 4 and so on in
// the ring of all agencies, ordered by hash. So every member is reached over few
// links, and the ring holds them together.
func Neighbours(self directory.AgencyID, members []directory.Agency, limit int) []directory.Agency {
	others := slices.DeleteFunc(slices.Clone(members), func(a directory.Agency) bool { return a.ID == self })
	if len(others) <= limit {
		return others
	}
	at := func(id directory.AgencyID) [sha256.Size]byte { return sha256.Sum256([]byte("interlock ring v1 " + id)) }
	own := at(self)
	distance := func(a directory.Agency) (d [sha256.Size]byte) {
		theirs, borrow := at(a.ID), uint64(0)
		for i := len(d) - 1; i >= 0; i-- {
			var v uint64
			v, borrow = bits.Sub64(uint64(theirs[i]), uint64(own[i]), borrow)
			d[i] = byte(v)
		}
		return d
	}
	slices.SortFunc(others, func(a, b directory.Agency) int {
		x, y := distance(a), distance(b)
		return slices.Compare(x[:], y[:])
	})
	var near []directory.Agency
	for step := 1; step <= len(others); step *= 2 {
		near = append(near, others[step-1])
	}
	return near
}

// Check judges a head that gossip tells, and remembers who has what it tells of.
func (s *Spread) Check(from wire.Peer, b []byte) link.Verdict {
	var m wire.Head
	if err := wire.Unmarshal(b, &m); err != nil {
		return link.Reject
	}
	h, err := feed.ParseHead(&m)
	if err != nil || h.Audience != directory.Everyone {
		return link.Reject
	}
	author, ok := s.author(h.Author)
	if !ok {
		return link.Ignore // perhaps a directory that is still to come
	}
	if s.forks(author, h) {
		return link.Accept // everybody should hear of it
	}
	if !s.isNews(h.Author, h.Position) {
		return link.Ignore
	}
	if !h.Verified(author.Key) {
		return link.Ignore // perhaps under a key that is still to come
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if less(s.told[h.Author].Position, h.Position) {
		s.told[h.Author] = h
	}
	return link.Accept
}

// forks reports whether a head is the first proof that its author forked, and keeps
// it: beside what is held, or beside the newest head that gossip told of. One proof
// is enough, and only that one is worth telling.
func (s *Spread) forks(author directory.Agency, h feed.Head) (forks bool) {
	s.mu.Lock()
	told, known := s.told[author.ID], s.forked[author.ID]
	s.mu.Unlock()
	if known {
		return false
	}
	keep := func(first, second feed.Head) error {
		forks = true
		return s.Followers.forked(first, second)
	}
	err := Judge(s.Followers.sink, author, h, keep)
	if !forks && told.Conflicts(h) && told.Verified(author.Key) && h.Verified(author.Key) {
		err = errors.Join(err, keep(told, h))
	}
	if err != nil {
		s.Log.Error("a head could not be compared", "cause", err)
		return forks
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forked[author.ID] = forks
	return forks
}

func (s *Spread) author(id directory.AgencyID) (directory.Agency, bool) {
	d := s.Directory()
	if d == nil || id == s.Self {
		return directory.Agency{}, false
	}
	a, ok := d.Agency(id)
	return a, ok && a.Status == directory.Active
}

func (s *Spread) isNews(author directory.AgencyID, at feed.Position) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return less(s.told[author].Position, at)
}

// Told is the newest position of a feed that gossip told of.
func (s *Spread) Told(author directory.AgencyID) feed.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told[author].Position
}

func less(a, b feed.Position) bool {
	return cmp.Or(cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Number, b.Number)) < 0
}

// Deliver fetches what a head tells of, unless its author is followed directly.
func (s *Spread) Deliver(from wire.Peer, b []byte) {
	var m wire.Head
	if err := wire.Unmarshal(b, &m); err != nil {
		return // was checked
	}
	s.Want(from, directory.AgencyID(m.Author), feed.Position{Generation: m.Generation, Number: m.Number})
}

// Want notes that a member has more of a feed than may be held here.
func (s *Spread) Want(from wire.Peer, author directory.AgencyID, at feed.Position) {
	if s.Followers.connected(author) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.wanted[author]
	if w == nil {
		w = &want{}
		s.wanted[author] = w
		select {
		case s.queue <- author:
		default: // as many as there can be members
			delete(s.wanted, author)
			return
		}
	}
	if less(w.at, at) {
		w.at = feed.Position{Generation: at.Generation, Number: at.Number}
	}
	w.from = append(slices.DeleteFunc(w.from, func(p wire.Peer) bool { return p == from }), from)
	if len(w.from) > holdersKept {
		w.from = w.from[1:]
	}
}

// Run fetches, tells and compares until ctx ends.
func (s *Spread) Run(ctx context.Context, t Topic) {
	var wg sync.WaitGroup
	for range pullsAtOnce {
		wg.Go(func() { s.pulls(ctx) })
	}
	wg.Go(func() { s.tells(ctx, t) })
	wg.Go(func() { s.compares(ctx, t) })
	wg.Wait()
}

// pulls fetches one wanted feed after another.
func (s *Spread) pulls(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case author := <-s.queue:
			s.pull(ctx, author)
		}
	}
}

// pull fetches a feed from those that have more of it, until what they told of is
// here. One that heard of it a moment before may not have it yet.
func (s *Spread) pull(ctx context.Context, id directory.AgencyID) {
	pause := s.Pause.Again
	for try := 0; try < pullTries; try++ {
		author, ok := s.author(id)
		if !ok {
			break
		}
		from, more := s.holder(id, try)
		if !more {
			return
		}
		if _, err := s.Followers.Pull(ctx, from, author); err != nil && ctx.Err() == nil {
			s.Log.Info("feed not fetched from a neighbour", "agency", id, "cause", err)
		}
		if _, more := s.holder(id, try); !more {
			return
		}
		if !sleep(ctx, pause/2+rand.N(pause)) {
			return
		}
		pause *= 2
	}
	s.giveUp(id)
}

// giveUp forgets what was wanted of a feed, until somebody tells of it again.
func (s *Spread) giveUp(id directory.AgencyID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wanted, id)
}

// holder is a member to fetch a wanted feed from; more is false once all of it is
// held.
func (s *Spread) holder(id directory.AgencyID, try int) (from wire.Peer, more bool) {
	held, err := s.Followers.sink.Holds(id)
	if err != nil {
		s.Log.Error("what is held of a feed could not be read", "agency", id, "cause", err)
		return from, false
	}
	var at feed.Position
	if n := slices.IndexFunc(held, func(h Held) bool { return h.Audience == directory.Everyone }); n >= 0 {
		at = held[n].Position
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.wanted[id]
	if w == nil || !less(at, w.at) || len(w.from) == 0 {
		delete(s.wanted, id)
		return from, false
	}
	return w.from[len(w.from)-1-try%len(w.from)], true
}

// tells publishes our head when it has grown, not more often than the pause says.
func (s *Spread) tells(ctx context.Context, t Topic) {
	var last feed.Position
	for {
		changed := s.Source.Changed(s.Self)
		at, b, err := s.ownHead()
		if err == nil && at != last && len(b) > 0 {
			err = t.Publish(b)
			last = at
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("our head could not be told", "cause", err)
		}
		if !sleep(ctx, s.Pause.Tell) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (s *Spread) ownHead() (at feed.Position, b []byte, err error) {
	held, err := s.Source.Servable(s.Self, s.Self)
	if err != nil {
		return at, nil, err
	}
	for _, h := range held {
		if h.Audience != directory.Everyone {
			continue
		}
		head, ok, err := s.Source.HeadAt(h.ID, h.Generation, h.Number)
		if err != nil || !ok {
			return at, nil, err
		}
		b, err = wire.Marshal(head.Message())
		return h.Position, b, err
	}
	return at, nil, nil
}

// sleep waits; it reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
