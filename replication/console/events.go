package console

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"
)

// The rhythm of a stream.
const (
	heartbeat = 20 * time.Second
	writeTime = 10 * time.Second // for one event; a browser that takes longer is gone
)

// listener writes one stream of events (HTML Living Standard §9.2).
type listener struct {
	console *Console
	session *session
	seen    string // what the page shows
	w       http.ResponseWriter
	control *http.ResponseController
}

// events tells an open page when what it shows is old: "changed" (it fetches
// itself again), "applications" and "motions" (how many wait) and "over" (the
// session has ended).
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in front must not hold events back
	w.WriteHeader(http.StatusOK)
	l := &listener{console: c, seen: r.URL.Query().Get("seen"), w: w, control: http.NewResponseController(w)}
	var err error
	if l.session, err = c.sessionOf(r); err == nil {
		err = l.run(r)
	}
	if errors.Is(err, errSignedOut) {
		err = l.send("over", "signed-out", notice{Text: "You are signed out.", Hint: "Sign in again", Link: "/sign-in"})
	}
	if err != nil && r.Context().Err() == nil {
		c.log.Debug("stream of events ended", "fault", err)
	}
}

// run sends events until the page goes away, the session or the console ends,
// or a newer page takes its place.
func (l *listener) run(r *http.Request) error {
	n := l.session.listen()
	defer l.session.leave(n)
	if err := errors.Join(l.raw("retry: 2000\n\n"), l.look()); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return nil
		case <-l.session.ctx.Done():
			return errSignedOut
		case <-n.retired:
			return l.raw("retry: 30000\n\n")
		case <-n.news:
			if _, err = l.console.sessionOf(r); err == nil {
				err = l.look()
			}
		case <-beat.C:
			if _, err = l.console.sessionOf(r); err == nil {
				err = l.raw(": still here\n\n")
			}
		}
		if err != nil {
			return err
		}
	}
}

// look tells the page where it is old.
func (l *listener) look() error {
	status, _, fault := l.session.known()
	if status == nil {
		return nil
	}
	sum := digest(status, fault != nil, l.console.now())
	seen := hex.EncodeToString(sum[:8])
	if seen == l.seen {
		return nil
	}
	v := &visit{session: l.session, status: status, stale: fault != nil}
	v.recognise()
	waits := v.waiting()
	err := errors.Join(l.send("applications", "count", waits.Applications), l.send("motions", "count", waits.Motions))
	if err == nil {
		err = l.raw("event: changed\ndata: " + seen + "\n\n")
	}
	l.seen = seen
	return err
}

// send writes one event with a part as its data.
func (l *listener) send(event, part string, view any) error {
	html, err := l.console.part(part, view)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("event: " + event + "\n")
	for line := range strings.Lines(strings.TrimSpace(html)) {
		b.WriteString("data: " + strings.TrimRight(line, "\r\n") + "\n")
	}
	b.WriteString("\n")
	return l.raw(b.String())
}

// raw writes s and sends it off. The deadline is for this write alone: left
// standing, it would end a quiet HTTP/2 stream.
func (l *listener) raw(s string) error {
	if err := l.deadlines(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if _, err := l.w.Write([]byte(s)); err != nil {
		return err
	}
	if err := l.control.Flush(); err != nil {
		return err
	}
	return l.deadlines(time.Time{})
}

// deadlines sets the one for writing, and none for reading: a stream has
// nothing more to read, and the server takes a passed deadline for a browser
// that went away.
func (l *listener) deadlines(write time.Time) error {
	err := errors.Join(l.control.SetReadDeadline(time.Time{}), l.control.SetWriteDeadline(write))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
