// Package exchange moves feeds between members over links: it serves the feeds
// held here to members who may have them, and follows the feeds of others.
//
// A subscriber names an author and how far it has each of the author's feeds.
// The server answers with what follows in every feed whose audience the
// subscriber is in, and with each new batch as it is written. A batch is
// acknowledged when it is on the subscriber's disk, and only a few may be
// outstanding, so a slow subscriber slows its own stream and nobody else's.
//
// Anybody who holds a feed can serve it, since every batch ends in a head that
// its author signed. Nobody serves a feed to a member outside its audience, and to
// them it does not exist.
package exchange

import (
	"errors"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// Held is how far a feed is held here.
type Held struct {
	feed.ID
	feed.Position        // in the newest generation of which something is held
	Former        uint64 // entries up to this number are held from a former generation
}

// Source is the feeds that this node can serve.
type Source interface {
	// Servable are the feeds of author that reader may have, by audience, and the
	// last signed position of each. One that is being moved to a new generation is
	// not among them.
	Servable(author, reader directory.AgencyID) ([]Held, error)
	// HeadAt is the head signed at a number of a generation.
	HeadAt(id feed.ID, generation uint32, n uint64) (h feed.Head, ok bool, err error)
	// Batch is what follows since in a feed, up to one batch; of no generation where
	// the feed has just begun to move to another.
	Batch(id feed.ID, since uint64) (feed.Batch, error)
	// KeptBatch is Batch for a reader that holds the entries up to until from a
	// former generation: of those it only says which belong to this one.
	KeptBatch(id feed.ID, since, until uint64) (feed.Batch, error)
	// Changed is closed when a feed of author has grown or moved.
	Changed(author directory.AgencyID) <-chan struct{}
}

// Sink takes what arrives.
type Sink interface {
	// Holds is how far each feed of author is held here, by audience.
	Holds(author directory.AgencyID) ([]Held, error)
	// HeadAt is the head signed at a number of a generation.
	HeadAt(id feed.ID, generation uint32, n uint64) (h feed.Head, ok bool, err error)
	// Arrive takes batches of author's feeds onto the disk, in order.
	Arrive(author directory.Agency, batches []feed.Batch) error
}

// ErrNotForUs refuses a feed of an audience in which, as the directory is known
// here, we are not. The server may know a newer one; other feeds go on.
var ErrNotForUs = errors.New("a feed for an audience that we are not in")

// outstanding is how many batches may be unacknowledged on one stream.
const outstanding = 8

// refusal turns what is wrong with a peer's bytes into the code it is told.
func refusal(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, feed.ErrMalformed):
		return wire.Refuse(wire.CodeMalformed, err)
	case errors.Is(err, feed.ErrGap), errors.Is(err, feed.ErrStale):
		return wire.Refuse(wire.CodeGap, err)
	case errors.Is(err, feed.ErrForged):
		return wire.Refuse(wire.CodeForged, err)
	}
	return err
}
