package node

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/protocol/identifier"
)

// handledAtOnce is how many identifiers are handled otherwise in one transaction.
const handledAtOnce = 128

// Handle changes how a case handles identifiers that it holds, and records who
// changed it. What stands for an audience that is not wished any more is
// withdrawn in the same transaction.
func (f *Flow) Handle(ctx context.Context, c casefile.CaseID, ids []identifier.Identifier, to casefile.Sharing, by casefile.OfficerName) error {
	if err := to.Check(); err != nil {
		return err
	}
	return f.inSteps(ctx, ids, func(tx *store.Tx, p *pen, h held) error {
		if holds, err := tx.Holds(c, h.id); err != nil || !holds {
			return err
		}
		from, err := tx.Sharing(c, h.id)
		if err != nil || from == to {
			return err
		}
		change := casefile.Change{Case: c, From: from, To: to, By: by, At: f.now().UTC().Truncate(time.Second)}
		if change.Identifier, err = h.identifier.MarshalBinary(); err != nil {
			return err
		}
		if err := tx.PutSharing(c, h.id, to); err != nil {
			return err
		}
		return p.record(change, func() error { return p.reconsider(h, c, !from.Matches()) })
	})
}

// Purge lets a case forget identifiers. One that no other case holds is gone
// from this node, and from the next generation of our feeds.
func (f *Flow) Purge(ctx context.Context, c casefile.CaseID, ids []identifier.Identifier, by casefile.OfficerName) error {
	defer poke(f.compact)
	return f.inSteps(ctx, ids, func(tx *store.Tx, p *pen, h held) error {
		holds, err := tx.Holds(c, h.id)
		if err != nil || !holds {
			return err
		}
		from, err := tx.Sharing(c, h.id)
		if err != nil {
			return err
		}
		standing, err := tx.Standing(h.id)
		if err != nil {
			return err
		}
		change := casefile.Change{Case: c, From: from, Purged: true, By: by, At: f.now().UTC().Truncate(time.Second)}
		if err := tx.Unhold(c, h.id); err != nil {
			return err
		}
		if err := p.forget(); err != nil {
			return err
		}
		others, err := tx.CasesHolding(h.id)
		if err != nil {
			return err
		}
		return p.record(change, func() error {
			if len(others) > 0 {
				return p.reconsider(h, c, false)
			}
			return p.erase(h, standing)
		})
	})
}

// record writes a change with what is withdrawn by carrying it out. That a token is
// still to be had is no fault.
func (p *pen) record(change casefile.Change, carryOut func() error) error {
	before := len(p.withdrawn)
	done := carryOut()
	if done != nil && !errors.Is(done, errWaits) {
		return done
	}
	change.Withdrawn = slices.Clone(p.withdrawn[before:])
	if err := p.tx.AddChange(change); err != nil {
		return err
	}
	return done
}

// inSteps calls do with each identifier that we hold, some in a transaction.
func (f *Flow) inSteps(ctx context.Context, ids []identifier.Identifier, do func(*store.Tx, *pen, held) error) error {
	waits := false
	for len(ids) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(ids), handledAtOnce)
		err := f.commit(func(tx *store.Tx, p *pen) error {
			for _, i := range ids[:n] {
				id, err := tx.Known(i)
				if errors.Is(err, store.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				if err := do(tx, p, held{id, i}); errors.Is(err, errWaits) {
					waits = true
				} else if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		ids = ids[n:]
	}
	if waits {
		poke(f.waiting)
	}
	return nil
}

// reconsider brings an identifier to what its cases wish, after one of them has
// changed its mind.
func (p *pen) reconsider(h held, c casefile.CaseID, isNew bool) error {
	changed, err := p.tx.Case(c)
	if err != nil {
		return err
	}
	if err := p.repoint(h, changed); err != nil {
		return err
	}
	return p.settle(h, fresh{}, isNew)
}

// erase withdraws an identifier that no case holds, and forgets it.
func (p *pen) erase(h held, standing []store.Standing) error {
	for _, s := range standing {
		if err := p.withdraw(h, s); err != nil {
			return err
		}
	}
	members, err := p.tx.Members()
	if err != nil {
		return err
	}
	tokens, err := p.tx.Matching(h.id)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		own, err := p.f.derived(h, t.Token, t.Epoch)
		if err != nil {
			return err
		}
		for _, m := range members {
			if err := p.tx.Unexpect(m.Agency, t.Epoch, own.Key.Tag(m.Agency.Author()), h.id); err != nil {
				own.Key.Destroy()
				return err
			}
		}
		own.Key.Destroy()
	}
	return p.tx.Forget(h.id)
}

// MuteTags are the tags in the directory's scope of an identifier that we hold: what
// the network's policy would mute it by, one for each key epoch that matches.
func (f *Flow) MuteTags(i identifier.Identifier) (list []desk.MuteTag, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		id, err := tx.Known(i)
		if err != nil {
			return err
		}
		tokens, err := tx.Matching(id)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			own, err := f.derived(held{id, i}, t.Token, t.Epoch)
			if err != nil {
				return err
			}
			tag := own.Key.Tag(token.DirectoryScope)
			own.Key.Destroy()
			list = append(list, desk.MuteTag{Epoch: uint32(t.Epoch), Tag: hex.EncodeToString(tag[:])})
		}
		return nil
	})
	return list, err
}
