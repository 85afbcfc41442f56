package store

import (
	"crypto/sha256"
	"errors"
	"time"

	"interlock/node/casefile"
)

// PutOfficer writes an officer.
func (tx *Tx) PutOfficer(o casefile.Officer) error {
	return setJSON(tx, key(tableOfficer, []byte(o.Name)), o)
}

// Officer returns the officer with this name, or ErrNotFound.
func (tx *Tx) Officer(n casefile.OfficerName) (casefile.Officer, error) {
	return getJSON[casefile.Officer](tx, key(tableOfficer, []byte(n)))
}

// Officers calls f with every officer, by name.
func (tx *Tx) Officers(f func(casefile.Officer) error) error {
	prefix := []byte{tableOfficer}
	return tx.scan(prefix, prefix, func(k, _ []byte) error {
		o, err := tx.Officer(casefile.OfficerName(k[1:]))
		if err != nil {
			return err
		}
		return f(o)
	})
}

// Session is one sign-in.
type Session struct {
	Officer casefile.OfficerName
	Started time.Time
	Used    time.Time
}

// PutSession writes the session named by the hash of its secret.
func (tx *Tx) PutSession(hash [sha256.Size]byte, s Session) error {
	return setJSON(tx, key(tableSession, hash[:]), s)
}

// Session returns a session, or ErrNotFound.
func (tx *Tx) Session(hash [sha256.Size]byte) (Session, error) {
	return getJSON[Session](tx, key(tableSession, hash[:]))
}

// DeleteSession ends a session.
func (tx *Tx) DeleteSession(hash [sha256.Size]byte) error {
	return tx.delete(key(tableSession, hash[:]))
}

// EndSessions deletes every session of which ended says so.
func (tx *Tx) EndSessions(ended func(Session) bool) error {
	prefix := []byte{tableSession}
	var gone [][]byte
	err := tx.scan(prefix, prefix, func(k, _ []byte) error {
		s, err := getJSON[Session](tx, k)
		if err == nil && ended(s) {
			gone = append(gone, append([]byte{}, k...))
		}
		return err
	})
	for _, k := range gone {
		err = errors.Join(err, tx.delete(k))
	}
	return err
}
