package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"interlock/node/desk"
)

// The rhythm of a stream.
const (
	heartbeat = 20 * time.Second // a sign of life, and a look whether the session still lives
	settling  = 2 * time.Second  // of quiet after alerts, before the whole list is sent again
	writeTime = 10 * time.Second // for one event; a browser that takes longer is gone
)

// listener writes one stream of events (HTML Living Standard §9.2).
type listener struct {
	site    *site
	visitor visitor
	inbox   bool // the page shows the whole inbox
	w       http.ResponseWriter
	control *http.ResponseController
}

// events tells a page what happens while it is open: "count" (the number of
// unseen alerts), "alert" (a card for the inbox), "list" (the whole inbox),
// "notice" (an alert, on other pages), "announce" (the same for a screen
// reader) and "over" (the session has ended).
//
// Nothing is lost between the page and its stream: the stream listens first
// and then sends what is there now, every time it is opened.
func (s *site) events(w http.ResponseWriter, r *http.Request) {
	l := &listener{site: s, inbox: r.URL.Query().Has("inbox"), w: w, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in front must not hold events back
	w.WriteHeader(http.StatusOK)

	var err error
	if l.visitor, err = s.visitor(r); err == nil {
		err = l.run(r.Context())
	}
	if errors.Is(err, desk.ErrSignedOut) {
		err = l.over()
	}
	if err != nil && r.Context().Err() == nil {
		s.log.Debug("stream of events ended", "fault", err)
	}
}

// run sends events until the page goes away, the session or the server ends,
// or a newer page takes its place.
func (l *listener) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := l.site.desk.Watch(ctx, l.visitor.Officer)
	stream := l.site.streams.listen(l.visitor)
	defer l.site.streams.leave(stream)
	if err := errors.Join(l.raw("retry: 2000\n\n"), l.count(), l.list()); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var settled <-chan time.Time
	for {
		var say func() error
		select {
		case <-ctx.Done():
			return nil
		case <-stream.ended:
			return desk.ErrSignedOut
		case <-stream.retired:
			return l.raw("retry: 30000\n\n")
		case <-stream.recount:
			say = func() error { return errors.Join(l.count(), l.list()) }
		case line, open := <-watched:
			if !open {
				return nil
			}
			say = func() error { return l.arrive(line) }
			settled = time.After(settling)
		case <-settled:
			say = l.list
		case <-beat.C:
			say = func() error { return l.raw(": still here\n\n") }
		}
		if err := l.toTheSignedIn(say); err != nil {
			return err
		}
	}
}

// toTheSignedIn says something if the session still lives. A new password ends
// sessions without a word to their streams, which learn it here: at the next
// event, or at the heartbeat when there is none.
func (l *listener) toTheSignedIn(say func() error) error {
	if _, err := l.site.officerOf(l.visitor.session); err != nil {
		return err
	}
	return say()
}

// arrive shows one alert that was raised or has grown.
func (l *listener) arrive(line desk.AlertLine) error {
	card := l.site.card(line)
	card.Arriving = true
	name := "notice"
	if l.inbox {
		name = "alert"
	}
	return errors.Join(l.send(name, "arrived-"+name, card), l.send("announce", "announcement", card), l.count())
}

// count sends the number of unseen alerts.
func (l *listener) count() error {
	n, err := l.site.desk.Unseen(l.visitor.Officer)
	if err != nil {
		return err
	}
	return l.send("count", "count", count{n})
}

// list sends the whole inbox to a page that shows it. Alerts that came too
// fast to be sent one by one are in it.
func (l *listener) list() error {
	if !l.inbox {
		return nil
	}
	view, err := l.site.inboxView(l.visitor)
	if err != nil {
		return err
	}
	return l.send("list", "cards", view)
}

// over tells the page that nothing more will come.
func (l *listener) over() error { return l.send("over", "signed-out", signedOutPage) }

var signedOutPage = notice{
	Text: "You are signed out.",
	Hint: "Sign in again to see new alerts",
	Link: "/sign-in",
}

// send writes one event with a part as its data.
func (l *listener) send(event, part string, view any) error {
	html, err := l.site.part(part, view)
	if err != nil {
		return err
	}
	var b bytes.Buffer
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
