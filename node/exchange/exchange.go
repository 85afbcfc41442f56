// Package exchange moves feeds between members over links: it serves the feeds
// held here to members who ask, and follows the feed of every other member.
//
// A subscriber names the number and hash it has; the server answers with
// batches from there on, and with each new one as it is written. A batch is
// acknowledged when it is on the subscriber's disk, and only a few may be
// outstanding, so a slow subscriber slows its own stream and nobody else's.
package exchange

import (
	"errors"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/wire"
)

// Log is the feeds that this node holds.
type Log interface {
	// Head is the last signed head of author; ok is false for an empty feed.
	Head(author directory.AgencyID) (h feed.Head, ok bool, err error)
	// HeadAt is the head signed at a number.
	HeadAt(author directory.AgencyID, n uint64) (h feed.Head, ok bool, err error)
	// Batch is what follows since, up to one batch.
	Batch(author directory.AgencyID, since uint64) (feed.Batch, error)
	// Changed is closed when any feed has grown.
	Changed() <-chan struct{}
	// Arrive takes a batch onto the disk.
	Arrive(author directory.Agency, b feed.Batch) error
}

// outstanding is how many batches may be unacknowledged on one stream.
const outstanding = 4

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
