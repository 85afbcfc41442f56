package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"interlock/crypto/token"
	"interlock/protocol/feed"
)

// inEpoch is an announcement of another epoch.
func inEpoch(e token.Epoch, n uint64, tag byte) feed.Entry {
	a := announce(n, tag)
	a.Epoch = e
	return a
}

func TestTagsOfEpochsThatAreOverGoAndAreNotKeptAgain(t *testing.T) {
	s := open(t, options("/store", vfs.NewMem()))
	other := feed.ID{Author: boulder}
	for _, id := range []feed.ID{everyone, other} {
		takes(t, s, id, 1, inEpoch(1, 1, 1), inEpoch(2, 2, 2), inEpoch(3, 3, 3))
	}
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutEpochs(Epochs{Match: []token.Epoch{2, 3}}), tx.DropTagged(denver, 2))
	})
	equal(t, "rows of tags", countRows(t, s, tableTagged), 5)
	// Withdrawals of either, an epoch that is over and one to come.
	late := feed.Entry{Number: 2, Epoch: 1}.Withdrawal(7)
	takes(t, s, everyone, 1, inEpoch(1, 4, 4), inEpoch(9, 5, 5), withdraw(6, 1), late)
	view(t, s, func(tx *Tx) error {
		var list []Sought
		for tag := range byte(6) {
			list = append(list, Sought{Author: denver, Epoch: token.Epoch(tag), Tag: token.Tag{tag}})
		}
		list[4].Epoch, list[5].Epoch = 1, 9
		found, err := tx.TaggedOf(list)
		equal(t, "found", found, [][]Announced{nil, nil, nil, {{Entry: inEpoch(3, 3, 3)}}, nil, {{Entry: inEpoch(9, 5, 5)}}})
		held, err2 := tx.EntriesOf(everyone, []feed.Run{{First: 1, Last: 5}})
		equal(t, "entries held", len(held), 5)
		return errors.Join(err, err2)
	})
	update(t, s, func(tx *Tx) error { return tx.DropTagged("nobody-pd", 2) })
}
