package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/match"
	"interlock/node/store"
	"interlock/node/tokens"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// Tokens is what the flow asks of the registry.
type Tokens interface {
	Tokens(context.Context, []identifier.Identifier, tokens.Urgency) ([]oprf.Token, token.Epoch, error)
}

// Flow is the way of an identifier through this node: entered by an officer,
// turned into a token, announced to its audience; and from the other side, an
// entry that arrives, matches, and raises an alert. Each step is one atomic
// transaction of the store and can be repeated after a crash.
type Flow struct {
	self      directory.AgencyID
	key       ed25519.PrivateKey
	secrets   atomic.Pointer[map[token.Epoch]token.Secret] // the federation's, by key epoch
	directory atomic.Pointer[directory.Directory]          // in force here; nil before admission
	store     *store.Store
	tokens    Tokens
	now       func() time.Time
	log       *slog.Logger
	raised    func([]alert.Alert) // after they are on the disk
	silent    atomic.Bool         // the registry gave no tokens when last asked

	matching []directory.AgencyID // members that we match with; nil to read them; owned by the writing transaction

	changes  changes       // of the feeds held here
	acks     acks          // of the readers of our feeds
	acked    chan struct{} // receives, without blocking, when there is one
	waiting  chan struct{} // receives, without blocking, when something waits for its token
	joined   chan struct{} // receives, without blocking, when a member must be derived
	compact  chan struct{} // receives, without blocking, when a feed is to forget what was purged
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
	err = f.commit(func(tx *store.Tx, p *pen) error {
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
				err = tx.PutSharing(c, id, found.Sharing)
			} else {
				saved.Already++
			}
			if err != nil {
				return err
			}
			if err := p.settle(held{id, found.Identifier}, got, isNew); errors.Is(err, errWaits) {
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

// own returns an identifier with its key in an epoch.
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

// commit runs one transaction of the flow. Whatever it appended to our feeds is
// signed in it; what it raised is told once it is on the disk.
func (f *Flow) commit(do func(*store.Tx, *pen) error) error {
	return f.commitWith(f.store.Update, do)
}

func (f *Flow) commitWith(update func(func(*store.Tx) error) error, do func(*store.Tx, *pen) error) error {
	var raised []alert.Alert
	var p *pen
	err := update(func(tx *store.Tx) (err error) {
		p = &pen{f: f, tx: tx}
		defer p.wipe()
		if err := do(tx, p); err != nil {
			return err
		}
		if err := p.close(); err != nil {
			return err
		}
		raised, err = tx.Raised()
		return err
	})
	if err != nil {
		return err
	}
	if p.wrote() {
		f.changes.tell(f.self)
	}
	if len(raised) > 0 {
		f.raised(raised)
	}
	return nil
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
