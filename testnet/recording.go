package testnet

import (
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// Recording is what an agency has announced to every member, as it serves it.
type Recording []feed.Batch

// Records reads what the agency has announced so far.
func (a *Agency) Records() (r Recording, err error) {
	id := feed.ID{Author: directory.AgencyID(a.ID)}
	for since := uint64(0); ; since = r.end().Number {
		var b feed.Batch
		if err = a.Node().View(func(tx *store.Tx) error { b, err = tx.Batch(id, since); return err }); err != nil {
			return nil, err
		}
		if len(b.Entries) == 0 && len(r) > 0 {
			return r, nil
		}
		r = append(r, b)
		if b.Head.Number == b.Last {
			return r, nil
		}
	}
}

func (r Recording) end() feed.Head { return r[len(r)-1].Head }

// after is the batch that begins after an entry; the last one, without its
// entries, where there is none.
func (r Recording) after(n uint64) feed.Batch {
	for _, b := range r {
		if b.Head.Number > n && (len(b.Entries) == 0 || b.Entries[0].Number > n) {
			return b
		}
	}
	return feed.Batch{Head: r.end(), Last: r.end().Number}
}
