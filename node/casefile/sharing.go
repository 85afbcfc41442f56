package casefile

import (
	"errors"
	"time"

	"interlock/protocol/directory"
)

// Way is what other agencies come to know of an identifier that a case holds.
type Way uint8

// The ways; numbers are stored.
const (
	Share     Way = 0 // it is announced to an audience, and what they announce meets it
	Watch     Way = 1 // nothing leaves the node; what others announce meets it
	Withdrawn Way = 2 // it was announced, and is no more; it meets nothing
)

// Sharing is how a case handles one of its identifiers. The zero value shares
// with every member. Where several cases hold one identifier, it is announced to
// every audience that one of them names.
type Sharing struct {
	Way      Way
	Audience directory.Audience // of Share
}

// ErrSharing refuses a sharing that does not exist.
var ErrSharing = errors.New("no such way of sharing")

// Check refuses a way that does not exist, and an audience for nobody.
func (s Sharing) Check() error {
	if s.Way > Withdrawn || s.Way != Share && s.Audience != directory.Everyone {
		return ErrSharing
	}
	return nil
}

// Matches reports whether what other agencies announce meets the identifier.
func (s Sharing) Matches() bool { return s.Way != Withdrawn }

// Change is that an officer changed how a case handles an identifier.
type Change struct {
	Case       CaseID
	Identifier []byte // its stored form; empty once it was purged
	From, To   Sharing
	Purged     bool // the case forgot it
	By         OfficerName
	At         time.Time
	Withdrawn  []Withdrawal `json:",omitempty"` // the announcements that the change ended
}

// Withdrawal is the entry of our own feed for an audience that ends an
// announcement. Who has that feed up to Number, in whichever generation, has the
// announcement no more: a number is given once in all generations.
type Withdrawal struct {
	Audience directory.Audience
	Number   uint64
}
