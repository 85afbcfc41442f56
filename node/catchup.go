package node

import (
	"context"
	"errors"
	"fmt"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/node/tokens"
	"interlock/protocol/identifier"
	"interlock/protocol/wire"
)

// fresh is tokens as the registry gave them.
type fresh struct {
	epoch  token.Epoch
	tokens map[identifier.Identifier]oprf.Token
}

// ask gets the tokens that found still needs, or none where the registry
// does not answer in time. Identifiers whose token is of an older epoch go along
// where there is room.
func (f *Flow) ask(ctx context.Context, found []casefile.Found) fresh {
	var need, older []identifier.Identifier
	var epoch token.Epoch
	err := f.store.View(func(tx *store.Tx) error {
		epochs, err := tx.Epochs()
		if err != nil {
			return err
		}
		epoch = epochs.Current()
		for _, found := range found {
			var of token.Epoch
			id, err := tx.Known(found.Identifier)
			if err == nil {
				_, of, err = tx.Token(id)
			}
			switch {
			case errors.Is(err, store.ErrNotFound):
				need = append(need, found.Identifier)
			case err != nil:
				return err
			case of != epoch:
				older = append(older, found.Identifier)
			}
		}
		return nil
	})
	if len(need)+len(older) <= wire.MaxEvaluate {
		need = append(need, older...)
	}
	if err != nil || len(need) == 0 || f.silent.Load() {
		return fresh{} // while the registry is silent, CatchUp alone asks
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	got, err := f.request(ctx, need, epoch, tokens.Officer)
	if err != nil {
		f.silent.Store(true)
		poke(f.waiting)
		f.log.Warn("no tokens now; identifiers wait", "identifiers", len(need), "cause", err)
		return fresh{}
	}
	return got
}

var (
	errNoKey  = errors.New("the registry has no token key yet")
	errChange = errors.New("the registry's token key is just changing")
)

// request gets tokens of an epoch. It asks for none that could not be used.
func (f *Flow) request(ctx context.Context, need []identifier.Identifier, epoch token.Epoch, u tokens.Urgency) (fresh, error) {
	if epoch == 0 {
		return fresh{}, errNoKey
	}
	if _, ok := f.secret(epoch); !ok {
		return fresh{}, fmt.Errorf("%w %d", errNoSecret, epoch)
	}
	list, of, err := f.tokens.Tokens(ctx, need, u)
	if err != nil {
		return fresh{}, err
	}
	if of != epoch {
		return fresh{}, fmt.Errorf("%w: from %d to %d", errChange, epoch, of)
	}
	got := fresh{epoch: epoch, tokens: make(map[identifier.Identifier]oprf.Token, len(need))}
	for i, t := range list {
		got.tokens[need[i]] = t
	}
	return got, nil
}

// Several batches are asked for at a time, so that one is on its way while
// another is made or checked; they are announced in smaller steps, for an officer's
// save waits for no more than one.
const (
	caughtUpAtOnce  = 4 * wire.MaxEvaluate
	announcedAtOnce = 512
)

// CatchUp announces identifiers that wait for their token, up to caughtUpAtOnce,
// and reports how many it took.
func (f *Flow) CatchUp(ctx context.Context) (int, error) {
	var epoch token.Epoch
	var list []held
	err := f.store.View(func(tx *store.Tx) error {
		epochs, err := tx.Epochs()
		if err != nil {
			return err
		}
		epoch = epochs.Current()
		ids, err := tx.Waiting(caughtUpAtOnce)
		if err != nil {
			return err
		}
		list, err = identified(tx, ids)
		return err
	})
	if err != nil {
		return 0, err
	}
	if len(list) == 0 {
		f.silent.Store(false)
		return 0, nil
	}
	got, err := f.request(ctx, identifiersOf(list), epoch, tokens.Import)
	if err != nil {
		return 0, err
	}
	f.silent.Store(false)
	for rest := list; len(rest) > 0; {
		n := min(len(rest), announcedAtOnce)
		if err := f.settleAll(rest[:n], got); err != nil {
			return 0, fmt.Errorf("announce waiting identifiers: %w", err)
		}
		rest = rest[n:]
	}
	return len(list), nil
}

// settleAll brings identifiers as far along as the tokens that came allow.
func (f *Flow) settleAll(list []held, got fresh) error {
	return f.commit(func(tx *store.Tx, p *pen) error {
		for _, h := range list {
			if err := p.settle(h, got, false); err != nil && !errors.Is(err, errWaits) {
				return err
			}
		}
		return nil
	})
}

// identified reads the identifiers with these numbers.
func identified(tx *store.Tx, ids []casefile.IdentifierID) ([]held, error) {
	list := make([]held, len(ids))
	for n, id := range ids {
		i, err := tx.Identifier(id)
		if err != nil {
			return nil, err
		}
		list[n] = held{id, i}
	}
	return list, nil
}

func identifiersOf(list []held) []identifier.Identifier {
	out := make([]identifier.Identifier, len(list))
	for n, h := range list {
		out[n] = h.identifier
	}
	return out
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
