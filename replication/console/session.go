package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"interlock/replication/centre"
)

// How long somebody stays signed in.
const (
	sessionIdle = 15 * time.Minute // without asking for a page
	sessionLife = 8 * time.Hour
)

// askTime is how long the registry may take to answer one page.
const askTime = 20 * time.Second

var errSignedOut = errors.New("signed out")

// unanswered says that no registry server answered. What was to be decided may
// have been taken.
type unanswered struct{ cause error }

func (u *unanswered) Error() string { return fmt.Sprintf("no registry server answered: %v", u.cause) }
func (u *unanswered) Unwrap() error { return u.cause }

// session is one operator who is signed in, in one browser.
type session struct {
	id       [sha256.Size]byte // of the ticket
	name     string
	registry Registry
	now      func() time.Time
	ctx      context.Context // ends with the session
	cancel   context.CancelFunc
	began    time.Time
	watch    *watch
	titles   *titles

	uses sync.WaitGroup

	mu     sync.Mutex // owns what follows
	over   bool
	used   time.Time // when a page was asked for last
	status *centre.Status
	as     time.Time // when the registry said so
	fault  error     // why it did not answer since
	made   map[string]*handover
}

// do uses the registry, unless the session is over. What the session's end
// interrupts is waited for, so that no key is used while it is erased.
func (s *session) do(ctx context.Context, use func(context.Context) error) error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return errSignedOut
	}
	s.uses.Add(1)
	s.mu.Unlock()
	defer s.uses.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	err := use(ctx)
	var declined centre.Declined
	switch {
	case err == nil, errors.As(err, &declined), errors.Is(err, centre.ErrNoSubject):
		return err
	case s.ctx.Err() != nil:
		return errSignedOut
	}
	return &unanswered{err}
}

// ask asks how the registry stands, and remembers what it said.
func (s *session) ask(ctx context.Context) (*centre.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var status *centre.Status
	err := s.do(ctx, func(ctx context.Context) (err error) {
		status, err = s.registry.Status(ctx)
		return err
	})
	s.note(status, err)
	return status, err
}

// decide has something decided, and remembers how the registry stands then.
func (s *session) decide(ctx context.Context, what func(context.Context) (*centre.Status, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*askTime)
	defer cancel()
	var status *centre.Status
	err := s.do(ctx, func(ctx context.Context) (err error) {
		status, err = what(ctx)
		return err
	})
	if err == nil && status != nil {
		s.note(status, nil)
	}
	return err
}

func (s *session) note(status *centre.Status, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault = err; err == nil {
		s.status, s.as = status, s.now()
	}
}

// known is what the registry said last, when, and why it says nothing since.
func (s *session) known() (status *centre.Status, as time.Time, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.as, s.fault
}

// touch notes that a page was asked for.
func (s *session) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = s.now()
}

// expired reports whether the session's time is over.
func (s *session) expired() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	return now.Sub(s.used) >= sessionIdle || now.Sub(s.began) >= sessionLife
}

// end ends the session and erases its keys. Whoever comes second waits for
// nothing.
func (s *session) end() error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return nil
	}
	s.over = true
	for _, h := range s.made {
		h.destroy()
	}
	s.made = nil
	s.mu.Unlock()
	s.cancel()
	s.uses.Wait()
	return s.registry.Close()
}

// sessions are those who are signed in.
type sessions struct {
	mu   sync.Mutex // owns what follows
	by   map[[sha256.Size]byte]*session
	over bool
}

func newSessions() *sessions { return &sessions{by: map[[sha256.Size]byte]*session{}} }

// begin is a new session. It owns r from now on.
func (l *sessions) begin(name string, r Registry, now func() time.Time) (*session, ticket, error) {
	var t ticket
	if _, err := rand.Read(t[:]); err != nil {
		return nil, t, errors.Join(err, r.Close())
	}
	s := &session{
		id: sha256.Sum256(t[:]), name: name, registry: r, now: now, began: now(), used: now(),
		watch: newWatch(), titles: newTitles(), made: map[string]*handover{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil, t, errors.Join(errSignedOut, s.end())
	}
	l.by[s.id] = s
	return s, t, nil
}

// of is the session that a ticket is of.
func (l *sessions) of(t ticket) (*session, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.by[sha256.Sum256(t[:])]
	return s, ok
}

// end ends one session.
func (l *sessions) end(s *session) error {
	l.mu.Lock()
	delete(l.by, s.id)
	l.mu.Unlock()
	return s.end()
}

// sweep ends those whose time is over.
func (l *sessions) sweep() error {
	var err error
	for _, s := range l.list() {
		if s.expired() {
			err = errors.Join(err, l.end(s))
		}
	}
	return err
}

// endAll ends all, and lets nobody begin another.
func (l *sessions) endAll() error {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	var err error
	for _, s := range l.list() {
		err = errors.Join(err, l.end(s))
	}
	return err
}

func (l *sessions) list() []*session {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*session, 0, len(l.by))
	for _, s := range l.by {
		list = append(list, s)
	}
	return list
}

// sweep ends what has lasted long enough.
func (c *Console) sweep() {
	c.gate.sweep(c.now())
	if err := c.sessions.sweep(); err != nil {
		c.log.Warn("session did not end cleanly", "fault", err)
	}
}
