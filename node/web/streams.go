package web

import (
	"sync"
	"time"

	"interlock/node/casefile"
	"interlock/node/desk"
)

// streamsAtOnce is how many streams of events one session holds open. A
// browser opens six connections to a node that speaks HTTP/1.1, and needs two
// of them for pages.
const streamsAtOnce = 4

// streams are the open streams of events, and when each session last asked
// for a page: a stream alone keeps nobody signed in.
type streams struct {
	mu       sync.Mutex // owns what follows
	open     []*stream  // the oldest first
	lastPage map[desk.Session]time.Time
}

// stream is one page that listens. Its channels have room for one word, and a
// word that is there already need not be said twice.
type stream struct {
	officer casefile.OfficerName
	session desk.Session
	recount chan struct{} // the count of unseen alerts changed
	ended   chan struct{} // the session did
	retired chan struct{} // a newer page took its place
}

func newStreams() *streams { return &streams{lastPage: map[desk.Session]time.Time{}} }

// listen opens a stream; the session's oldest one beyond streamsAtOnce retires.
func (l *streams) listen(v visitor) *stream {
	n := &stream{v.Name, v.session, make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, n)
	held := 0
	for i := len(l.open) - 1; i >= 0; i-- {
		if l.open[i].session != v.session {
			continue
		}
		if held++; held > streamsAtOnce {
			say(l.open[i].retired)
		}
	}
	return n
}

// leave closes a stream.
func (l *streams) leave(n *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, have := range l.open {
		if have == n {
			l.open = append(l.open[:i], l.open[i+1:]...)
			return
		}
	}
}

// poke makes the officer's pages count again.
func (l *streams) poke(officer casefile.OfficerName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.open {
		if n.officer == officer {
			say(n.recount)
		}
	}
}

// end closes the streams of a session.
func (l *streams) end(session desk.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lastPage, session)
	for _, n := range l.open {
		if n.session == session {
			say(n.ended)
		}
	}
}

// used notes that a session asked for a page, and forgets those that have
// been idle for longer than any lasts.
func (l *streams) used(session desk.Session, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for other, last := range l.lastPage {
		if now.Sub(last) > desk.SessionLife {
			delete(l.lastPage, other)
		}
	}
	l.lastPage[session] = now
}

// met notes a session that is not known yet, such as one from before the node
// was started, as used now.
func (l *streams) met(session desk.Session, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.lastPage[session]; !known {
		l.lastPage[session] = now
	}
}

// idle reports whether a session has asked for no page for so long that it
// ends.
func (l *streams) idle(session desk.Session, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.lastPage[session]
	return known && now.Sub(last) > desk.SessionIdle
}

func say(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
