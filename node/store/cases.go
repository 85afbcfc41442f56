package store

import (
	"encoding/binary"
	"errors"
	"strings"

	"interlock/node/casefile"
)

// ErrNumberTaken is AddCase's answer to a case number in use.
var ErrNumberTaken = errors.New("the case number is in use")

// AddCase gives c its ID and writes it.
func (tx *Tx) AddCase(c casefile.Case) (casefile.Case, error) {
	taken := key(tableCaseNumber, []byte(strings.ToLower(c.Number)))
	if in, err := tx.has(taken); err != nil {
		return c, err
	} else if in {
		return c, ErrNumberTaken
	}
	n, err := tx.next("case")
	if err != nil {
		return c, err
	}
	c.ID = casefile.CaseID(n)
	if err := tx.set(taken, number(n)); err != nil {
		return c, err
	}
	return c, setJSON(tx, key(tableCase, number(n)), c)
}

// Case returns a case, or ErrNotFound.
func (tx *Tx) Case(id casefile.CaseID) (casefile.Case, error) {
	return getJSON[casefile.Case](tx, key(tableCase, number(uint64(id))))
}

// Cases calls f with every case, the oldest first.
func (tx *Tx) Cases(f func(casefile.Case) error) error {
	prefix := []byte{tableCase}
	return tx.scan(prefix, prefix, func(k, _ []byte) error {
		c, err := tx.Case(casefile.CaseID(binary.BigEndian.Uint64(k[1:])))
		if err != nil {
			return err
		}
		return f(c)
	})
}

// AddNote gives n its number within the case and writes it.
func (tx *Tx) AddNote(id casefile.CaseID, n casefile.Note) (casefile.Note, error) {
	prefix := key(tableNote, number(uint64(id)))
	var err error
	if n.Number, err = tx.nextUnder(prefix); err != nil {
		return n, err
	}
	return n, setJSON(tx, append(prefix, number(n.Number)...), n)
}

// Notes returns the notes of a case, the oldest first.
func (tx *Tx) Notes(id casefile.CaseID) ([]casefile.Note, error) {
	prefix := key(tableNote, number(uint64(id)))
	var notes []casefile.Note
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		n, err := getJSON[casefile.Note](tx, k)
		notes = append(notes, n)
		return err
	})
	return notes, err
}

// PutDraft keeps what an officer is about to save, as the desk encodes it.
func (tx *Tx) PutDraft(id []byte, draft []byte) error { return tx.set(key(tableDraft, id), draft) }

// Draft returns a draft, or ErrNotFound.
func (tx *Tx) Draft(id []byte) ([]byte, error) { return tx.get(key(tableDraft, id)) }

// PutProgress keeps how far the saving of a draft has come.
func (tx *Tx) PutProgress(id, progress []byte) error {
	return tx.set(key(tableProgress, id), progress)
}

// Progress returns how far the saving of a draft has come, or ErrNotFound.
func (tx *Tx) Progress(id []byte) ([]byte, error) { return tx.get(key(tableProgress, id)) }

// DeleteDraft removes a draft and its progress.
func (tx *Tx) DeleteDraft(id []byte) error {
	return errors.Join(tx.delete(key(tableDraft, id)), tx.delete(key(tableProgress, id)))
}

// Drafts calls f with the progress of every draft.
func (tx *Tx) Drafts(f func(id, progress []byte) error) error {
	prefix := []byte{tableProgress}
	return tx.scan(prefix, prefix, func(k, v []byte) error { return f(k[1:], v) })
}

// PutMeta writes a named value of the node itself.
func (tx *Tx) PutMeta(name string, v []byte) error { return tx.set(key(tableMeta, []byte(name)), v) }

// DeleteMeta forgets a fact about the node.
func (tx *Tx) DeleteMeta(name string) error { return tx.delete(key(tableMeta, []byte(name))) }

// Meta returns a named value, or ErrNotFound.
func (tx *Tx) Meta(name string) ([]byte, error) { return tx.get(key(tableMeta, []byte(name))) }
