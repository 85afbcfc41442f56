package node

import (
	"errors"
	"fmt"
	"time"

	"interlock/node/membership"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

var errForked = fmt.Errorf("%w: its author has signed two of one length", feed.ErrForged)

// Convict keeps the proof that an author has forked its feed, before anybody is
// told. From then on nothing is taken of that feed, until the registry has ended
// the author's membership and let it in again.
func (f *Flow) Convict(first, second feed.Head) error {
	added := false
	err := f.store.Update(func(tx *store.Tx) (err error) {
		added, err = tx.AddFork(store.Fork{First: first, Second: second})
		return err
	})
	if err == nil && added {
		f.log.Error("an agency has signed two different feeds of one length", "agency", first.Author, "number", first.Number)
		poke(f.evidence)
	}
	return err
}

// forks returns what is known of forked feeds.
func (f *Flow) forks() (list []store.Fork, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		list, err = tx.Forks()
		return err
	})
	return list, err
}

// keepReporting sends proofs of forked feeds to the registry until it has them.
func (n *Node) keepReporting() {
	for n.ctx.Err() == nil {
		pause := time.Hour // and what a server refused, for the sake of another
		if err := n.report(); err != nil && n.ctx.Err() == nil {
			n.o.Log.Warn("evidence of a forked feed is still to be reported", "cause", err)
			if !errors.Is(err, membership.ErrNotTaken) {
				pause = n.o.Pauses.Registry
			}
		}
		n.wait(pause, n.flow.evidence)
	}
}

func (n *Node) report() error {
	list, err := n.flow.forks()
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range list {
		if f.Told {
			continue
		}
		e := &wire.Evidence{First: f.First.Message(), Second: f.Second.Message()}
		if err := membership.Report(n.ctx, n.host, n.roster.Servers(), e); err != nil {
			errs = append(errs, err)
			continue
		}
		n.o.Log.Info("evidence of a forked feed is with the registry", "agency", f.First.Author)
		f.Told = true
		errs = append(errs, n.store.Update(func(tx *store.Tx) error { return tx.PutFork(f) }))
	}
	return errors.Join(errs...)
}

// forkTroubles says in words, for each author of a forked feed, what is known.
func (n *Node) forkTroubles() map[directory.AgencyID]string {
	list, err := n.flow.forks()
	if err != nil {
		n.o.Log.Error("evidence of forked feeds could not be read", "cause", err)
	}
	out := map[directory.AgencyID]string{}
	for _, f := range list {
		told := "the registry is still to be told"
		if f.Told {
			told = "the registry has the proof"
		}
		out[f.First.Author] = fmt.Sprintf("it signed two different feeds of %d entries, so nothing more is taken from it; %s", f.First.Number, told)
	}
	return out
}
