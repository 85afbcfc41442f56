package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"interlock/node/desk"
	"interlock/protocol/pages"
)

// settling is how long it is quiet after alerts before the whole list is sent
// again.
const settling = 2 * time.Second

// listener writes one stream of events (HTML Living Standard §9.2).
type listener struct {
	site    *site
	visitor visitor
	inbox   bool // the page shows the whole inbox
	stream  *pages.Stream
}

// events tells a page what happens while it is open: "count" (the number of
// unseen alerts), "alert" (a card for the inbox), "list" (the whole inbox),
// "notice" (an alert, on other pages), "announce" (the same for a screen
// reader) and "over" (the session has ended).
//
// Nothing is lost between the page and its stream: the stream listens first
// and then sends what is there now, every time it is opened.
func (s *site) events(w http.ResponseWriter, r *http.Request) {
	l := &listener{site: s, inbox: r.URL.Query().Has("inbox"), stream: pages.NewStream(w)}

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
	if err := errors.Join(l.stream.Retry(2*time.Second), l.count(), l.list()); err != nil {
		return err
	}
	beat := time.NewTicker(pages.Heartbeat)
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
			return l.stream.Retry(30 * time.Second)
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
			say = func() error { return l.stream.Beat() }
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
	return l.stream.Send(event, html)
}
