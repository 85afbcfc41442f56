package node

import (
	"cmp"
	"sync"
	"time"

	"interlock/node/store"
	"interlock/protocol/directory"
)

// acksAtOnce is how long acknowledgements are gathered before they are written
// together: one save is acknowledged by every member, and is to cost one write.
const acksAtOnce = 250 * time.Millisecond

// acks are acknowledgements that are not on the disk yet. One that a crash takes is
// given again when its reader is back.
type acks struct {
	mu sync.Mutex
	of map[ackOf]ackAt // owned by mu
}

type ackOf struct {
	reader   directory.AgencyID
	audience directory.Audience
}

type ackAt struct {
	generation uint32
	number     uint64
}

func (a ackAt) before(b ackAt) bool {
	return cmp.Or(cmp.Compare(a.generation, b.generation), cmp.Compare(a.number, b.number)) < 0
}

// Acknowledge notes what a reader has of a feed of ours.
func (f *Flow) Acknowledge(reader directory.AgencyID, a directory.Audience, generation uint32, number uint64) {
	f.acks.mu.Lock()
	defer f.acks.mu.Unlock()
	if f.acks.of == nil {
		f.acks.of = map[ackOf]ackAt{}
	}
	of, at := ackOf{reader, a}, ackAt{generation, number}
	if f.acks.of[of].before(at) {
		f.acks.of[of] = at
	}
	poke(f.acked)
}

// PutAcks writes what was acknowledged.
func (f *Flow) PutAcks() error {
	f.acks.mu.Lock()
	taken := f.acks.of
	f.acks.of = nil
	f.acks.mu.Unlock()
	if len(taken) == 0 {
		return nil
	}
	return f.store.UpdateForeign(func(tx *store.Tx) error {
		for of, at := range taken {
			if err := tx.Acknowledge(of.reader, of.audience, at.generation, at.number); err != nil {
				return err
			}
		}
		return nil
	})
}

// keepAcks writes acknowledgements as they come, some at a time.
func (n *Node) keepAcks() {
	for n.wait(time.Hour, n.flow.acked) && n.wait(acksAtOnce, nil) {
		if err := n.flow.PutAcks(); err != nil {
			n.o.Log.Error("acknowledgements could not be written; they come again", "cause", err)
		}
	}
}
