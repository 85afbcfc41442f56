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

	evidence chan struct{} // receives, without blocking, when a fork is to be reported
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
	got := f.ask(ctx, found)
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
			if err := f.settle(tx, w, held{id, found.Identifier}, got, isNew); errors.Is(err, errWaits) {
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

// held is one of our identifiers with its number.
type held struct {
	id         casefile.IdentifierID
	identifier identifier.Identifier
}

var errWaits = errors.New("the token is still to be had")

// settle brings one held identifier as far along as its token allows: with a
// token of the epoch in force it is announced, where it is not yet.
func (f *Flow) settle(tx *store.Tx, w *feed.Writer, h held, got fresh, isNew bool) error {
	epochs, err := tx.Epochs()
	if err != nil {
		return err
	}
	_, of, err := tx.Token(h.id)
	waits := errors.Is(err, store.ErrNotFound)
	if err != nil && !waits {
		return err
	}
	// A token that was asked for before the epoch changed comes too late.
	t, have := got.tokens[h.identifier]
	switch have = have && got.epoch == epochs.Current(); {
	case have && (waits || of != got.epoch):
		if err := f.announce(tx, w, h, t, got.epoch); err != nil || waits {
			return err
		}
	case waits:
		if err := tx.Wait(h.id); err != nil {
			return err
		}
		return errWaits
	}
	if !isNew {
		return nil
	}
	// Announced for an earlier case: this one meets what is there.
	return f.each(tx, h, func(own match.Own) error { return f.look(tx, own) })
}

// announce writes the token and the feed entry of an identifier, and looks
// for it among what every member has sent.
func (f *Flow) announce(tx *store.Tx, w *feed.Writer, h held, t oprf.Token, epoch token.Epoch) error {
	p, err := f.pointer(tx, h)
	if err != nil {
		return err
	}
	if err := tx.PutToken(h.id, epoch, t); err != nil {
		return err
	}
	own, err := f.derived(h, t, epoch)
	if err != nil {
		return err
	}
	defer own.Key.Destroy()
	e := feed.Entry{Number: w.Next(), Kind: feed.Announce, Epoch: epoch, Tag: own.Key.Tag(f.self.Author())}
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

// pointer is what an identifier is announced with: the case that it was
// announced with in an earlier epoch, so that no other side is alerted of a
// second one, or else the first that holds it.
func (f *Flow) pointer(tx *store.Tx, h held) (token.Pointer, error) {
	t, epoch, err := tx.Token(h.id)
	if err == nil {
		if p, ok, err := f.announced(tx, h, t, epoch); err != nil || ok {
			return p, err
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return token.Pointer{}, err
	}
	cases, err := tx.CasesHolding(h.id)
	if err != nil {
		return token.Pointer{}, err
	}
	first, err := tx.Case(cases[0])
	return token.Pointer{Case: first.Pointer, Kind: uint8(h.identifier.Kind()), Handling: handling}, err
}

// announced opens the pointer of our own entry in an epoch; it cannot where the
// secret of that epoch is gone.
func (f *Flow) announced(tx *store.Tx, h held, t oprf.Token, epoch token.Epoch) (p token.Pointer, ok bool, err error) {
	own, err := f.derived(h, t, epoch)
	if errors.Is(err, errNoSecret) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	defer own.Key.Destroy()
	e, ok, err := tx.EntryTagged(f.self, epoch, own.Key.Tag(f.self.Author()))
	if err != nil || !ok {
		return p, false, err
	}
	if p, err = own.Key.Open(f.self.Author(), e.Number, e.Pointer); err != nil {
		return p, false, fmt.Errorf("own entry %d: %w", e.Number, err)
	}
	return p, true, nil
}

// look probes for one own identifier in the feed of every active member.
func (f *Flow) look(tx *store.Tx, own match.Own) error {
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
		epochs, err := tx.Epochs()
		if err != nil {
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
			if !epochs.Matches(e.Epoch) {
				continue // retired; or to come, and then our own tokens will look for it
			}
			open := func(id casefile.IdentifierID, e token.Epoch) (match.Own, error) { return f.own(tx, id, e) }
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

// mayArrive refuses the feed of who is not an active member, or has forked it.
func mayArrive(tx *store.Tx, author directory.AgencyID) error {
	m, err := tx.Member(author)
	if errors.Is(err, store.ErrNotFound) || err == nil && !m.Active {
		return wire.Refuse(wire.CodeRefused, errors.New("not an active member"))
	}
	if err != nil {
		return err
	}
	if forked, err := tx.Forked(author); err != nil || !forked {
		return err
	}
	return errForked
}

// own returns an announced identifier with its key in an epoch.
func (f *Flow) own(tx *store.Tx, id casefile.IdentifierID, epoch token.Epoch) (match.Own, error) {
	t, err := tx.TokenOf(id, epoch)
	if err != nil {
		return match.Own{}, err
	}
	i, err := tx.Identifier(id)
	if err != nil {
		return match.Own{}, err
	}
	return f.derived(held{id, i}, t, epoch)
}

// each calls do with an identifier's key in every epoch that matches.
func (f *Flow) each(tx *store.Tx, h held, do func(match.Own) error) error {
	tokens, err := tx.Matching(h.id)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		own, err := f.derived(h, t.Token, t.Epoch)
		if err != nil {
			return err
		}
		err = do(own)
		own.Key.Destroy()
		if err != nil {
			return err
		}
	}
	return nil
}

// derived is an identifier with the key of its token in an epoch.
func (f *Flow) derived(h held, t oprf.Token, epoch token.Epoch) (match.Own, error) {
	secret, ok := f.secret(epoch)
	if !ok {
		return match.Own{}, fmt.Errorf("%w %d", errNoSecret, epoch)
	}
	return match.Own{ID: h.id, Identifier: h.identifier, Epoch: epoch, Key: token.Derive(t, secret, epoch)}, nil
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
