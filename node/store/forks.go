package store

import (
	"encoding/binary"
	"errors"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
)

// Fork is two heads of one author and number that differ, both signed: proof
// that the author shows its feed differently to different members.
type Fork struct {
	First, Second feed.Head
	Told          bool // a registry server has taken it
}

type storedFork struct {
	First, Second []byte // as feed.Head encodes them
	Told          bool   `json:",omitempty"`
}

func forkKey(author directory.AgencyID, n uint64) []byte {
	return key(tableFork, name(author), number(n))
}

// AddFork keeps a fork that is not known yet; one for each author and number.
func (tx *Tx) AddFork(f Fork) (added bool, err error) {
	known, err := tx.has(forkKey(f.First.Author, f.First.Number))
	if err != nil || known {
		return false, err
	}
	return true, tx.PutFork(f)
}

// PutFork writes a fork.
func (tx *Tx) PutFork(f Fork) error {
	return setJSON(tx, forkKey(f.First.Author, f.First.Number), storedFork{f.First.Encode(), f.Second.Encode(), f.Told})
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
	prefix := key(tableFork, name(author))
	return tx.deleteRange(prefix, after(prefix))
}

// Forks returns every fork that is known, by author and number.
func (tx *Tx) Forks() ([]Fork, error) {
	prefix := []byte{tableFork}
	var list []Fork
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		s, err := getJSON[storedFork](tx, k)
		if err != nil {
			return err
		}
		author := directory.AgencyID(k[1 : len(k)-9])
		n := binary.BigEndian.Uint64(k[len(k)-8:])
		f := Fork{Told: s.Told}
		if f.First, err = feed.DecodeHead(author, n, s.First); err != nil {
			return err
		}
		f.Second, err = feed.DecodeHead(author, n, s.Second)
		list = append(list, f)
		return err
	})
	return list, err
}
