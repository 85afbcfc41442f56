package node

import (
	"context"
	"errors"
	"fmt"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/match"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
	"interlock/protocol/wire"
)

// derivedAtOnce is how many identifiers are derived for a member in one
// transaction.
const derivedAtOnce = 512

// ask gets the tokens that found still needs, or none where the registry
// does not answer in time.
func (f *Flow) ask(ctx context.Context, found []casefile.Found) (map[identifier.Identifier]oprf.Token, token.Epoch) {
	var need []identifier.Identifier
	err := f.store.View(func(tx *store.Tx) error {
		for _, found := range found {
			id, err := tx.Known(found.Identifier)
			if err == nil {
				_, _, err = tx.Token(id)
			}
			if errors.Is(err, store.ErrNotFound) {
				need = append(need, found.Identifier)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(need) == 0 || f.silent.Load() {
		return nil, 0 // while the registry is silent, CatchUp alone asks
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	tokens, epoch, err := f.request(ctx, need)
	if err != nil {
		f.silent.Store(true)
		f.log.Warn("no tokens now; identifiers wait", "identifiers", len(need), "cause", err)
		return nil, 0
	}
	return tokens, epoch
}

// request gets tokens in batches of what one evaluation may hold.
func (f *Flow) request(ctx context.Context, need []identifier.Identifier) (map[identifier.Identifier]oprf.Token, token.Epoch, error) {
	tokens := make(map[identifier.Identifier]oprf.Token, len(need))
	var epoch token.Epoch
	for len(need) > 0 {
		n := min(len(need), wire.MaxEvaluate)
		got, of, err := f.tokens.Tokens(ctx, need[:n])
		if err != nil {
			return nil, 0, err
		}
		if _, ok := f.secret(of); !ok {
			return nil, 0, fmt.Errorf("%w %d", errNoSecret, of)
		}
		if epoch != 0 && of != epoch {
			return nil, 0, fmt.Errorf("epoch changed from %d to %d between two batches", epoch, of)
		}
		epoch = of
		for i, t := range got {
			tokens[need[i]] = t
		}
		need = need[n:]
	}
	return tokens, epoch, nil
}

// CatchUp announces identifiers that wait for their token, up to one batch,
// and reports how many it took.
func (f *Flow) CatchUp(ctx context.Context) (int, error) {
	var ids []casefile.IdentifierID
	var need []identifier.Identifier
	err := f.store.View(func(tx *store.Tx) (err error) {
		if ids, err = tx.Waiting(wire.MaxEvaluate); err != nil {
			return err
		}
		need = make([]identifier.Identifier, len(ids))
		for n, id := range ids {
			if need[n], err = tx.Identifier(id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		f.silent.Store(false)
		return 0, nil
	}
	tokens, epoch, err := f.request(ctx, need)
	if err != nil {
		return 0, err
	}
	f.silent.Store(false)
	return len(ids), f.commit(func(tx *store.Tx, w *feed.Writer) error {
		for n, id := range ids {
			if err := f.settle(tx, w, id, need[n], tokens, epoch, false); err != nil {
				return fmt.Errorf("announce waiting identifier: %w", err)
			}
		}
		return nil
	})
}

// Join takes a new directory: members that are new, or back, are to be
// derived; members that are out stop matching with this transaction. Where we
// are out ourselves, so is everybody else.
func (f *Flow) Join(d *directory.Directory, save func(*store.Tx) error) error {
	err := f.store.Update(func(tx *store.Tx) error {
		until, err := tx.LastIdentifier()
		if err != nil {
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
		return save(tx)
	})
	if err == nil {
		poke(f.joined)
	}
	return err
}

// Leave stops matching with everybody, until a directory has us active again.
func (f *Flow) Leave() error {
	return f.store.Update(func(tx *store.Tx) error {
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
// from the first identifier on: what was announced meanwhile left it out.
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
	}
	return tx.PutMember(m)
}

// DeriveNext derives our identifiers' tags for members that joined after
// them, one step, and reports whether more is left.
func (f *Flow) DeriveNext() (more bool, err error) {
	err = f.commit(func(tx *store.Tx, _ *feed.Writer) error {
		members, err := tx.Members()
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.Active && m.Done < m.Until {
				more = true
				return f.derive(tx, m)
			}
		}
		return nil
	})
	return more, err
}

func (f *Flow) derive(tx *store.Tx, m store.Member) error {
	end := min(m.Until, m.Done+derivedAtOnce)
	for id := m.Done + 1; id <= end; id++ {
		own, err := f.own(tx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // waits for its token, and will be looked for when it has it
		}
		if err != nil {
			return err
		}
		err = match.Announced(tx, m.Agency, own, f.now())
		own.Key.Destroy()
		if err != nil {
			return err
		}
	}
	m.Done = end
	return tx.PutMember(m)
}

// countWaiting bounds what Waiting counts.
const countWaiting = 1000

// Waiting is how many identifiers wait for their token; at most countWaiting
// are counted.
func (f *Flow) Waiting() (n int, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		ids, err := tx.Waiting(countWaiting)
		n = len(ids)
		return err
	})
	return n, err
}
