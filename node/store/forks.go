package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// Fork is two heads of one feed, generation and number that differ, both signed:
// proof that the author shows its feed differently to different members.
type Fork struct {
	First, Second feed.Head
	Told          bool // a registry server has taken it
}

type storedFork struct {
	First, Second []byte // as feed.Head encodes them
	Told          bool   `json:",omitempty"`
}

func forkKey(h feed.Head) []byte {
	return key(tableFork, name(h.Author), number32(h.Generation), number(h.Number), []byte(h.Audience.String()))
}

// AddFork keeps a fork that is not known yet; one for each feed, generation and
// number.
func (tx *Tx) AddFork(f Fork) (added bool, err error) {
	known, err := tx.has(forkKey(f.First))
	if err != nil || known {
		return false, err
	}
	return true, tx.PutFork(f)
}

// PutFork writes a fork.
func (tx *Tx) PutFork(f Fork) error {
	return setJSON(tx, forkKey(f.First), storedFork{f.First.Encode(), f.Second.Encode(), f.Told})
}

// Forked reports whether an author is known to have forked its feed.
func (tx *Tx) Forked(author directory.AgencyID) (bool, error) {
	_, _, err := tx.last(key(tableFork, name(author)))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// DropForks forgets the forks of an author.
func (tx *Tx) DropForks(author directory.AgencyID) error {
	return tx.deleteAll(key(tableFork, name(author)))
}

// Forks returns every fork that is known, by author, generation and number.
func (tx *Tx) Forks() ([]Fork, error) {
	prefix := []byte{tableFork}
	var list []Fork
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		s, err := getJSON[storedFork](tx, k)
		if err != nil {
			return err
		}
		author, rest, ok := bytes.Cut(k[1:], []byte{0})
		if !ok || len(rest) < 12 {
			return fmt.Errorf("key in table %q: %d bytes", tableFork, len(k))
		}
		id := feed.ID{Author: directory.AgencyID(author)}
		if id.Audience, err = directory.ParseAudience(string(rest[12:])); err != nil {
			return err
		}
		generation, n := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint64(rest[4:])
		f := Fork{Told: s.Told}
		if f.First, err = feed.DecodeHead(id, generation, n, s.First); err != nil {
			return err
		}
		f.Second, err = feed.DecodeHead(id, generation, n, s.Second)
		list = append(list, f)
		return err
	})
	return list, err
}
