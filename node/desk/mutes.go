package desk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"interlock/node/casefile"
	"interlock/node/commons"
	"interlock/node/store"
	"interlock/protocol/identifier"
)

// Limits of what the pages of common values show, and of a reason.
const (
	ShownMutes    = 500
	ShownCases    = 50
	MaxMuteReason = 300 // runes
)

// MuteTag is what the operators put into the network's policy to mute an
// identifier for everybody; only who holds the identifier recognises it.
type MuteTag struct {
	Epoch uint32 // the key epoch that it is of
	Tag   string // 32 hexadecimal digits
}

// Value is one identifier that the agency holds.
type Value struct {
	ID         casefile.IdentifierID
	Identifier identifier.Identifier
	Warning    commons.Warning // its List is empty where there is none
	Muted      store.Muted
	Events     []store.MuteEvent
	Cases      []casefile.Case // that the officer may read, at most ShownCases
	Held       int             // in how many of the agency's cases
	Tags       []MuteTag       // for who may mute
}

// MayMute reports whether an officer decides what is common: a supervisor, who
// reads every case.
func MayMute(by casefile.Officer) bool { return by.Role == casefile.Supervisor }

// Value returns an identifier of one of the officer's cases.
func (d *Desk) Value(by casefile.Officer, id casefile.IdentifierID) (v Value, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		v, err = d.value(tx, by, id)
		return err
	})
	if err == nil && MayMute(by) && d.muteTags != nil {
		v.Tags, err = d.muteTags(v.Identifier)
	}
	return v, err
}

func (d *Desk) value(tx *store.Tx, by casefile.Officer, id casefile.IdentifierID) (Value, error) {
	v := Value{ID: id}
	i, err := tx.Identifier(id)
	if errors.Is(err, store.ErrNotFound) {
		return v, ErrNotFound
	}
	if err != nil {
		return v, err
	}
	v.Identifier = i
	holders, err := tx.CasesHolding(id)
	if err != nil {
		return v, err
	}
	v.Held = len(holders)
	for _, c := range holders {
		one, err := readable(tx, by, c)
		if err == nil && len(v.Cases) < ShownCases {
			v.Cases = append(v.Cases, one)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return v, err
		}
	}
	if len(v.Cases) == 0 {
		return v, ErrNotFound
	}
	lists, err := d.warnings.in(tx)
	if err != nil {
		return v, err
	}
	v.Warning, _ = lists.Warn(i)
	if v.Muted, err = tx.MuteOf(i); err != nil && !errors.Is(err, store.ErrNotFound) {
		return v, err
	}
	v.Events, err = tx.MuteEvents(i)
	return v, err
}

// MuteTags returns the tags of an identifier that a case of the agency holds,
// for the node's administrator.
func (d *Desk) MuteTags(i identifier.Identifier) ([]MuteTag, error) {
	err := d.store.View(func(tx *store.Tx) error {
		_, err := tx.Known(i)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, &casefile.Sentence{Text: "No case of this agency holds this, so the node has no token of it."}
	}
	if err != nil {
		return nil, err
	}
	if d.muteTags == nil {
		return nil, &casefile.Sentence{Text: "This node cannot derive tags."}
	}
	tags, err := d.muteTags(i)
	if err == nil && len(tags) == 0 {
		return nil, &casefile.Sentence{Text: "Its token is still to be had from the registry.", Hint: "Try again when nothing waits."}
	}
	return tags, err
}

// Mute has an identifier raise no alert from now on, for the whole agency.
func (d *Desk) Mute(by casefile.Officer, id casefile.IdentifierID, reason string) error {
	return d.decide(by, id, reason, func(tx *store.Tx, v Value, m store.Mute) error {
		if v.Muted.ByAgency != nil {
			return &casefile.Sentence{Text: "This is muted already.", Hint: "Its page says by whom and why."}
		}
		return tx.Mute(v.Identifier, m)
	})
}

// Unmute lifts a mute. What was missed meanwhile is looked for again.
func (d *Desk) Unmute(by casefile.Officer, id casefile.IdentifierID, reason string) error {
	err := d.decide(by, id, reason, func(tx *store.Tx, v Value, m store.Mute) error {
		if v.Muted.ByAgency == nil {
			return &casefile.Sentence{Text: "The agency does not mute this."}
		}
		return tx.Unmute(v.Identifier, m)
	})
	if err == nil && d.unmuted != nil {
		d.unmuted()
	}
	return err
}

func (d *Desk) decide(by casefile.Officer, id casefile.IdentifierID, reason string, do func(*store.Tx, Value, store.Mute) error) error {
	reason = strings.TrimSpace(reason)
	return d.disk(d.store.Update(func(tx *store.Tx) error {
		v, err := d.value(tx, by, id)
		switch {
		case err != nil:
			return err
		case !MayMute(by):
			return &casefile.Sentence{Text: "Only a supervisor decides what is muted.", Hint: "Ask yours; this page says what to tell them."}
		case reason == "":
			return &casefile.Sentence{Text: "Say why.", Hint: "Whoever reads this in a year has only your sentence."}
		case utf8.RuneCountInString(reason) > MaxMuteReason || !utf8.ValidString(reason) ||
			strings.ContainsFunc(reason, func(r rune) bool { return !unicode.IsPrint(r) }):
			return &casefile.Sentence{Text: fmt.Sprintf("A reason has at most %d characters, on one line.", MaxMuteReason)}
		}
		return do(tx, v, store.Mute{By: by.Name, At: d.now(), Reason: reason})
	}))
}

// MuteLine is one muted identifier in a list.
type MuteLine struct {
	store.Muted
	ID casefile.IdentifierID
}

// Mutes lists what is muted and held by a case that the officer may read, the
// newest first; and how many there are in all.
func (d *Desk) Mutes(by casefile.Officer) (lines []MuteLine, total int, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		return tx.Mutes(func(m store.Muted) error {
			id, err := tx.Known(m.Identifier)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			may, err := d.holdsOneOf(tx, by, id)
			if may {
				lines = append(lines, MuteLine{m, id})
			}
			return err
		})
	})
	slices.SortFunc(lines, func(a, b MuteLine) int { return newest(a.ByAgency, b.ByAgency) })
	total = len(lines)
	return lines[:min(total, ShownMutes)], total, err
}

// newest orders mutes by time, and those of the network alone last.
func newest(a, b *store.Mute) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return b.At.Compare(a.At)
}

// holdsOneOf reports whether a case that the officer may read holds id.
func (d *Desk) holdsOneOf(tx *store.Tx, by casefile.Officer, id casefile.IdentifierID) (bool, error) {
	holders, err := tx.CasesHolding(id)
	for _, c := range holders {
		if _, err := readable(tx, by, c); err == nil {
			return true, nil
		} else if !errors.Is(err, ErrNotFound) {
			return false, err
		}
	}
	return false, err
}
