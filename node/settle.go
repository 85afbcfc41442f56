package node

import (
	"errors"
	"slices"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// wish is how the cases that hold an identifier want it handled together.
type wish struct {
	audiences []directory.Audience // to which it is to be announced
	matches   bool                 // what others announce meets it
}

// wished reads what the cases that hold an identifier want.
func (p *pen) wished(id casefile.IdentifierID) (w wish, err error) {
	cases, err := p.tx.CasesHolding(id)
	if err != nil {
		return w, err
	}
	for _, c := range cases {
		s, err := p.tx.Sharing(c, id)
		if err != nil {
			return w, err
		}
		w.matches = w.matches || s.Matches()
		if s.Way == casefile.Share && !slices.Contains(w.audiences, s.Audience) {
			w.audiences = append(w.audiences, s.Audience)
		}
	}
	if slices.Contains(w.audiences, directory.Everyone) {
		w.audiences = []directory.Audience{directory.Everyone}
	}
	return w, nil
}

// settle brings one identifier to what its cases wish, as far as its token
// allows: it is announced to the audiences that they name and withdrawn from
// others, and looked for where that is new. errWaits says that its token is
// still to be had.
func (p *pen) settle(h held, got fresh, isNew bool) error {
	w, err := p.wished(h.id)
	if err != nil {
		return err
	}
	standing, err := p.withdrawOthers(h, w)
	if err != nil {
		return err
	}
	if !w.matches {
		return p.tx.WaitNoMore(h.id)
	}
	named, err := p.named(h, standing, got) // a new token may take the place of the one that opens them
	if err != nil {
		return err
	}
	t, renewed, err := p.token(h, got)
	if err != nil {
		return err
	}
	for _, a := range w.audiences {
		if slices.ContainsFunc(standing, func(s store.Standing) bool { return s.Audience == a && s.Epoch == t.Epoch }) {
			continue
		}
		if err := p.announce(h, t, a, named); err != nil {
			return err
		}
	}
	switch {
	case isNew: // it may have its token from an earlier case: this one meets what is there
		return p.lookAll(h)
	case renewed:
		return p.look(h, t)
	}
	return nil
}

// token is the newest token of an identifier that matches, as it is stored or
// has just come. A token that was asked for before the epoch changed comes too
// late.
func (p *pen) token(h held, got fresh) (t store.HeldToken, renewed bool, err error) {
	epochs, err := p.tx.Epochs()
	if err != nil {
		return t, false, err
	}
	stored, of, err := p.tx.Token(h.id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return t, false, err
	}
	waits := err != nil || !epochs.Matches(of)
	fresh, have := got.tokens[h.identifier]
	if have && got.epoch == epochs.Current() && (waits || of != got.epoch) {
		return store.HeldToken{Epoch: got.epoch, Token: fresh}, true, p.tx.PutToken(h.id, got.epoch, fresh)
	}
	if waits {
		return t, false, errors.Join(errWaits, p.tx.Wait(h.id))
	}
	if of != epochs.Current() && h.id <= epochs.Done {
		err = p.tx.Wait(h.id) // the pass that makes tokens anew has gone over it
	}
	return store.HeldToken{Epoch: of, Token: stored}, false, err
}

// withdrawOthers ends what stands for audiences that are not wished, and returns
// what goes on standing.
func (p *pen) withdrawOthers(h held, w wish) ([]store.Standing, error) {
	standing, err := p.tx.Standing(h.id)
	if err != nil {
		return nil, err
	}
	var stays []store.Standing
	for _, s := range standing {
		if slices.Contains(w.audiences, s.Audience) {
			stays = append(stays, s)
			continue
		}
		if err := p.withdraw(h, s); err != nil {
			return nil, err
		}
	}
	return stays, nil
}

// withdraw appends that an announcement stands no more.
func (p *pen) withdraw(h held, s store.Standing) error {
	d, err := p.feed(s.Audience)
	if err != nil {
		return err
	}
	e := feed.Entry{Number: s.Number, Epoch: s.Epoch}.Withdrawal(d.writer.Next())
	d.entries = append(d.entries, e)
	p.withdrawn = append(p.withdrawn, casefile.Withdrawal{Audience: s.Audience, Number: e.Number})
	return errors.Join(d.writer.Append(e), p.tx.DropStanding(h.id, s))
}

// announce appends an announcement of an identifier to an audience.
func (p *pen) announce(h held, t store.HeldToken, a directory.Audience, named map[directory.Audience]token.Pointer) error {
	pointer, err := p.pointer(h, a, named)
	if err != nil {
		return err
	}
	own, err := p.f.derived(h, t.Token, t.Epoch)
	if err != nil {
		return err
	}
	defer own.Key.Destroy()
	d, err := p.feed(a)
	if err != nil {
		return err
	}
	author := p.f.self.Author()
	e := feed.Entry{Number: d.writer.Next(), Kind: feed.Announce, Epoch: t.Epoch, Tag: own.Key.Tag(author)}
	if e.Pointer, err = own.Key.Seal(nil, author, e.Number, pointer); err != nil {
		return err
	}
	d.entries = append(d.entries, e)
	return errors.Join(d.writer.Append(e), p.tx.PutStanding(h.id, store.Standing{Audience: a, Epoch: t.Epoch, Number: e.Number}))
}

// pointer is what an identifier is announced with: the case that it was
// announced with to the same audience in an earlier epoch, so that no other side is alerted of a
// second one, or else the first case that shares it so.
func (p *pen) pointer(h held, a directory.Audience, named map[directory.Audience]token.Pointer) (token.Pointer, error) {
	if before, ok := named[a]; ok {
		return before, nil
	}
	cases, err := p.tx.CasesHolding(h.id)
	if err != nil {
		return token.Pointer{}, err
	}
	for _, id := range cases {
		s, err := p.tx.Sharing(id, h.id)
		if err != nil {
			return token.Pointer{}, err
		}
		if s.Way != casefile.Share || s.Audience != a {
			continue
		}
		c, err := p.tx.Case(id)
		return token.Pointer{Case: c.Pointer, Kind: uint8(h.identifier.Kind()), Handling: handling}, err
	}
	return token.Pointer{}, store.ErrNotFound
}

// named are the pointers of what stands, by audience, where a new token has come.
func (p *pen) named(h held, standing []store.Standing, got fresh) (map[directory.Audience]token.Pointer, error) {
	if _, have := got.tokens[h.identifier]; !have {
		return nil, nil
	}
	named := map[directory.Audience]token.Pointer{}
	for _, s := range standing {
		before, err := p.opened(h, s)
		if errors.Is(err, errNoSecret) || errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		named[s.Audience] = before
	}
	return named, nil
}

// opened is the pointer of an announcement of ours. It cannot be had where the
// secret or the token of its epoch is gone.
func (p *pen) opened(h held, s store.Standing) (token.Pointer, error) {
	own, err := p.f.own(p.tx, h.id, s.Epoch)
	if err != nil {
		return token.Pointer{}, err
	}
	defer own.Key.Destroy()
	e, err := p.tx.Entry(feed.ID{Author: p.f.self, Audience: s.Audience}, s.Number)
	if err != nil {
		return token.Pointer{}, err
	}
	return own.Key.Open(p.f.self.Author(), e.Number, e.Pointer)
}

// repoint withdraws announcements whose pointer names a case that shares the
// identifier with their audience no more; settle then names another.
func (p *pen) repoint(h held, c casefile.Case) error {
	standing, err := p.tx.Standing(h.id)
	if err != nil {
		return err
	}
	for _, s := range standing {
		named, err := p.opened(h, s)
		switch {
		case errors.Is(err, errNoSecret), errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return err
		case named.Case != c.Pointer:
			continue
		}
		shares, err := p.shares(c.ID, h.id, s.Audience)
		if err == nil && !shares {
			err = p.withdraw(h, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shares reports whether a case holds an identifier and announces it to an audience.
func (p *pen) shares(c casefile.CaseID, id casefile.IdentifierID, a directory.Audience) (bool, error) {
	if holds, err := p.tx.Holds(c, id); err != nil || !holds {
		return false, err
	}
	s, err := p.tx.Sharing(c, id)
	return s.Way == casefile.Share && s.Audience == a, err
}
