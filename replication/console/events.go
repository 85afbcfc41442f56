package console

import (
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"interlock/protocol/pages"
)

// listener writes one stream of events (HTML Living Standard §9.2).
type listener struct {
	console *Console
	session *session
	seen    string // what the page shows
	stream  *pages.Stream
}

// events tells an open page when what it shows is old: "changed" (it fetches
// itself again), "applications" and "motions" (how many wait) and "over" (the
// session has ended).
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	l := &listener{console: c, seen: r.URL.Query().Get("seen"), stream: pages.NewStream(w)}
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
	if err := errors.Join(l.stream.Retry(2*time.Second), l.look()); err != nil {
		return err
	}
	beat := time.NewTicker(pages.Heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return nil
		case <-l.session.ctx.Done():
			return errSignedOut
		case <-n.retired:
			return l.stream.Retry(30 * time.Second)
		case <-n.news:
			if _, err = l.console.sessionOf(r); err == nil {
				err = l.look()
			}
		case <-beat.C:
			if _, err = l.console.sessionOf(r); err == nil {
				err = l.stream.Beat()
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
		err = l.stream.Send("changed", seen)
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
	return l.stream.Send(event, html)
}
