// Package match finds that one of our identifiers and an entry in another
// agency's feed are the same, and raises the alert.
//
// It looks from both ends, so that the order of arrival does not matter: an
// arriving entry is looked up among the tags that our identifiers would have
// in that feed (Arrived), and a new identifier's tag is looked up among the
// entries that have arrived (Announced). Either is one probe, whatever the
// number of identifiers and members. An entry counts only when its pointer
// opens under the key that only a holder of the identifier can derive.
//
// While one token key replaces another, an identifier has a token of each, and
// an entry meets the one of its own epoch.
package match

import (
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
	Expected(directory.AgencyID, token.Epoch, token.Tag) (casefile.IdentifierID, bool, error)
	EntryTagged(directory.AgencyID, token.Epoch, token.Tag) (feed.Entry, bool, error)
	Expect(directory.AgencyID, token.Epoch, token.Tag, casefile.IdentifierID) error
	Alerts
}

// Alerts is what a match that was found looks up and writes. Muted is told the
// identifier with its tag in the directory's scope, by which the network mutes;
// what it answers yes to raises nothing, and is looked for again when the mute
// is lifted.
type Alerts interface {
	Muted(identifier.Identifier, token.Tag) (bool, error)
	CasesHolding(casefile.IdentifierID) ([]casefile.CaseID, error)
	Raise(alert.Pair, alert.Ground) error
}

// Own is one of our identifiers with the key of its token in one epoch.
type Own struct {
	ID         casefile.IdentifierID
	Identifier identifier.Identifier
	Epoch      token.Epoch
	Key        *token.Key
}

// Arrived looks an entry that author has just sent up among our identifiers.
// open returns the identifier with its key of the entry's epoch, once the number
// is known.
func Arrived(b Book, author directory.AgencyID, e feed.Entry, open func(casefile.IdentifierID, token.Epoch) (Own, error), now time.Time) error {
	id, ours, err := b.Expected(author, e.Epoch, e.Tag)
	if err != nil || !ours {
		return err
	}
	own, err := open(id, e.Epoch)
	if err != nil {
		return err
	}
	defer own.Key.Destroy()
	return raise(b, author, e, own, now)
}

// Announced derives the tag that author would give our identifier, expects it
// from now on, and looks it up among what author has sent.
func Announced(b Book, author directory.AgencyID, own Own, now time.Time) error {
	tag := own.Key.Tag(author.Author())
	if err := b.Expect(author, own.Epoch, tag, own.ID); err != nil {
		return err
	}
	e, sent, err := b.EntryTagged(author, own.Epoch, tag)
	if err != nil || !sent {
		return err
	}
	return raise(b, author, e, own, now)
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
	cases, err := b.CasesHolding(own.ID)
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
