package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"interlock/crypto/token"
	"interlock/node/alert"
	"interlock/node/casefile"
	"interlock/protocol/identifier"
)

// Mute is what an officer decided about a value that too many people share.
type Mute struct {
	By     casefile.OfficerName
	At     time.Time
	Reason string
}

// MuteEvent is one decision in the history of an identifier.
type MuteEvent struct {
	Mute
	On bool // muted, or no longer
}

// Muted is an identifier that raises no alert.
type Muted struct {
	Identifier identifier.Identifier
	ByAgency   *Mute // nil where only the network mutes it
	ByNetwork  bool  // as far as a match has shown it
	Missed     bool  // it met somebody meanwhile
}

// storedMute is a mute on the disk.
type storedMute struct {
	Identifier []byte
	Agency     *Mute `json:",omitempty"`
	Network    bool  `json:",omitempty"`
	Missed     bool  `json:",omitempty"`
}

// Muted reports whether identifier i, with its tag in token.DirectoryScope,
// raises no alert: this agency muted it, or the policy of the network holds the
// tag. It is asked when there is a match, and remembers that there was one, so
// that what was missed is looked for once the mute is lifted.
func (tx *Tx) Muted(i identifier.Identifier, tag token.Tag) (bool, error) {
	of := markOf(i)
	m, err := getJSON[storedMute](tx, key(tableMute, of[:]))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, err
	}
	was := m
	network, err := tx.has(key(tableMutedTag, tag[:]))
	if err != nil || m.Agency == nil && !network {
		return false, err
	}
	m.Missed, m.Network = true, m.Network || network
	if m.Missed == was.Missed && m.Network == was.Network {
		return true, nil
	}
	return true, tx.putMute(i, m)
}

func (tx *Tx) putMute(i identifier.Identifier, m storedMute) (err error) {
	if m.Identifier, err = i.MarshalBinary(); err != nil {
		return err
	}
	tx.muting = nil
	of := markOf(i)
	return setJSON(tx, key(tableMute, of[:]), m)
}

// MuteOf returns how an identifier is muted, or ErrNotFound.
func (tx *Tx) MuteOf(i identifier.Identifier) (Muted, error) {
	of := markOf(i)
	m, err := getJSON[storedMute](tx, key(tableMute, of[:]))
	return Muted{i, m.Agency, m.Network, m.Missed}, err
}

// Mute mutes an identifier for this agency.
func (tx *Tx) Mute(i identifier.Identifier, m Mute) error {
	of := markOf(i)
	have, err := getJSON[storedMute](tx, key(tableMute, of[:]))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	have.Agency = &m
	return errors.Join(tx.putMute(i, have), tx.muteEvent(of, MuteEvent{m, true}))
}

// Unmute lifts the agency's mute. What was missed meanwhile is to be looked for
// again, unless the network mutes the identifier too. It returns ErrNotFound
// where the agency has not muted it.
func (tx *Tx) Unmute(i identifier.Identifier, m Mute) error {
	of := markOf(i)
	have, err := getJSON[storedMute](tx, key(tableMute, of[:]))
	if err != nil {
		return err
	}
	if have.Agency == nil {
		return ErrNotFound
	}
	have.Agency = nil
	if err := tx.muteEvent(of, MuteEvent{m, false}); err != nil {
		return err
	}
	if have.Network {
		return tx.putMute(i, have)
	}
	return tx.lift(i, have)
}

// lift forgets a mute, and has its identifier looked for again if it met
// somebody.
func (tx *Tx) lift(i identifier.Identifier, m storedMute) error {
	tx.muting = nil
	of := markOf(i)
	if err := tx.delete(key(tableMute, of[:])); err != nil || !m.Missed {
		return err
	}
	id, err := tx.Known(i)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.set(key(tableAgain, number(uint64(id))), nil)
}

// PutMutedTags takes the muted tags of the network's policy in place of those
// before. Where they changed, every identifier that the network muted is to be
// looked for again: those that are still muted stay so at the match.
func (tx *Tx) PutMutedTags(tags []token.Tag) error {
	same, err := tx.sameTags(tags)
	if err != nil || same {
		return err
	}
	if err := tx.deleteAll([]byte{tableMutedTag}); err != nil {
		return err
	}
	for _, t := range tags {
		if err := tx.set(key(tableMutedTag, t[:]), nil); err != nil {
			return err
		}
	}
	return tx.liftNetwork()
}

func (tx *Tx) sameTags(tags []token.Tag) (bool, error) {
	n, same := 0, true
	err := tx.scan([]byte{tableMutedTag}, []byte{tableMutedTag}, func(k, _ []byte) error {
		if same = n < len(tags) && bytes.Equal(k[1:], tags[n][:]); !same {
			return errStop
		}
		n++
		return nil
	})
	return same && n == len(tags), err
}

// liftNetwork lifts the network's mutes, as far as matches have shown them.
func (tx *Tx) liftNetwork() error {
	var muted []storedMute
	err := tx.mutes(func(m storedMute) error {
		if m.Network {
			muted = append(muted, m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range muted {
		i, err := identifier.Decode(m.Identifier)
		if err != nil {
			return err
		}
		if m.Network = false; m.Agency != nil {
			err = tx.putMute(i, m)
		} else {
			err = tx.lift(i, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) mutes(f func(storedMute) error) error {
	prefix := []byte{tableMute}
	return tx.scan(prefix, prefix, func(_, v []byte) error {
		var m storedMute
		if err := json.Unmarshal(v, &m); err != nil {
			return err
		}
		return f(m)
	})
}

// Mutes calls f with every muted identifier, in no order that means anything.
func (tx *Tx) Mutes(f func(Muted) error) error {
	return tx.mutes(func(m storedMute) error {
		i, err := identifier.Decode(m.Identifier)
		if err != nil {
			return err
		}
		return f(Muted{i, m.Agency, m.Network, m.Missed})
	})
}

// mutedOf counts the grounds that are muted.
func (tx *Tx) mutedOf(grounds []alert.Ground) (n int, err error) {
	if tx.muting == nil {
		_, _, err := tx.last([]byte{tableMute})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, err
		}
		some := err == nil
		tx.muting = &some
	}
	if !*tx.muting {
		return 0, nil
	}
	for _, g := range grounds {
		of := markOf(g.Identifier)
		muted, err := tx.has(key(tableMute, of[:]))
		if err != nil {
			return n, err
		}
		if muted {
			n++
		}
	}
	return n, nil
}

func (tx *Tx) muteEvent(of mark, e MuteEvent) error {
	prefix := key(tableMuteEvent, of[:])
	n, err := tx.nextUnder(prefix)
	if err != nil {
		return err
	}
	return setJSON(tx, append(prefix, number(n)...), e)
}

// MuteEvents returns what was decided about an identifier, the first first.
func (tx *Tx) MuteEvents(i identifier.Identifier) ([]MuteEvent, error) {
	of := markOf(i)
	prefix := key(tableMuteEvent, of[:])
	var list []MuteEvent
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		e, err := getJSON[MuteEvent](tx, k)
		list = append(list, e)
		return err
	})
	return list, err
}

// LookAgain returns up to limit identifiers whose mute was lifted and that met
// somebody meanwhile.
func (tx *Tx) LookAgain(limit int) ([]casefile.IdentifierID, error) {
	return tx.listed(tableAgain, limit)
}

// Looked says that an identifier was looked for again.
func (tx *Tx) Looked(id casefile.IdentifierID) error {
	return tx.delete(key(tableAgain, number(uint64(id))))
}
