package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/match"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/identifier"
	"interlock/protocol/wire"
)

// Tokens is what the flow asks of the registry.
type Tokens interface {
	Tokens(context.Context, []identifier.Identifier) ([]oprf.Token, token.Epoch, error)
}

// Flow is the way of an identifier through this node: entered by an officer,
// turned into a token, announced in the feed; and from the other side, an
// entry that arrives, matches, and raises an alert. Each step is one atomic
// transaction of the store and can be repeated after a crash.
type Flow struct {
	self    directory.AgencyID
	key     ed25519.PrivateKey
	secrets atomic.Pointer[map[token.Epoch]token.Secret] // the federation's, by key epoch
	store   *store.Store
	tokens  Tokens
	now     func() time.Time
	log     *slog.Logger
	raised  func([]alert.Alert) // after they are on the disk
	silent  atomic.Bool         // the registry gave no tokens when last asked

	mu      sync.Mutex
	changed chan struct{} // owned by mu; closed and replaced when any feed grows
	waiting chan struct{} // receives, without blocking, when something waits for its token
	joined  chan struct{} // receives, without blocking, when a member must be derived
}

// askFor is how long an officer's save waits for tokens before it goes on
// without them.
const askFor = 3 * time.Second

// handling is the code under which identifiers are announced: not for use in
// proceedings without the leave of the agency they came from.
const handling = token.H1

// Enter takes what an officer saves into a case: with tokens if the registry
// gives them now, to wait for them otherwise. with is written in the same
// transaction.
func (f *Flow) Enter(ctx context.Context, c casefile.CaseID, found []casefile.Found, with func(*store.Tx, desk.Saved) error) (saved desk.Saved, err error) {
	tokens, epoch := f.ask(ctx, found)
	err = f.commit(func(tx *store.Tx, w *feed.Writer) error {
		saved = desk.Saved{}
		for _, found := range found {
			id, err := tx.IdentifierID(found.Identifier)
			if err != nil {
				return err
			}
			isNew, err := tx.Hold(c, id, found.Sightings...)
			if err != nil {
				return err
			}
			if isNew {
				saved.Added++
			} else {
				saved.Already++
			}
			if err := f.settle(tx, w, id, found.Identifier, tokens, epoch, isNew); errors.Is(err, errWaits) {
				saved.Waiting++
			} else if err != nil {
				return err
			}
		}
		return with(tx, saved)
	})
	if err == nil && saved.Waiting > 0 {
		poke(f.waiting)
	}
	return saved, err
}

var errWaits = errors.New("the token is still to be had")

// settle brings one held identifier as far along as its token allows.
func (f *Flow) settle(tx *store.Tx, w *feed.Writer, id casefile.IdentifierID, i identifier.Identifier, tokens map[identifier.Identifier]oprf.Token, epoch token.Epoch, isNew bool) error {
	have, of, err := tx.Token(id)
	fresh, got := tokens[i]
	switch {
	case err == nil && isNew: // announced for an earlier case: this one meets what is there
		own, err := f.derived(id, i, have, of)
		if err != nil {
			return err
		}
		return f.look(tx, own)
	case err == nil:
		return nil
	case !errors.Is(err, store.ErrNotFound):
		return err
	case got:
		return f.announce(tx, w, id, i, fresh, epoch)
	}
	if err := tx.Wait(id); err != nil {
		return err
	}
	return errWaits
}

// announce writes the token and the feed entry of an identifier, and looks
// for it among what every member has sent.
func (f *Flow) announce(tx *store.Tx, w *feed.Writer, id casefile.IdentifierID, i identifier.Identifier, t oprf.Token, epoch token.Epoch) error {
	if err := tx.PutToken(id, epoch, t); err != nil {
		return err
	}
	cases, err := tx.CasesHolding(id)
	if err != nil {
		return err
	}
	first, err := tx.Case(cases[0])
	if err != nil {
		return err
	}
	own, err := f.derived(id, i, t, epoch)
	if err != nil {
		return err
	}
	e := feed.Entry{Number: w.Next(), Kind: feed.Announce, Epoch: epoch, Tag: own.Key.Tag(f.self.Author())}
	p := token.Pointer{Case: first.Pointer, Kind: uint8(i.Kind()), Handling: handling}
	if e.Pointer, err = own.Key.Seal(nil, f.self.Author(), e.Number, p); err != nil {
		return err
	}
	if _, err := tx.PutEntry(f.self, e); err != nil {
		return err
	}
	if err := w.Append(e); err != nil {
		return err
	}
	return f.look(tx, own)
}

// look probes for one own identifier in the feed of every active member.
func (f *Flow) look(tx *store.Tx, own match.Own) error {
	defer own.Key.Destroy()
	members, err := tx.Members()
	if err != nil {
		return err
	}
	for _, m := range members {
		if !m.Active {
			continue
		}
		if err := match.Announced(tx, m.Agency, own, f.now()); err != nil {
			return fmt.Errorf("match own identifier with %s: %w", m.Agency, err)
		}
	}
	return nil
}

// Arrive takes a batch of another member's feed: verified against the
// position held, stored, matched and alerted in one transaction. A batch
// without entries, as heartbeats are, is verified and writes nothing.
func (f *Flow) Arrive(author directory.Agency, b feed.Batch) error {
	if len(b.Entries) == 0 {
		return f.confirm(author, b)
	}
	return f.commitWith(f.store.UpdateForeign, func(tx *store.Tx, _ *feed.Writer) error {
		if err := mayArrive(tx, author.ID); err != nil {
			return err
		}
		held, err := tx.Position(author.ID)
		if err != nil {
			return err
		}
		if _, err := b.Verify(author.ID, author.Key, held); err != nil {
			return err
		}
		for _, e := range b.Entries {
			first, err := tx.PutEntry(author.ID, e)
			if err != nil {
				return err
			}
			if !first {
				continue // its tag stands for an earlier entry, whichever side looks
			}
			open := func(id casefile.IdentifierID) (match.Own, error) { return f.own(tx, id) }
			if err := match.Arrived(tx, author.ID, e, open, f.now()); err != nil {
				return fmt.Errorf("match entry %d of %s: %w", e.Number, author.ID, err)
			}
		}
		return tx.PutHead(b.Head)
	})
}

// confirm verifies that we have all of author's feed, as an empty batch says.
func (f *Flow) confirm(author directory.Agency, b feed.Batch) error {
	return f.store.View(func(tx *store.Tx) error {
		if err := mayArrive(tx, author.ID); err != nil {
			return err
		}
		held, err := tx.Position(author.ID)
		if err != nil {
			return err
		}
		_, err = b.Verify(author.ID, author.Key, held)
		return err
	})
}

// mayArrive refuses the feed of who is not an active member.
func mayArrive(tx *store.Tx, author directory.AgencyID) error {
	m, err := tx.Member(author)
	if errors.Is(err, store.ErrNotFound) || err == nil && !m.Active {
		return wire.Refuse(wire.CodeRefused, errors.New("not an active member"))
	}
	return err
}

// own returns an announced identifier with its key.
func (f *Flow) own(tx *store.Tx, id casefile.IdentifierID) (match.Own, error) {
	t, epoch, err := tx.Token(id)
	if err != nil {
		return match.Own{}, err
	}
	i, err := tx.Identifier(id)
	if err != nil {
		return match.Own{}, err
	}
	return f.derived(id, i, t, epoch)
}

// derived is an identifier with the key of its token.
func (f *Flow) derived(id casefile.IdentifierID, i identifier.Identifier, t oprf.Token, epoch token.Epoch) (match.Own, error) {
	secret, ok := f.secret(epoch)
	if !ok {
		return match.Own{}, fmt.Errorf("%w %d", errNoSecret, epoch)
	}
	return match.Own{ID: id, Identifier: i, Epoch: epoch, Key: token.Derive(t, secret, epoch)}, nil
}

var errNoSecret = errors.New("no federation secret yet for key epoch")

// secret is the federation secret of an epoch.
func (f *Flow) secret(e token.Epoch) (token.Secret, bool) {
	held := f.secrets.Load()
	if held == nil {
		return token.Secret{}, false
	}
	secret, ok := (*held)[e]
	return secret, ok
}

// commit runs one transaction of the flow. Whatever it appended to our feed
// is signed in it; what it raised is told once it is on the disk.
func (f *Flow) commit(do func(*store.Tx, *feed.Writer) error) error {
	return f.commitWith(f.store.Update, do)
}

func (f *Flow) commitWith(update func(func(*store.Tx) error) error, do func(*store.Tx, *feed.Writer) error) error {
	var raised []alert.Alert
	grown := false
	err := update(func(tx *store.Tx) error {
		at, err := tx.Position(f.self)
		if err != nil {
			return err
		}
		w := feed.NewWriter(f.self, f.key, at)
		if err := do(tx, w); err != nil {
			return err
		}
		for _, h := range w.Close() {
			if err := tx.PutHead(h); err != nil {
				return err
			}
		}
		grown = tx.Grown()
		raised, err = tx.Raised()
		return err
	})
	if err != nil {
		return err
	}
	if grown {
		f.grown()
	}
	if len(raised) > 0 {
		f.raised(raised)
	}
	return nil
}

// grown wakes everyone who waits for Changed.
func (f *Flow) grown() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

// Changed returns a channel that is closed when a feed held here has grown.
func (f *Flow) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
