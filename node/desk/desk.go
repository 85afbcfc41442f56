// Package desk is what an officer does: signs in, opens cases, writes notes,
// looks through what was found in a file before it is saved, saves it, and
// reads the alerts.
//
// Every call names the officer, and the desk decides whether they may: what
// somebody may not see does not exist for them (ErrNotFound). What an officer
// did wrong comes back as a *casefile.Sentence; every other error is a fault
// of the node.
package desk

import (
	"context"
	"errors"
	"time"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
)

// ErrNotFound is the answer to what is not there, and to what is not for this
// officer.
var ErrNotFound = errors.New("not found")

// Flow is the way of an identifier behind the desk.
type Flow interface {
	// Enter saves identifiers into a case and says what became of them. with,
	// told the same, writes in the same transaction.
	Enter(ctx context.Context, c casefile.CaseID, found []casefile.Found, with func(*store.Tx, Saved) error) (Saved, error)
	// Handle changes how a case handles identifiers that it holds, and records it.
	Handle(ctx context.Context, c casefile.CaseID, ids []identifier.Identifier, to casefile.Sharing, by casefile.OfficerName) error
	// Purge lets a case forget identifiers, and records that it did.
	Purge(ctx context.Context, c casefile.CaseID, ids []identifier.Identifier, by casefile.OfficerName) error
}

// Network is what the desk shows of the federation.
type Network interface {
	Directory() *directory.Directory // nil before admission
	Status() NetworkStatus
}

// Options are what a desk is made from.
type Options struct {
	Agency   directory.Agency
	Store    *store.Store
	Flow     Flow
	Network  Network
	Coverage Covers // nil where nobody says what was compared
	Now      func() time.Time

	// MuteTags derives what the network mutes an identifier by, one tag for each
	// key epoch that matches; nil where there are no keys.
	MuteTags func(identifier.Identifier) ([]MuteTag, error)
	// Unmuted is told that a mute was lifted, so that what it kept back is looked
	// for; nil where nobody looks.
	Unmuted func()
}

// Desk is the officers' side of a node. It may be used from any goroutine.
type Desk struct {
	agency  directory.Agency
	store   *store.Store
	flow    Flow
	network Network
	covers  Covers
	now     func() time.Time
	queue   chan struct{} // holds a place for each password to be hashed
	hashing chan struct{} // and for each that is being hashed
	watch   watchers

	warnings *warnings
	muteTags func(identifier.Identifier) ([]MuteTag, error)
	unmuted  func()
}

// New returns a desk.
func New(o Options) *Desk {
	return &Desk{
		agency: o.Agency, store: o.Store, flow: o.Flow, network: o.Network, covers: o.Coverage, now: o.Now,
		queue: make(chan struct{}, hashesWaiting), hashing: make(chan struct{}, hashesAtOnce),
		watch:    watchers{open: map[*watcher]bool{}},
		warnings: newWarnings(), muteTags: o.MuteTags, unmuted: o.Unmuted,
	}
}

// Agency is this node's own agency.
func (d *Desk) Agency() directory.Agency { return d.agency }

// AgencyOf returns what the directory says of an agency; only the id is set
// where it says nothing.
func (d *Desk) AgencyOf(id directory.AgencyID) directory.Agency {
	if dir := d.network.Directory(); dir != nil {
		if a, ok := dir.Agency(id); ok {
			return a
		}
	}
	return directory.Agency{ID: id, Name: string(id)}
}

// Network is how the federation stands as this node sees it.
func (d *Desk) Network() NetworkStatus { return d.network.Status() }

// NetworkStatus is what of the federation is within reach.
type NetworkStatus struct {
	Standing          directory.Status // of this agency
	RegistryReachable bool
	Waiting           int // identifiers whose token is still to be had; at most 1,000 are counted
	Renewal           Renewal
	Troubles          []string // what an administrator should look into, each a sentence
	Members           []MemberLine
	Refused           []Refused
}

// Renewal is how far this agency's tokens are made anew under a new key of the
// registry. Done is less than Of while it is under way.
type Renewal struct {
	Epoch    uint32 // the key epoch in force; 0 before there is one
	Done, Of int    // identifiers
}

// UnderWay reports whether tokens are still to be made anew.
func (r Renewal) UnderWay() bool { return r.Done < r.Of }

// Refused counts the streams and connections that ended with a code.
type Refused struct {
	Protocol string
	Code     string
	By       string // "us" or "peer"
	Count    uint64
}

// MemberLine is one other agency.
type MemberLine struct {
	Agency    directory.Agency
	Connected bool
	Have      uint64 // entries of its feed on our disk
	Head      uint64 // entries it has, as last heard
	LastHeard time.Time
	Trouble   string // in words; empty if connected

	Ours          uint64 // entries of our feeds that it may have
	Has           uint64 // and of those, what it has acknowledged
	ByOthers      bool   // we are not linked for its feed: its entries come from other members
	SentBytes     uint64 // to it, since the node was started
	ReceivedBytes uint64
}

// Own is how many entries our own feed has.
func (d *Desk) Own() (n uint64, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		var p feed.Position
		p, err = tx.Position(feed.ID{Author: d.agency.ID})
		n = p.Number
		return err
	})
	return n, err
}
