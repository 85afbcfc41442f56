// Package match finds that one of our identifiers and an entry in another
// agency's feed are the same, and raises the alert.
//
// It looks from both ends, so that the order of arrival does not matter:
// arriving entries are looked up among the tags that our identifiers would have
// in that feed (Arrived), and a new identifier's tag is looked up among the
// entries that have arrived (Announced). Either is one probe, whatever the
// number of identifiers and members. An entry counts only when its pointer
// opens under the key that only a holder of the identifier can derive. Where an
// author announces a tag to one audience twice, the first that stands counts.
//
// While one token key replaces another, an identifier has a token of each, and
// an entry meets the one of its own epoch.
package match

import (
	"runtime"
	"sync"
	"time"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
)

// Book is what matching looks up and writes, within one transaction.
type Book interface {
	// ExpectedAmong returns, for each tag, the identifiers of ours that it may stand for.
	ExpectedAmong(directory.AgencyID, token.Epoch, []token.Tag) ([][]casefile.IdentifierID, error)
	// TaggedOf returns, for each probe, the announcements that stand, by audience and number.
	TaggedOf([]feed.Probe) ([][]feed.Announcement, error)
	Expect(directory.AgencyID, token.Epoch, token.Tag, casefile.IdentifierID) error
	Alerts
}

// Alerts is what a match that was found looks up and writes. Muted is told the
// identifier with its tag in the directory's scope, by which the network mutes;
// what it answers yes to raises nothing, and is looked for again when the mute
// is lifted.
type Alerts interface {
	Muted(identifier.Identifier, token.Tag) (bool, error)
	// CasesMatching are the cases that hold an identifier and let it be met.
	CasesMatching(casefile.IdentifierID) ([]casefile.CaseID, error)
	Raise(alert.Pair, alert.Ground) error
}

// Own is one of our identifiers with the key of its token in one epoch.
type Own struct {
	ID         casefile.IdentifierID
	Identifier identifier.Identifier
	Epoch      token.Epoch
	Key        *token.Key
}

// Arrived looks announcements of one epoch, which an author has just sent in one
// feed, up among our identifiers. open returns an identifier with its key, once
// the number is known.
func Arrived(b Book, id feed.ID, epoch token.Epoch, entries []feed.Entry, open func(casefile.IdentifierID, token.Epoch) (Own, error), now time.Time) error {
	tags := make([]token.Tag, len(entries))
	for n, e := range entries {
		tags[n] = e.Tag
	}
	expected, err := b.ExpectedAmong(id.Author, epoch, tags)
	if err != nil {
		return err
	}
	met := map[token.Tag]bool{}
	for n, candidates := range expected {
		e := entries[n]
		if len(candidates) == 0 || met[e.Tag] {
			continue
		}
		met[e.Tag] = true
		if later, err := follows(b, id, e); err != nil {
			return err
		} else if later {
			continue
		}
		for _, c := range candidates {
			own, err := open(c, epoch)
			if err != nil {
				return err
			}
			err = raise(b, id.Author, e, own, now)
			own.Key.Destroy()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// follows reports whether an earlier announcement of e's tag stands in the feed.
func follows(b Book, id feed.ID, e feed.Entry) (bool, error) {
	found, err := b.TaggedOf([]feed.Probe{{Author: id.Author, Epoch: e.Epoch, Tag: e.Tag}})
	if err != nil {
		return false, err
	}
	for _, a := range found[0] {
		if a.Audience == id.Audience && a.Entry.Number < e.Number {
			return true, nil
		}
	}
	return false, nil
}

// Announced derives the tags that authors would give our identifiers, expects
// them from now on, and looks them up among what the authors have sent to
// audiences in which we are.
func Announced(b Book, authors []directory.AgencyID, owns []Own, admits func(feed.ID) bool, now time.Time) error {
	probes := derive(authors, owns)
	for n, p := range probes {
		if err := b.Expect(p.Author, p.Epoch, p.Tag, owns[n%len(owns)].ID); err != nil {
			return err
		}
	}
	found, err := b.TaggedOf(probes)
	if err != nil {
		return err
	}
	for n, list := range found {
		author, own := probes[n].Author, owns[n%len(owns)]
		for i, a := range list {
			if i > 0 && list[i-1].Audience == a.Audience || !admits(feed.ID{Author: author, Audience: a.Audience}) {
				continue
			}
			if err := raise(b, author, a.Entry, own, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// derivedAlone is up to how many tags one processor derives by itself.
const derivedAlone = 256

// derive makes the tags that authors would give our identifiers: by author, and then
// as owns are. Many are derived on all processors.
func derive(authors []directory.AgencyID, owns []Own) []feed.Probe {
	probes := make([]feed.Probe, len(authors)*len(owns))
	part := func(from, to int) {
		for n := from; n < to; n++ {
			for m, author := range authors {
				probes[m*len(owns)+n] = feed.Probe{Author: author, Epoch: owns[n].Epoch, Tag: owns[n].Key.Tag(author.Author())}
			}
		}
	}
	workers := min(runtime.GOMAXPROCS(0), len(owns))
	if len(probes) <= derivedAlone || workers < 2 {
		part(0, len(owns))
		return probes
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { part(w*len(owns)/workers, (w+1)*len(owns)/workers) })
	}
	wg.Wait()
	return probes
}

// raise opens the entry's pointer and raises an alert for each of our cases
// that holds the identifier. A pointer that does not open was copied or
// invented by somebody who does not hold the identifier: nothing happens. A
// muted identifier raises nothing either.
func raise(b Alerts, author directory.AgencyID, e feed.Entry, own Own, now time.Time) error {
	p, err := own.Key.Open(author.Author(), e.Number, e.Pointer)
	if err != nil || p.Kind != uint8(own.Identifier.Kind()) {
		return nil
	}
	if muted, err := b.Muted(own.Identifier, own.Key.Tag(token.DirectoryScope)); err != nil || muted {
		return err
	}
	cases, err := b.CasesMatching(own.ID)
	if err != nil {
		return err
	}
	for _, c := range cases {
		pair := alert.Pair{Case: c, Agency: author, Theirs: p.Case}
		if err := b.Raise(pair, alert.Ground{Identifier: own.Identifier, Handling: p.Handling, At: now}); err != nil {
			return err
		}
	}
	return nil
}
