package desk

import (
	"context"
	"errors"
	"slices"
	"sync"

	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
)

// AlertLine is an alert as one officer sees it.
type AlertLine struct {
	alert.Alert
	Case   casefile.Case    // ours
	Agency directory.Agency // theirs, with the desk to call; none of a summary
	Seen   bool             // by this officer
}

// Waits reports whether the alert waits for this officer: not seen, and not
// about muted values alone.
func (l AlertLine) Waits() bool { return !l.Seen && !l.Quiet() }

// MetLine is one case of a summary.
type MetLine struct {
	alert.Met
	Agency directory.Agency
}

// Summary is a summary with the cases that it is about.
type Summary struct {
	AlertLine
	Met   []MetLine             // the first ShownMet, by agency
	Held  int                   // how many of our own cases hold the identifier
	Value casefile.IdentifierID // 0 where none does
}

// ShownAlerts is how many alerts the inbox shows, ShownMet how many cases a
// summary does.
const (
	ShownAlerts = 200
	ShownMet    = 1000
)

func (d *Desk) line(a alert.Alert, c casefile.Case, by casefile.Officer) AlertLine {
	l := AlertLine{Alert: a, Case: c, Seen: slices.Contains(a.SeenBy, by.Name)}
	if !a.IsSummary() {
		l.Agency = d.AgencyOf(a.Pair.Agency)
	}
	return l
}

// Alerts lists the alerts of the officer's cases, the newest first.
func (d *Desk) Alerts(by casefile.Officer) ([]AlertLine, error) {
	var lines []AlertLine
	err := d.store.View(func(tx *store.Tx) error {
		return tx.RecentAlerts(func(a alert.Alert) (bool, error) {
			c, err := tx.Case(a.Pair.Case)
			if err == nil && by.MayRead(c) {
				lines = append(lines, d.line(a, c, by))
			}
			return len(lines) < ShownAlerts, err
		})
	})
	return lines, err
}

// Unseen counts the officer's alerts that wait for them, as far as the inbox
// shows them.
func (d *Desk) Unseen(by casefile.Officer) (int, error) {
	lines, err := d.Alerts(by)
	n := 0
	for _, l := range lines {
		if l.Waits() {
			n++
		}
	}
	return n, err
}

// Alert returns one alert.
func (d *Desk) Alert(by casefile.Officer, id alert.ID) (line AlertLine, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		line, err = d.alertFor(tx, by, id)
		return err
	})
	return line, err
}

func (d *Desk) alertFor(tx *store.Tx, by casefile.Officer, id alert.ID) (AlertLine, error) {
	a, err := tx.Alert(id)
	if errors.Is(err, store.ErrNotFound) {
		return AlertLine{}, ErrNotFound
	}
	if err != nil {
		return AlertLine{}, err
	}
	c, err := readable(tx, by, a.Pair.Case)
	if err != nil {
		return AlertLine{}, err
	}
	return d.line(a, c, by), nil
}

// Summary returns a summary, and ErrNotFound for an alert of one pair.
func (d *Desk) Summary(by casefile.Officer, id alert.ID) (out Summary, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		if out.AlertLine, err = d.alertFor(tx, by, id); err != nil {
			return err
		}
		if !out.IsSummary() || len(out.Grounds) == 0 {
			return ErrNotFound
		}
		met, err := tx.Met(id, ShownMet)
		if err != nil {
			return err
		}
		for _, m := range met {
			out.Met = append(out.Met, MetLine{m, d.AgencyOf(m.Agency)})
		}
		out.Value, err = tx.Known(out.Grounds[0].Identifier)
		if errors.Is(err, store.ErrNotFound) {
			return nil // no case holds it any more
		}
		if err != nil {
			return err
		}
		holders, err := tx.CasesHolding(out.Value)
		out.Held = len(holders)
		return err
	})
	return out, err
}

// MarkSeen records that the officer has read an alert.
func (d *Desk) MarkSeen(by casefile.Officer, id alert.ID) error {
	return d.disk(d.store.Update(func(tx *store.Tx) error {
		if _, err := d.alertFor(tx, by, id); err != nil {
			return err
		}
		return tx.SeeAlert(id, by.Name)
	}))
}

// watchers are the officers who look at their inbox now.
type watchers struct {
	mu   sync.Mutex
	open map[*watcher]bool // owned by mu
}

type watcher struct {
	by casefile.Officer
	c  chan AlertLine
}

// waitingLines is how many alerts a slow watcher may be behind before it
// loses some; it reads the list again when it reconnects.
const waitingLines = 64

// Watch sends the officer's alerts as they are raised or grow, once they are
// on the disk, until ctx ends.
func (d *Desk) Watch(ctx context.Context, by casefile.Officer) <-chan AlertLine {
	w := &watcher{by: by, c: make(chan AlertLine, waitingLines)}
	d.watch.mu.Lock()
	d.watch.open[w] = true
	d.watch.mu.Unlock()
	context.AfterFunc(ctx, func() {
		d.watch.mu.Lock()
		defer d.watch.mu.Unlock()
		delete(d.watch.open, w)
		close(w.c)
	})
	return w.c
}

// Raised tells the watchers of alerts that are on the disk.
func (d *Desk) Raised(alerts []alert.Alert) error {
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	if len(d.watch.open) == 0 {
		return nil
	}
	return d.store.View(func(tx *store.Tx) error {
		for _, a := range alerts {
			c, err := tx.Case(a.Pair.Case)
			if err != nil {
				return err
			}
			for w := range d.watch.open {
				if w.by.MayRead(c) {
					w.offer(d.line(a, c, w.by))
				}
			}
		}
		return nil
	})
}

func (w *watcher) offer(l AlertLine) {
	select {
	case w.c <- l:
	default:
	}
}
