package store

import (
	"errors"
	"fmt"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// Announced is an announcement that stands, in the author's feed for an audience.
type Announced = feed.Announcement

// errNoEntry is what is wrong where a row refers to an entry that is not held.
var errNoEntry = errors.New("its tag is held and it is not")

// maxTagged is the most announcements of one tag that are returned.
const maxTagged = 64

// Sought is a tag that is looked for among those of an author.
type Sought = feed.Probe

// Tagged is TaggedOf for one tag.
func (tx *Tx) Tagged(author directory.AgencyID, e token.Epoch, t token.Tag) ([]Announced, error) {
	list, err := tx.TaggedOf([]Sought{{Author: author, Epoch: e, Tag: t}})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// TaggedOf returns, for each tag of any author, the announcements that stand, up to
// 64 with the lowest numbers.
func (tx *Tx) TaggedOf(list []Sought) ([][]Announced, error) {
	keys := make([]tagKey, len(list))
	for i, s := range list {
		if author, ok := tx.authorOf(s.Author); ok {
			keys[i] = keyOfTag(tableTagged, author, s.Epoch, s.Tag)
		}
	}
	refs, err := tx.lookUp(tableTagged, keys)
	if err != nil {
		return nil, err
	}
	out := make([][]Announced, len(list))
	for i, of := range refs {
		if len(of) > 0 {
			if out[i], err = tx.announced(list[i], of); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// announced reads what a row refers to, and leaves out what another tag has that
// begins as the one sought.
func (tx *Tx) announced(s Sought, refs []ref) ([]Announced, error) {
	author, _ := tx.authorOf(s.Author)
	var list []Announced
	for _, r := range refs {
		f := feedNumber{author, r.audience}
		e, err := tx.entry(f, r.number)
		if errors.Is(err, ErrNotFound) {
			err = errNoEntry // a fault of the store, and not that nothing was found
		}
		if err != nil {
			return nil, fmt.Errorf("announcement %d of %s: %w", r.number, s.Author, err)
		}
		if e.Kind != feed.Announce || e.Epoch != s.Epoch || e.Tag != s.Tag {
			continue
		}
		a, err := tx.audienceOf(f)
		if err != nil {
			return nil, err
		}
		if list = append(list, Announced{Audience: a, Entry: e}); len(list) == maxTagged {
			break
		}
	}
	return list, nil
}

// Expect records that author's entry for our identifier id would have this tag.
func (tx *Tx) Expect(author directory.AgencyID, e token.Epoch, t token.Tag, id casefile.IdentifierID) error {
	n, err := tx.giveAuthor(author)
	if err != nil {
		return err
	}
	return tx.refer(keyOfTag(tableExpected, n, e, t), ref{number: uint64(id)})
}

// Unexpect takes back what Expect recorded, and leaves nothing of it.
func (tx *Tx) Unexpect(author directory.AgencyID, e token.Epoch, t token.Tag, id casefile.IdentifierID) error {
	n, ok := tx.authorOf(author)
	if !ok {
		return nil
	}
	k := keyOfTag(tableExpected, n, e, t)
	rows, err := tx.lookUp(tableExpected, []tagKey{k})
	if err != nil {
		return err
	}
	for _, r := range rows[0] {
		if r.number != uint64(id) {
			return tx.refer(k, ref{number: uint64(id), gone: true})
		}
	}
	return tx.delete(k[:])
}

// Expected returns the identifiers of ours that author's tag may stand for: those
// whose tags begin as this one. That is one or none but for a chance in billions,
// and whoever opens the entry's pointer finds out.
func (tx *Tx) Expected(author directory.AgencyID, e token.Epoch, t token.Tag) ([]casefile.IdentifierID, error) {
	list, err := tx.ExpectedAmong(author, e, []token.Tag{t})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// ExpectedAmong is Expected for many tags of one author, in their order.
func (tx *Tx) ExpectedAmong(author directory.AgencyID, e token.Epoch, tags []token.Tag) ([][]casefile.IdentifierID, error) {
	out := make([][]casefile.IdentifierID, len(tags))
	n, ok := tx.authorOf(author)
	if !ok {
		return out, nil
	}
	keys := make([]tagKey, len(tags))
	for i, t := range tags {
		keys[i] = keyOfTag(tableExpected, n, e, t)
	}
	refs, err := tx.lookUp(tableExpected, keys)
	if err != nil {
		return nil, err
	}
	for i, of := range refs {
		for _, r := range of {
			out[i] = append(out[i], casefile.IdentifierID(r.number))
		}
	}
	return out, nil
}

// DropExpected forgets the tags that author would have given our identifiers in
// the epochs before one.
func (tx *Tx) DropExpected(author directory.AgencyID, before token.Epoch) error {
	return tx.dropEpochs(tableExpected, author, before)
}

// DropTagged forgets the tags that author has announced in the epochs before one.
// The entries stay.
func (tx *Tx) DropTagged(author directory.AgencyID, before token.Epoch) error {
	return tx.dropEpochs(tableTagged, author, before)
}

func (tx *Tx) dropEpochs(table byte, author directory.AgencyID, before token.Epoch) error {
	n, ok := tx.authorOf(author)
	if !ok {
		return nil
	}
	return tx.deleteRange(key(table, number32(n)), key(table, number32(n), number32(before)))
}
