package node

import (
	"errors"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// derivedAtOnce is how many identifiers are derived for a member in one
// transaction, and derivedTogether for how many members.
const (
	derivedAtOnce   = 512
	derivedTogether = 16
)

// Join takes a new directory: the token keys that it names match; members that are new, or back, are to be
// derived; members that are out stop matching with this transaction. Where we
// are out ourselves, so is everybody else.
func (f *Flow) Join(d *directory.Directory, save func(*store.Tx) error) error {
	// What a directory closes is closed before it is on the disk.
	f.directory.Store(d)
	err := f.store.Update(func(tx *store.Tx) error {
		until, err := tx.LastIdentifier()
		if err != nil {
			return err
		}
		if err := f.takeEpochs(tx, d, until); err != nil {
			return err
		}
		own, _ := d.Agency(f.self)
		listed := make(map[directory.AgencyID]bool)
		for _, a := range d.Agencies {
			listed[a.ID] = true
			if a.ID == f.self {
				continue
			}
			if err := f.admit(tx, a.ID, a.Status == directory.Active && own.Status == directory.Active, until); err != nil {
				return err
			}
		}
		members, err := tx.Members()
		if err != nil {
			return err
		}
		for _, m := range members {
			if !listed[m.Agency] {
				if err := f.admit(tx, m.Agency, false, until); err != nil {
					return err
				}
			}
		}
		if err := tx.PutMutedTags(d.Policy.Muted); err != nil {
			return err
		}
		return save(tx)
	})
	if err == nil {
		poke(f.joined)
		f.changes.tellAll()
	}
	return err
}

// Leave stops matching with everybody, until a directory has us active again; unless
// one has come since seen.
func (f *Flow) Leave(seen *directory.Directory) error {
	return f.store.Update(func(tx *store.Tx) error {
		if f.directory.Load() != seen {
			return nil
		}
		members, err := tx.Members()
		if err != nil {
			return err
		}
		for _, m := range members {
			if err := f.admit(tx, m.Agency, false, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// admit records whether a member is active. One that becomes so is derived
// from the first identifier on: what was announced meanwhile left it out. If it
// was out because it forked its feed, the registry has forgiven it.
func (f *Flow) admit(tx *store.Tx, id directory.AgencyID, active bool, until casefile.IdentifierID) error {
	m, err := tx.Member(id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && m.Active == active {
		return nil
	}
	m = store.Member{Agency: id, Active: active}
	if active {
		m.Until = until
		if err := tx.DropForks(id); err != nil {
			return err
		}
	}
	f.matching = nil
	return tx.PutMember(m)
}

// lookedAgainAtOnce is how many identifiers whose mute was lifted are looked for in
// one transaction.
const lookedAgainAtOnce = 256

// LookAgain looks for identifiers whose mute was lifted among what every member has
// sent, one step, and reports whether more are left.
func (f *Flow) LookAgain() (more bool, err error) {
	err = f.commit(func(tx *store.Tx, p *pen) error {
		ids, err := tx.LookAgain(lookedAgainAtOnce)
		if err != nil {
			return err
		}
		more = len(ids) > 0
		for _, id := range ids {
			i, err := tx.Identifier(id)
			if err == nil {
				err = p.lookAll(held{id, i})
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err := tx.Looked(id); err != nil {
				return err
			}
		}
		return nil
	})
	return more, err
}

// DeriveNext derives our identifiers' tags for members that joined after
// them, one step, and reports whether more is left. Members that are equally far go
// together: an identifier's key is made once for all of them.
func (f *Flow) DeriveNext() (more bool, err error) {
	err = f.commit(func(tx *store.Tx, p *pen) error {
		members, err := tx.Members()
		if err != nil {
			return err
		}
		var group []store.Member
		for _, m := range members {
			if !m.Active || m.Done >= m.Until || len(group) == derivedTogether {
				continue
			}
			if len(group) == 0 || m.Done == group[0].Done && m.Until == group[0].Until {
				group = append(group, m)
			}
		}
		if more = len(group) > 0; !more {
			return nil
		}
		return p.derive(group)
	})
	return more, err
}

func (p *pen) derive(group []store.Member) error {
	end := min(group[0].Until, group[0].Done+derivedAtOnce)
	for id := group[0].Done + 1; id <= end; id++ {
		i, err := p.tx.Identifier(id)
		if errors.Is(err, store.ErrNotFound) {
			continue // purged
		}
		if err != nil {
			return err
		}
		w, err := p.wished(id)
		if err != nil {
			return err
		}
		if !w.matches {
			continue
		}
		// One that waits for its token will be looked for when it has it.
		if err := p.lookAll(held{id, i}); err != nil {
			return err
		}
	}
	p.members = []directory.AgencyID{}
	for _, m := range group {
		p.members = append(p.members, m.Agency)
		m.Done = end
		if err := p.tx.PutMember(m); err != nil {
			return err
		}
	}
	return nil
}

// CloseAudiences drops the feeds of others that are held here and whose audience we
// are in no more, one at a time; it reports whether it dropped one.
func (f *Flow) CloseAudiences() (dropped bool, err error) {
	d := f.directory.Load()
	if d == nil {
		return false, nil
	}
	var closed *feed.ID
	err = f.store.View(func(tx *store.Tx) error {
		closed, err = f.closed(tx, d)
		return err
	})
	if err != nil || closed == nil {
		return false, err
	}
	return true, f.store.Update(func(tx *store.Tx) error { return tx.DropFeed(*closed) })
}

// closed is a feed that is held here and not for us, nil if there is none. What was
// held of a member that is out stays, for it may come back; and so does all while we
// are out.
func (f *Flow) closed(tx *store.Tx, d *directory.Directory) (*feed.ID, error) {
	if own, ok := d.Agency(f.self); !ok || own.Status != directory.Active {
		return nil, nil
	}
	members, err := tx.Members()
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if !m.Active {
			continue
		}
		feeds, err := tx.Feeds(m.Agency)
		if err != nil {
			return nil, err
		}
		for _, s := range feeds {
			if !s.ID.Audience.Admits(d, m.Agency, f.self) {
				return &s.ID, nil
			}
		}
	}
	return nil, nil
}
