package node

import (
	"errors"

	"interlock/node/casefile"
	"interlock/node/match"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// pen is what one transaction writes of our identifiers: entries of our feeds,
// and what is to be looked for among those of others.
type pen struct {
	f       *Flow
	tx      *store.Tx
	feeds   []*draft
	looks   []match.Own
	members []directory.AgencyID // with whom looks are looked for; nil for every active one

	withdrawn []casefile.Withdrawal // what was withdrawn so far
}

// draft is what is appended to one of our feeds.
type draft struct {
	id      feed.ID
	writer  *feed.Writer
	entries []feed.Entry
}

// look will look an identifier up, with the key of one token.
func (p *pen) look(h held, t store.HeldToken) error {
	own, err := p.f.derived(h, t.Token, t.Epoch)
	if err == nil {
		p.looks = append(p.looks, own)
	}
	return err
}

// lookAll will look an identifier up in every epoch that matches.
func (p *pen) lookAll(h held) error {
	tokens, err := p.tx.Matching(h.id)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if err := p.look(h, t); err != nil {
			return err
		}
	}
	return nil
}

// feed is the draft of our feed for an audience.
func (p *pen) feed(a directory.Audience) (*draft, error) {
	for _, d := range p.feeds {
		if d.id.Audience == a {
			return d, nil
		}
	}
	id := feed.ID{Author: p.f.self, Audience: a}
	if err := roomFor(p.tx, id, errAudiences); err != nil {
		return nil, err
	}
	at, err := p.tx.Position(id)
	if err != nil {
		return nil, err
	}
	d := &draft{id: id, writer: feed.NewWriter(id, p.f.key, at)}
	p.feeds = append(p.feeds, d)
	return d, nil
}

// errAudiences is what an officer is told who would open one feed too many.
var errAudiences = &casefile.Sentence{
	Text: "This agency shares with as many different sets of agencies as it may.",
	Hint: "Choose one that it shares with already, or a group of the network.",
}

// roomFor returns full if a feed is new and its author has as many as one may have.
func roomFor(tx *store.Tx, id feed.ID, full error) error {
	if _, err := tx.Feed(id); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	feeds, err := tx.Feeds(id.Author)
	if err == nil && len(feeds) >= directory.MaxAudiences {
		return full
	}
	return err
}

func (p *pen) wrote() bool { return len(p.feeds) > 0 }

// close looks for what is to be looked for, signs our feeds, and writes them.
func (p *pen) close() error {
	if len(p.looks) > 0 {
		members := p.members
		if members == nil {
			var err error
			if members, err = p.active(); err != nil {
				return err
			}
		}
		d := p.f.directory.Load()
		admits := func(id feed.ID) bool { return id.Audience.Admits(d, id.Author, p.f.self) }
		if err := match.Announced(p.tx, members, p.looks, admits, p.f.now()); err != nil {
			return err
		}
	}
	for _, d := range p.feeds {
		if err := p.tx.PutEntries(d.id, d.entries); err != nil {
			return err
		}
		for _, h := range d.writer.Close() {
			if err := p.tx.PutHead(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// active are the members that we match with. They are read once, and again after a
// transaction that may have changed who they are.
func (p *pen) active() ([]directory.AgencyID, error) {
	if p.f.matching != nil {
		return p.f.matching, nil
	}
	members, err := p.tx.Members()
	if err != nil {
		return nil, err
	}
	list := []directory.AgencyID{}
	for _, m := range members {
		if m.Active {
			list = append(list, m.Agency)
		}
	}
	p.f.matching = list
	return list, nil
}

// wipe erases the keys that were looked with.
func (p *pen) wipe() {
	for _, own := range p.looks {
		own.Key.Destroy()
	}
}
