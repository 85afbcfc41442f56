package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/store"
	"interlock/node/tokens"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

const (
	// renewedAtOnce is how many identifiers are announced anew in one
	// transaction; an officer's save waits for no more than that.
	renewedAtOnce = 128
	// sweptAtOnce is for how many members what is left of an epoch is dropped in
	// one transaction.
	sweptAtOnce = 64
	// renewShare is which part of a day's budget may go into tokens made anew;
	// the rest is the officers'.
	renewShare = 2
)

// takeEpochs records which epochs match from now on. Where another one is in
// force, every token that there is must be made anew.
func (f *Flow) takeEpochs(tx *store.Tx, d *directory.Directory, until casefile.IdentifierID) error {
	e, err := tx.Epochs()
	if err != nil {
		return err
	}
	var match []token.Epoch
	for _, k := range d.Epochs {
		match = append(match, k.Epoch)
	}
	daily := d.Policy.DailyOf(f.self) / renewShare
	if slices.Equal(match, e.Match) && daily == e.Daily {
		return nil
	}
	before := e
	e.Match, e.Daily = match, daily
	if e.Current() != before.Current() {
		e.Done, e.Until = 0, until
	}
	if !slices.Equal(match, before.Match) {
		e.Sweeping, e.Swept = true, ""
	}
	return tx.PutEpochs(e)
}

// Renew makes tokens anew that are of an older epoch than the one in force, one
// batch, and announces their identifiers again. It reports whether there may be
// more to do now: there is not when all is done, or today's share of the budget
// is used up.
func (f *Flow) Renew(ctx context.Context) (more bool, err error) {
	var e store.Epochs
	var list []held
	var at casefile.IdentifierID
	today := directory.Day(f.now())
	err = f.store.View(func(tx *store.Tx) error {
		if e, err = tx.Epochs(); err != nil || e.Done >= e.Until {
			return err
		}
		var ids []casefile.IdentifierID
		if ids, at, err = tx.Older(e.Current(), e.Done, e.Until, wire.MaxEvaluate); err != nil {
			return err
		}
		if n := int(left(e, today)); n < len(ids) {
			ids, at = ids[:n], e.Done
			if n > 0 {
				at = ids[n-1]
			}
		}
		list, err = identified(tx, ids)
		return err
	})
	if err != nil || at <= e.Done {
		return false, err
	}
	got := fresh{epoch: e.Current()}
	if len(list) > 0 {
		if got, err = f.request(ctx, identifiersOf(list), e.Current(), tokens.Renewal); err != nil {
			return false, err
		}
	}
	for len(list) > renewedAtOnce {
		if err := f.renew(list[:renewedAtOnce], got, list[renewedAtOnce-1].id, today); err != nil {
			return false, err
		}
		list = list[renewedAtOnce:]
	}
	return at < e.Until, f.renew(list, got, at, today)
}

// left is how many tokens may be made anew today.
func left(e store.Epochs, today uint64) uint64 {
	if e.Day != today {
		return e.Daily
	}
	return e.Daily - min(e.Daily, e.Spent)
}

// renew announces identifiers again, under tokens of the epoch in force, and
// records that all are done up to one. Where the directory has changed meanwhile
// nothing is recorded, and the next step begins with what that says.
func (f *Flow) renew(list []held, got fresh, at casefile.IdentifierID, today uint64) error {
	return f.commit(func(tx *store.Tx, p *pen) error {
		e, err := tx.Epochs()
		if err != nil || e.Current() != got.epoch {
			return err
		}
		for _, h := range list {
			if err := p.settle(h, got, false); err != nil && !errors.Is(err, errWaits) {
				return fmt.Errorf("announce identifier again: %w", err)
			}
		}
		if e.Day != today {
			e.Day, e.Spent = today, 0
		}
		e.Done, e.Spent = max(e.Done, at), e.Spent+uint64(len(list))
		return tx.PutEpochs(e)
	})
}

// Sweep drops, one step, the tags that were expected in epochs that are no more,
// and the tokens that made them; it reports whether more is left.
func (f *Flow) Sweep() (more bool, err error) {
	err = f.store.Update(func(tx *store.Tx) error {
		e, err := tx.Epochs()
		if err != nil || !e.Sweeping || len(e.Match) == 0 {
			return err
		}
		members, err := tx.Members()
		if err != nil {
			return err
		}
		n := 0
		for _, m := range members {
			if m.Agency <= e.Swept {
				continue
			}
			if n++; n > sweptAtOnce {
				more = true
				return tx.PutEpochs(e)
			}
			if err := errors.Join(tx.DropExpected(m.Agency, e.Match[0]), tx.DropTagged(m.Agency, e.Match[0])); err != nil {
				return err
			}
			e.Swept = m.Agency
		}
		if len(e.Match) == 1 {
			if err := tx.DropFormer(); err != nil {
				return err
			}
		}
		e.Sweeping = false
		return tx.PutEpochs(e)
	})
	return more, err
}

// Renewal is how far tokens are made anew.
func (f *Flow) Renewal() (r desk.Renewal, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		e, err := tx.Epochs()
		r = desk.Renewal{Epoch: uint32(e.Current()), Done: int(e.Done), Of: int(e.Until)}
		return err
	})
	return r, err
}
